/* Keys of a GGUF file that are read, and keys that are refused; see architecture.h. */
#include "io/architecture.h"

#include "base/err.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { KEY_BYTES = 128, SHOWN_BYTES = 64, MAX_VOCAB = 1 << 22 };

/* Sizes that are plain integer keys. An optional one that is absent stays 0 until fill_defaults. */
static const struct {
    const char *key; /* after "<architecture>." */
    size_t offset;   /* of the uint32_t in dun_spec */
    uint32_t most;
    bool optional;
} sizes[] = {
    {"block_count", offsetof(dun_spec, n_layers), 512, false},
    {"embedding_length", offsetof(dun_spec, width), 1 << 16, false},
    {"feed_forward_length", offsetof(dun_spec, ffn_width), 1 << 20, false},
    {"attention.head_count", offsetof(dun_spec, n_heads), 1024, false},
    {"attention.head_count_kv", offsetof(dun_spec, n_kv_heads), 1024, true},
    {"attention.key_length", offsetof(dun_spec, head_dim), 1024, true},
    {"rope.dimension_count", offsetof(dun_spec, rope_dim), 1024, true},
    {"context_length", offsetof(dun_spec, context), 1 << 24, false},
};

/* Keys that change what a model computes in ways the engine does not follow: refused unless they have the
 * value that means "not used". '*' stands for the architecture. */
enum value_kind { TEXT, FLAG, COUNT, REAL };
static const struct {
    const char *key;
    enum value_kind kind;
    double unused, also_unused;
    const char *unused_text;
    const char *feature;
} foreign[] = {
    {"general.type", TEXT, 0, 0, "model", "adapters and other files that are no whole model"},
    {"*.rope.scaling.type", TEXT, 0, 0, "none", "scaled rotary positions"},
    {"*.rope.scaling.factor", REAL, 1, 0, NULL, "scaled rotary positions"},
    {"*.rope.scale_linear", REAL, 1, 0, NULL, "scaled rotary positions"},
    {"*.expert_count", COUNT, 0, 0, NULL, "mixtures of experts"},
    {"*.attention.sliding_window", COUNT, 0, 0, NULL, "sliding attention windows"},
    {"*.attention.causal", FLAG, 1, 1, NULL, "attention to later tokens"},
    {"*.attention.clamp_kqv", REAL, 0, 0, NULL, "clamped queries and keys"},
    {"*.attention.max_alibi_bias", REAL, 0, 0, NULL, "ALiBi positions"},
    {"*.attention.scale", REAL, 0, 0, NULL, "attention scales of the model's own"},
    {"*.attn_logit_softcapping", REAL, 0, 0, NULL, "soft-capped attention"},
    {"*.final_logit_softcapping", REAL, 0, 0, NULL, "soft-capped logits"},
    {"*.logit_scale", REAL, 1, 0, NULL, "scaled logits"},
    {"*.embedding_scale", REAL, 1, 0, NULL, "scaled embeddings"},
    {"*.residual_scale", REAL, 1, 0, NULL, "scaled residuals"},
    {"*.use_parallel_residual", FLAG, 0, 0, NULL, "parallel residuals"},
};

/* key with '*' replaced by the architecture's name. */
static void expand(char out[KEY_BYTES], const char *key, const dun_arch *arch) {
    bool own = key[0] == '*';
    snprintf(out, KEY_BYTES, "%s%s", own ? arch->name : "", key + own);
}

/* A file's text for a terminal: cut at a character's start to fit, control characters blanked. */
static void copy_printable(char *out, size_t size, dun_gguf_string text) {
    size_t length = text.length;
    if (length >= size)
        for (length = size - 1; length > 0 && (text.bytes[length] & 0xc0) == 0x80;)
            length--;
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text.bytes[i];
        out[i] = byte < 0x20 || byte == 0x7f ? ' ' : text.bytes[i];
    }
    out[length] = '\0';
}

void dun_architecture_name(char *out, size_t size, const dun_gguf *file) {
    dun_gguf_string name = {0};
    if (dun_gguf_has(file, "general.architecture") &&
        dun_gguf_get_string(&name, file, "general.architecture") < 0)
        dun_error_clear(); /* of another type: what reads the model says so */
    copy_printable(out, size, name);
}

int dun_architecture_find(const dun_arch **out, const dun_gguf *file) {
    int rc;
    dun_gguf_string name = {0};
    char known[256], shown[SHOWN_BYTES];
    size_t used = 0;
    TRY(dun_gguf_get_string(&name, file, "general.architecture"));
    for (const dun_arch *arch = dun_arch_table; arch->name; arch++) {
        const char *candidate = arch->name;
        if (strlen(candidate) == name.length && memcmp(candidate, name.bytes, name.length) == 0) {
            *out = arch;
            goto out;
        }
        if (used < sizeof known)
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", candidate);
    }
    copy_printable(shown, sizeof shown, name);
    TRY(dun_error(DUN_BAD_INPUT, "%s: architecture '%s' is not supported; supported: %s", dun_gguf_name(file),
                  shown, known));
out:
    return rc;
}

void dun_architecture_tensor(char *out, size_t size, enum dun_slot slot, uint32_t layer) {
    if (dun_slot_table[slot].per_layer)
        snprintf(out, size, "blk.%u.%s", layer, dun_slot_table[slot].gguf);
    else
        snprintf(out, size, "%s", dun_slot_table[slot].gguf);
}

static int check_text(const dun_gguf *file, const char *key, const char *unused, const char *feature) {
    int rc;
    dun_gguf_string text = {0};
    char shown[SHOWN_BYTES];
    TRY(dun_gguf_get_string(&text, file, key));
    if (text.length != strlen(unused) || memcmp(text.bytes, unused, text.length) != 0) {
        copy_printable(shown, sizeof shown, text);
        TRY(dun_error(DUN_BAD_INPUT, "%s: key '%s' is '%s'; expected '%s' (%s: not supported)",
                      dun_gguf_name(file), key, shown, unused, feature));
    }
out:
    return rc;
}

static int get_number(double *value, const dun_gguf *file, const char *key, enum value_kind kind) {
    int rc = DUN_OK, flag = 0;
    uint32_t count = 0;
    float real = 0;
    switch (kind) {
    case FLAG:
        TRY(dun_gguf_get_bool(&flag, file, key));
        *value = flag;
        break;
    case COUNT:
        TRY(dun_gguf_get_u32(&count, file, key));
        *value = count;
        break;
    case REAL:
    case TEXT:
        TRY(dun_gguf_get_f32(&real, file, key));
        *value = (double)real;
        break;
    }
out:
    return rc;
}

static int check_foreign(const dun_arch *arch, const dun_gguf *file) {
    int rc = DUN_OK;
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        char key[KEY_BYTES];
        double value = 0;
        expand(key, foreign[i].key, arch);
        if (!dun_gguf_has(file, key))
            continue;
        if (foreign[i].kind == TEXT) {
            TRY(check_text(file, key, foreign[i].unused_text, foreign[i].feature));
            continue;
        }
        TRY(get_number(&value, file, key, foreign[i].kind));
        if (!(value == foreign[i].unused || value == foreign[i].also_unused))
            TRY(dun_error(DUN_BAD_INPUT, "%s: key '%s' is %g; expected %g or no such key (%s: not supported)",
                          dun_gguf_name(file), key, value, foreign[i].unused, foreign[i].feature));
    }
out:
    return rc;
}

static int read_sizes(dun_spec *spec, const dun_arch *arch, const dun_gguf *file) {
    int rc = DUN_OK;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char key[KEY_BYTES];
        uint32_t *value = (uint32_t *)(void *)((char *)spec + sizes[i].offset);
        snprintf(key, sizeof key, "%s.%s", arch->name, sizes[i].key);
        if (sizes[i].optional && !dun_gguf_has(file, key))
            continue;
        TRY(dun_gguf_get_u32(value, file, key));
        if (*value < 1 || *value > sizes[i].most)
            TRY(dun_error(DUN_BAD_INPUT, "%s: key '%s' is %u; expected 1 to %u", dun_gguf_name(file), key,
                          *value, sizes[i].most));
    }
out:
    return rc;
}

/* Sizes that follow from others where the file does not give them, and how they must fit together. */
static int relate_sizes(dun_spec *spec, const dun_arch *arch, const dun_gguf *file) {
    int rc = DUN_OK;
    const char *name = dun_gguf_name(file);
    char key[KEY_BYTES];
    uint32_t value_length = 0;
    if (!spec->n_kv_heads)
        spec->n_kv_heads = spec->n_heads;
    if (spec->n_heads % spec->n_kv_heads)
        TRY(dun_error(DUN_BAD_INPUT, "%s: %u query heads over %u key/value heads; expected a divisor of %u",
                      name, spec->n_heads, spec->n_kv_heads, spec->n_heads));
    if (!spec->head_dim && spec->width % spec->n_heads)
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: width %u over %u heads; expected a multiple or attention.key_length", name,
                      spec->width, spec->n_heads));
    if (!spec->head_dim)
        spec->head_dim = spec->width / spec->n_heads;
    if (!spec->rope_dim)
        spec->rope_dim = spec->head_dim;
    if (spec->rope_dim % 2 || spec->rope_dim > spec->head_dim)
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: %u rotary components in a head of %u; expected an even number up to %u", name,
                      spec->rope_dim, spec->head_dim, spec->head_dim));
    expand(key, "*.attention.value_length", arch);
    if (!dun_gguf_has(file, key))
        goto out;
    TRY(dun_gguf_get_u32(&value_length, file, key));
    if (value_length != spec->head_dim)
        TRY(dun_error(DUN_BAD_INPUT, "%s: key '%s' is %u; expected %u, the length of keys", name, key,
                      value_length, spec->head_dim));
out:
    return rc;
}

static int read_reals(dun_spec *spec, const dun_arch *arch, const dun_gguf *file) {
    int rc;
    char key[KEY_BYTES];
    expand(key, "*.attention.layer_norm_rms_epsilon", arch);
    TRY(dun_gguf_get_f32(&spec->norm_eps, file, key));
    if (!(spec->norm_eps > 0 && spec->norm_eps < 1))
        TRY(dun_error(DUN_BAD_INPUT, "%s: key '%s' is %g; expected a number between 0 and 1",
                      dun_gguf_name(file), key, (double)spec->norm_eps));
    spec->rope_base = 10000;
    expand(key, "*.rope.freq_base", arch);
    if (!dun_gguf_has(file, key))
        goto out;
    TRY(dun_gguf_get_f32(&spec->rope_base, file, key));
    if (!(spec->rope_base >= 1 && isfinite(spec->rope_base)))
        TRY(dun_error(DUN_BAD_INPUT, "%s: key '%s' is %g; expected a finite number of at least 1",
                      dun_gguf_name(file), key, (double)spec->rope_base));
out:
    return rc;
}

/* V is the rows of the embedding; where the file counts its vocabulary elsewhere, it must agree. */
static int read_vocabulary(dun_spec *spec, const dun_arch *arch, const dun_gguf *file) {
    int rc = DUN_OK;
    const char *name = dun_gguf_name(file), *tensor_name = dun_slot_table[DUN_W_EMBED].gguf;
    const dun_gguf_tensor *embed = dun_gguf_find_tensor(file, tensor_name);
    char key[KEY_BYTES];
    uint32_t vocab = 0;
    size_t n_tokens = 0;
    if (!embed)
        TRY(dun_error(DUN_BAD_INPUT, "%s: tensor '%s' is missing; expected it with a row for every token",
                      name, tensor_name));
    if (embed->n_dims != 2 || embed->dims[1] > MAX_VOCAB)
        TRY(dun_error(DUN_BAD_INPUT, "%s: tensor '%s' has %llu rows; expected 1 to %d, one for every token",
                      name, tensor_name, (unsigned long long)(embed->n_dims < 2 ? 0 : embed->dims[1]),
                      MAX_VOCAB));
    spec->vocab = (uint32_t)embed->dims[1];
    expand(key, "*.vocab_size", arch);
    if (dun_gguf_has(file, key)) {
        TRY(dun_gguf_get_u32(&vocab, file, key));
        if (vocab != spec->vocab)
            TRY(dun_error(DUN_BAD_INPUT, "%s: key '%s' is %u; expected %u, the rows of '%s'", name, key,
                          vocab, spec->vocab, tensor_name));
    }
    if (dun_gguf_has(file, "tokenizer.ggml.tokens")) {
        TRY(dun_gguf_array_length(&n_tokens, file, "tokenizer.ggml.tokens"));
        if (n_tokens != spec->vocab)
            TRY(dun_error(DUN_BAD_INPUT,
                          "%s: key 'tokenizer.ggml.tokens' has %zu tokens; expected %u, the rows of '%s'",
                          name, n_tokens, spec->vocab, tensor_name));
    }
out:
    return rc;
}

/* The model's own name for people. */
static int read_name(dun_spec *spec, const dun_gguf *file) {
    int rc = DUN_OK;
    dun_gguf_string name = {0};
    if (!dun_gguf_has(file, "general.name"))
        goto out;
    TRY(dun_gguf_get_string(&name, file, "general.name"));
    copy_printable(spec->name, sizeof spec->name, name);
out:
    return rc;
}

int dun_architecture_spec(dun_spec *spec, const dun_arch *arch, const dun_gguf *file) {
    int rc;
    *spec = (dun_spec){.traits = arch->traits};
    snprintf(spec->architecture, sizeof spec->architecture, "%s", arch->name);
    TRY(read_name(spec, file));
    TRY(check_foreign(arch, file));
    TRY(read_sizes(spec, arch, file));
    TRY(relate_sizes(spec, arch, file));
    TRY(read_reals(spec, arch, file));
    TRY(read_vocabulary(spec, arch, file));
    spec->tied_head = !dun_gguf_find_tensor(file, dun_slot_table[DUN_W_HEAD].gguf);
out:
    return rc;
}
