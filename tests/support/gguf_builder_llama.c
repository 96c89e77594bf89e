/* Whole small random models; see gguf_builder.h. */
#include "gguf_builder.h"

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "model/quant.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { N_CONTROL = 2, N_BYTES = 256, TOKEN_BYTES = 32, Q8_VALUES = 32, Q8_BYTES = 34 };
enum { TOKEN_NORMAL = 1, TOKEN_CONTROL = 3, TOKEN_UNUSED = 5 };

/* In order of rank, '_' for a space; both sides of a pair are bytes or earlier results. */
static const char *const merges[] = {
    "_ t", "_ a", "h e",   "i n", "r e", "_t he", "o n", "e r",  "_ s",   "a t", "_ w",  "_ o",
    "e n", "i s", "_ i",   "n d", "o u", "_ f",   "o r", "e s",  "in g",  "e d", "_ b",  "_ m",
    "i t", "a n", "_a nd", "l l", "_ h", "o o",   "_ _", "g oo", "goo d", "b a", "ba d", "_ good",
};
enum { N_MERGES = sizeof merges / sizeof merges[0] };

/* A byte as byte-level BPE writes it (GPT-2): printable Latin-1 as itself, the others, in order, as the
 * characters from U+0100 on. UTF-8, zero-terminated; returns the length. */
static size_t visible(char out[3], unsigned byte) {
    unsigned code = 256;
    for (unsigned i = 0; i <= byte; i++) {
        bool printable = (i >= 0x21 && i <= 0x7e) || (i >= 0xa1 && i != 0xad);
        if (i == byte && printable)
            code = byte;
        else if (i < byte && !printable)
            code++;
    }
    size_t length = 0;
    if (code >= 0x80)
        out[length++] = (char)(0xc0 | code >> 6);
    out[length++] = (char)(code < 0x80 ? code : 0x80 | (code & 0x3f));
    out[length] = '\0';
    return length;
}

/* The i-th merge with its spaces visible, and the token it makes. */
static void spell_merge(char pair[TOKEN_BYTES], char token[TOKEN_BYTES], size_t i) {
    size_t n_pair = 0, n_token = 0;
    for (const char *at = merges[i]; *at; at++) {
        char bytes[3] = {*at, '\0'};
        size_t length = *at == '_' ? visible(bytes, ' ') : 1;
        memcpy(pair + n_pair, bytes, length);
        n_pair += length;
        if (*at == ' ')
            continue;
        memcpy(token + n_token, bytes, length);
        n_token += length;
    }
    pair[n_pair] = token[n_token] = '\0';
}

static void add_tokenizer(gguf_builder *b, uint32_t vocab) {
    char(*texts)[TOKEN_BYTES] = NULL, pairs[N_MERGES][TOKEN_BYTES];
    const char **tokens = NULL, *pair_list[N_MERGES];
    int32_t *types = NULL;
    size_t n_merges = 0;
    int rc = b->rc;
    if (rc < 0)
        goto out;
    TRY_NEW(texts, vocab);
    TRY_NEW(tokens, vocab);
    TRY_NEW(types, vocab);
    for (uint32_t id = 0; id < vocab; id++) {
        uint32_t merge = id - N_CONTROL - N_BYTES;
        tokens[id] = texts[id];
        types[id] = TOKEN_NORMAL;
        if (id < N_CONTROL) {
            strcpy(texts[id], id ? "<|finish|>" : "<|begin|>");
            types[id] = TOKEN_CONTROL;
        } else if (id < N_CONTROL + N_BYTES) {
            visible(texts[id], id - N_CONTROL);
        } else if (merge < N_MERGES) {
            spell_merge(pairs[merge], texts[id], merge);
            pair_list[n_merges++] = pairs[merge];
        } else {
            snprintf(texts[id], TOKEN_BYTES, "<|unused %u|>", id);
            types[id] = TOKEN_UNUSED;
        }
    }
    gguf_builder_string(b, "tokenizer.ggml.model", "gpt2");
    gguf_builder_string(b, "tokenizer.ggml.pre", "smollm");
    gguf_builder_strings(b, "tokenizer.ggml.tokens", tokens, vocab);
    gguf_builder_numbers(b, "tokenizer.ggml.token_type", GGUF_I32, types, vocab);
    gguf_builder_strings(b, "tokenizer.ggml.merges", pair_list, n_merges);
    gguf_builder_u32(b, "tokenizer.ggml.bos_token_id", 0);
    gguf_builder_u32(b, "tokenizer.ggml.eos_token_id", 1);
    gguf_builder_bool(b, "tokenizer.ggml.add_bos_token", 0);
    rc = b->rc;
out:
    b->rc = rc;
    dun_free(texts);
    dun_free(tokens);
    dun_free(types);
}

static void add_size(gguf_builder *b, const char *architecture, const char *key, uint32_t value) {
    char whole[96];
    snprintf(whole, sizeof whole, "%s.%s", architecture, key);
    gguf_builder_u32(b, whole, value);
}

static void add_real(gguf_builder *b, const char *architecture, const char *key, float value) {
    char whole[96];
    snprintf(whole, sizeof whole, "%s.%s", architecture, key);
    gguf_builder_f32(b, whole, value);
}

static void add_sizes(gguf_builder *b, const dun_spec *spec) {
    const char *name = spec->architecture[0] ? spec->architecture : "llama";
    gguf_builder_string(b, "general.architecture", name);
    gguf_builder_string(b, "general.name", spec->name[0] ? spec->name : "tiny");
    add_size(b, name, "block_count", spec->n_layers);
    add_size(b, name, "context_length", spec->context);
    add_size(b, name, "embedding_length", spec->width);
    add_size(b, name, "feed_forward_length", spec->ffn_width);
    add_size(b, name, "attention.head_count", spec->n_heads);
    add_size(b, name, "attention.head_count_kv", spec->n_kv_heads);
    add_size(b, name, "attention.key_length", spec->head_dim);
    add_size(b, name, "attention.value_length", spec->head_dim);
    add_size(b, name, "rope.dimension_count", spec->rope_dim);
    add_real(b, name, "rope.freq_base", spec->rope_base);
    add_real(b, name, "attention.layer_norm_rms_epsilon", spec->norm_eps);
    add_size(b, name, "vocab_size", spec->vocab);
}

/* Blocks of 32 values: half d = max |x| / 127, then round(x / d) as bytes. */
static void quantise_q8(uint8_t *out, const float *values, size_t n) {
    for (size_t block = 0; block < n / Q8_VALUES; block++, values += Q8_VALUES, out += Q8_BYTES) {
        float most = 0;
        for (int j = 0; j < Q8_VALUES; j++)
            most = fmaxf(most, fabsf(values[j]));
        uint16_t half = gguf_builder_half(most / 127);
        float d = dun_half_to_f32(half);
        memcpy(out, &half, sizeof half);
        for (int j = 0; j < Q8_VALUES; j++)
            out[2 + j] = (uint8_t)(int8_t)fmaxf(-127, fminf(127, d > 0 ? roundf(values[j] / d) : 0));
    }
}

/* A tensor of random blocks, finite but of any size: for reading, not for running. */
static int add_blocks(gguf_builder *b, const char *name, const dun_quant_type *type, const uint64_t dims[2],
                      uint64_t seed, uint64_t *draw) {
    int rc = DUN_OK;
    size_t n = (size_t)(dims[0] * dims[1]) / type->block_values, bytes = type->block_bytes;
    uint8_t *blocks = NULL;
    if (dims[0] % type->block_values)
        TRY(dun_error(DUN_FAILED, "%s: rows of %u values cannot be %s", name, (unsigned)dims[0], type->name));
    TRY_NEW(blocks, n * bytes);
    for (size_t i = 0; i < n * bytes; i++)
        blocks[i] = (uint8_t)dun_random_u64(seed, DUN_STREAM_TEST, (*draw)++);
    for (uint8_t *at = blocks; at < blocks + n * bytes; at += bytes)
        if (!dun_quant_finite(type->id, at, type->block_values))
            memset(at, 0, bytes);
    gguf_builder_add_tensor(b, name, type->id, 2, dims, blocks, n * bytes);
out:
    dun_free(blocks);
    return rc;
}

/* A tensor of uniform values around `mean`. `draw` is the index of its first random number. */
static void add_random(gguf_builder *b, const char *name, uint32_t type, const uint64_t dims[2], double mean,
                       double deviation, uint64_t seed, uint64_t *draw) {
    int rc = b->rc;
    float *values = NULL;
    uint8_t *blocks = NULL;
    size_t n = (size_t)(dims[0] * dims[1]);
    if (rc < 0)
        goto out;
    TRY_NEW(values, n);
    for (size_t i = 0; i < n; i++) {
        double unit = 2 * dun_random_uniform(seed, DUN_STREAM_TEST, (*draw)++) - 1;
        values[i] = (float)(mean + sqrt(3) * deviation * unit);
    }
    if (type == DUN_QUANT_Q8_0) {
        if (dims[0] % Q8_VALUES)
            TRY(dun_error(DUN_FAILED, "%s: rows of %u values cannot be Q8_0", name, (unsigned)dims[0]));
        TRY_NEW(blocks, n / Q8_VALUES * Q8_BYTES);
        quantise_q8(blocks, values, n);
        gguf_builder_add_tensor(b, name, type, 2, dims, blocks, n / Q8_VALUES * Q8_BYTES);
    } else if (type != DUN_QUANT_F32) {
        TRY(add_blocks(b, name, dun_quant_find(type), dims, seed, draw));
    } else {
        gguf_builder_add_tensor(b, name, DUN_QUANT_F32, dims[1] > 1 ? 2 : 1, dims, values,
                                n * sizeof *values);
    }
    rc = b->rc;
out:
    b->rc = rc;
    dun_free(values);
    dun_free(blocks);
}

/* Written down once more, apart from the loader's own table. */
static const struct {
    enum dun_slot slot;
    const char *name;
} names[] = {
    {DUN_W_EMBED, "token_embd.weight"},
    {DUN_W_ATTN_NORM, "attn_norm.weight"},
    {DUN_W_Q, "attn_q.weight"},
    {DUN_W_K, "attn_k.weight"},
    {DUN_W_V, "attn_v.weight"},
    {DUN_W_O, "attn_output.weight"},
    {DUN_W_FFN_NORM, "ffn_norm.weight"},
    {DUN_W_GATE, "ffn_gate.weight"},
    {DUN_W_UP, "ffn_up.weight"},
    {DUN_W_DOWN, "ffn_down.weight"},
    {DUN_W_FINAL_NORM, "output_norm.weight"},
    {DUN_W_HEAD, "output.weight"},
    {DUN_W_Q_BIAS, "attn_q.bias"},
    {DUN_W_K_BIAS, "attn_k.bias"},
    {DUN_W_V_BIAS, "attn_v.bias"},
    {DUN_W_Q_NORM, "attn_q_norm.weight"},
    {DUN_W_K_NORM, "attn_k_norm.weight"},
    {DUN_W_POST_ATTN_NORM, "post_attention_norm.weight"},
    {DUN_W_POST_FFN_NORM, "post_ffw_norm.weight"},
};

void gguf_builder_llama(gguf_builder *b, const dun_spec *spec, uint32_t tensor_type, uint64_t seed) {
    uint64_t draw = 0;
    if (spec->vocab < N_CONTROL + N_BYTES)
        b->rc = dun_error(DUN_FAILED, "a vocabulary of %u; a tiny model needs %d", spec->vocab,
                          N_CONTROL + N_BYTES);
    add_sizes(b, spec);
    add_tokenizer(b, spec->vocab);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const dun_slot_info *info = &dun_slot_table[names[i].slot];
        uint64_t rows = dun_spec_size(spec, info->rows), columns = dun_spec_size(spec, info->columns);
        bool vector = columns == 1;
        if (!dun_spec_has(spec, names[i].slot) || (names[i].slot == DUN_W_HEAD && spec->tied_head))
            continue;
        for (uint32_t layer = 0; layer < (info->per_layer ? spec->n_layers : 1); layer++) {
            char name[64];
            snprintf(name, sizeof name, "%s", names[i].name);
            if (info->per_layer)
                snprintf(name, sizeof name, "blk.%u.%s", layer, names[i].name);
            if (vector)
                add_random(b, name, DUN_QUANT_F32, (uint64_t[]){rows, 1}, 1, 0.1, seed, &draw);
            else
                add_random(b, name, tensor_type, (uint64_t[]){columns, rows}, 0,
                           names[i].slot == DUN_W_EMBED ? 0.5 : 1 / sqrt((double)columns), seed, &draw);
        }
    }
}

int gguf_builder_tiny_llama(const char *path, const dun_spec *spec, uint32_t tensor_type, uint64_t seed) {
    int rc;
    gguf_builder b;
    dun_str bytes = {0};
    gguf_builder_init(&b);
    gguf_builder_llama(&b, spec, tensor_type, seed);
    TRY(gguf_builder_finish(&bytes, &b));
    TRY(dun_file_write(path, bytes.bytes, bytes.length));
out:
    dun_str_free(&bytes);
    gguf_builder_free(&b);
    return rc;
}
