/* Models that are wrong: one change each to a right one, and files cut short. */
#include "weights_sample.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum change {
    SET_TEXT,
    SET_U32,
    SET_I32,
    SET_F32,
    SET_BOOL,
    SET_ARRAY, /* of twice a u32 */
    SET_PAIR,  /* of two */
    DROP,      /* a key or tensor */
    ADD,       /* a tensor of 8 zeros */
    DIM,       /* dimension `at` */
    N_DIMS,
    TYPE,
    PUT_16, /* two bytes of the tensor's data from `at` on */
    PUT_32
};

/* The model has matrices in Q8_0: a row of 64 values takes 68 bytes. */
static const struct {
    enum change change;
    const char *name, *text;
    double value;
    size_t at;
    const char *message, *also;
} corruptions[] = {
    {DROP, "general.architecture", 0, 0, 0, "key 'general.architecture' is missing", "expected string"},
    {SET_TEXT, "general.architecture", "clip", 0, 0, "architecture 'clip' is not supported (pictures)",
     "a model of texts"},
    {SET_TEXT, "general.architecture", "llama4", 0, 0, "'llama4' is not supported (mixtures of experts)",
     "nearest that is: Llama 3"},
    {SET_TEXT, "general.architecture", "llamas", 0, 0, "architecture 'llamas' is not",
     "supported: llama, qwen2"},
    {SET_TEXT, "general.architecture", "a\n\x1b[2J", 0, 0, "architecture 'a  [2J' is not supported", "llama"},
    {SET_U32, "general.architecture", 0, 1, 0, "'general.architecture' is u32", "expected string"},
    {SET_U32, "general.name", 0, 1, 0, "'general.name' is u32", "expected string"},

    {DROP, "llama.block_count", 0, 0, 0, "key 'llama.block_count' is missing", "expected an integer"},
    {SET_U32, "llama.block_count", 0, 0, 0, "key 'llama.block_count' is 0", "expected 1 to 512"},
    {SET_U32, "llama.block_count", 0, 513, 0, "key 'llama.block_count' is 513", "expected 1 to 512"},
    {SET_I32, "llama.block_count", 0, -1, 0, "key 'llama.block_count' is -1", "expected 0 to"},
    {SET_F32, "llama.block_count", 0, 2, 0, "'llama.block_count' is f32", "expected an integer"},
    {SET_U32, "llama.block_count", 0, 3, 0, "tensor 'blk.2.attn_norm.weight' is missing", "3 layers"},
    {SET_U32, "llama.block_count", 0, 1, 0, "tensor 'blk.1.attn_norm.weight' would not be used", "1 layers"},
    {DROP, "llama.embedding_length", 0, 0, 0, "'llama.embedding_length' is missing", "integer"},
    {SET_U32, "llama.embedding_length", 0, 0, 0, "'llama.embedding_length' is 0", "1 to 65536"},
    {SET_U32, "llama.embedding_length", 0, 4e9, 0, "'llama.embedding_length' is 4000000000", "1 to 65536"},
    {SET_U32, "llama.embedding_length", 0, 96, 0, "expected (96, 300), found (64, 300)", "token_embd"},
    {DROP, "llama.feed_forward_length", 0, 0, 0, "'llama.feed_forward_length' is missing", "integer"},
    {SET_ARRAY, "llama.feed_forward_length", 0, 96, 0, "expected (64, 96), found (64, 128)",
     "blk.0.ffn_gate"},
    {SET_PAIR, "llama.feed_forward_length", 0, 0, 0, "is 128 in layer 0 and 96 in layer 1",
     "the same in all"},
    {SET_U32, "llama.feed_forward_length", 0, 96, 0, "expected (64, 96), found (64, 128)", "blk.0.ffn_gate"},
    {DROP, "llama.context_length", 0, 0, 0, "'llama.context_length' is missing", "integer"},
    {SET_U32, "llama.context_length", 0, 0, 0, "'llama.context_length' is 0", "expected 1 to"},
    {SET_U32, "llama.attention.head_count", 0, 0, 0, "head_count' is 0", "expected 1 to 1024"},
    {SET_U32, "llama.attention.head_count", 0, 6, 0, "expected (64, 144), found (64, 96)", "blk.0.attn_q"},
    {SET_U32, "llama.attention.head_count_kv", 0, 0, 0, "head_count_kv' is 0", "expected 1 to 1024"},
    {SET_U32, "llama.attention.head_count_kv", 0, 3, 0, "4 query heads over 3 key/value", "a divisor of 4"},
    {SET_U32, "llama.attention.head_count_kv", 0, 8, 0, "4 query heads over 8 key/value", "a divisor of 4"},
    {SET_U32, "llama.attention.head_count_kv", 0, 4, 0, "expected (64, 96), found (64, 48)", "blk.0.attn_k"},
    {SET_U32, "llama.attention.key_length", 0, 4096, 0, "key_length' is 4096", "expected 1 to 1024"},
    {DROP, "llama.attention.key_length", 0, 0, 0, "24 rotary components in a head of 16", "up to 16"},
    {SET_U32, "llama.attention.value_length", 0, 32, 0, "value_length' is 32", "expected 24"},
    {SET_U32, "llama.rope.dimension_count", 0, 0, 0, "rope.dimension_count' is 0", "expected 1 to 1024"},
    {SET_U32, "llama.rope.dimension_count", 0, 7, 0, "7 rotary components in a head of 24", "an even number"},
    {SET_U32, "llama.rope.dimension_count", 0, 26, 0, "26 rotary components in a head of 24", "up to 24"},
    {SET_F32, "llama.rope.freq_base", 0, 0, 0, "rope.freq_base' is 0", "at least 1"},
    {SET_F32, "llama.rope.freq_base", 0, -1, 0, "rope.freq_base' is -1", "at least 1"},
    {SET_F32, "llama.rope.freq_base", 0, (double)NAN, 0, "rope.freq_base' is ", "a finite number"},
    {SET_F32, "llama.rope.freq_base", 0, (double)INFINITY, 0, "rope.freq_base' is inf", "a finite number"},
    {DROP, "llama.attention.layer_norm_rms_epsilon", 0, 0, 0, "rms_epsilon' is missing", "expected f32"},
    {SET_F32, "llama.attention.layer_norm_rms_epsilon", 0, 0, 0, "rms_epsilon' is 0", "between 0 and 1"},
    {SET_F32, "llama.attention.layer_norm_rms_epsilon", 0, -1, 0, "rms_epsilon' is -1", "between 0 and 1"},
    {SET_F32, "llama.attention.layer_norm_rms_epsilon", 0, (double)NAN, 0, "rms_epsilon' is",
     "between 0 and 1"},

    {SET_TEXT, "general.type", "adapter", 0, 0, "'general.type' is 'adapter'", "expected 'model'"},
    {SET_TEXT, "llama.rope.scaling.type", "ntk", 0, 0, "rope.scaling.type' is 'ntk'",
     "none, linear, yarn or longrope"},
    {SET_TEXT, "llama.rope.scaling.type", "a\nb", 0, 0, "rope.scaling.type' is 'a b'", "none, linear"},
    {SET_U32, "llama.rope.scaling.type", 0, 1, 0, "rope.scaling.type' is u32", "expected string"},
    {SET_F32, "llama.rope.scaling.factor", 0, (double)NAN, 0, "rope.scaling.factor' is ", "a finite number"},
    {SET_F32, "llama.rope.scaling.factor", 0, -2, 0, "rope.scaling.factor' is -2", "at least 0"},
    {SET_F32, "llama.rope.scaling.yarn_ext_factor", 0, 0.5, 0, "yarn_ext_factor' is 0.5", "not supported"},
    {SET_F32, "llama.attention.clamp_kqv", 0, 8, 0, "clamp_kqv' is 8", "clamped queries"},
    {SET_F32, "llama.attention.max_alibi_bias", 0, 8, 0, "max_alibi_bias' is 8", "ALiBi"},
    {SET_F32, "llama.attention.scale", 0, -1, 0, "attention.scale' is -1", "at least 0"},
    {SET_F32, "llama.final_logit_softcapping", 0, (double)INFINITY, 0, "softcapping' is inf",
     "a finite number"},
    {SET_ARRAY, "llama.attention.sliding_window", 0, 0, 0, "is an array of u32", "expected an integer"},
    {SET_U32, "llama.expert_count", 0, 8, 0, "'llama.expert_count' is 8", "mixtures of experts"},
    {SET_BOOL, "llama.attention.causal", 0, 0, 0, "attention.causal' is 0", "expected 1 or no such key"},
    {SET_BOOL, "llama.use_parallel_residual", 0, 1, 0, "use_parallel_residual' is 1", "not supported"},
    {SET_F32, "llama.logit_scale", 0, 8, 0, "logit_scale' is 8", "not supported"},

    {DROP, "token_embd.weight", 0, 0, 0, "tensor 'token_embd.weight' is missing", "a row for every token"},
    {DROP, "blk.1.attn_q.weight", 0, 0, 0, "tensor 'blk.1.attn_q.weight' is missing", "2 layers"},
    {DROP, "output_norm.weight", 0, 0, 0, "tensor 'output_norm.weight' is missing", "llama model"},
    {ADD, "blk.0.attn_q.bias", 0, 0, 0, "'blk.0.attn_q.bias' does not fit", "expected (96), found (8)"},
    {ADD, "blk.0.attn_k.bias", 0, 0, 0, "tensor 'blk.0.attn_k.bias' would not be used", "biases"},
    {ADD, "rope_freqs.weight", 0, 0, 0, "tensor 'rope_freqs.weight' has 8 values", "expected 12 in F32"},
    {ADD, "rope_factors_long.weight", 0, 0, 0, "tensor 'rope_factors_long.weight' has 8", "12"},
    {ADD, "blk.0.ffn_gate_exps.weight", 0, 0, 0, "'blk.0.ffn_gate_exps.weight' would", "experts"},
    {ADD, "blk.1.attn_q_norm.weight", 0, 0, 0, "'blk.1.attn_q_norm.weight' would", "normalised queries"},
    {ADD, "blk.2.attn_q.weight", 0, 0, 0, "'blk.2.attn_q.weight' would", "a plain llama model of 2 layers"},
    {ADD, "blk.01.attn_q.weight", 0, 0, 0, "'blk.01.attn_q.weight' would", "unknown"},
    {DIM, "blk.1.attn_q.weight", 0, 95, 1, "'blk.1.attn_q.weight' does not fit",
     "expected (64, 96), found (64, 95)"},
    {DIM, "blk.0.ffn_down.weight", 0, 32, 0, "'blk.0.ffn_down.weight'", "expected (128, 64), found (32, 64)"},
    {DIM, "output_norm.weight", 0, 63, 0, "'output_norm.weight'", "expected (64), found (63)"},
    {DIM, "output.weight", 0, 299, 1, "'output.weight'", "expected (64, 300), found (64, 299)"},
    {DIM, "token_embd.weight", 0, 299, 1, "'output.weight' does not fit",
     "expected (64, 299), found (64, 300)"},
    {N_DIMS, "token_embd.weight", 0, 1, 0, "'token_embd.weight' has 0 rows", "one for every token"},
    {N_DIMS, "blk.0.attn_v.weight", 0, 1, 0, "'blk.0.attn_v.weight'", "expected (64, 48), found (64)"},
    {TYPE, "blk.0.attn_norm.weight", 0, DUN_QUANT_Q8_0, 0, "'blk.0.attn_norm.weight' has type Q8_0", "F32"},
    {TYPE, "blk.0.attn_q.weight", 0, 40, 0, "'blk.0.attn_q.weight' has type NVFP4 (40)", "supported: F32"},

    {PUT_16, "token_embd.weight", 0, 0x7c00, 299 * 68, "'token_embd.weight' has NaN or infinity in row 299",
     ""},
    {PUT_16, "token_embd.weight", 0, 0xfe00, 0, "'token_embd.weight' has NaN or infinity in row 0", "finite"},
    {PUT_16, "blk.1.ffn_down.weight", 0, 0xfc01, 5 * 136 + 102, "'blk.1.ffn_down.weight' has NaN",
     "in row 5"},
    {PUT_16, "output.weight", 0, 0x7c00, 7 * 68 + 34, "'output.weight' has NaN or infinity", "in row 7"},
    {PUT_32, "output_norm.weight", 0, 0x7fc00000, 4 * 63, "'output_norm.weight' has NaN", "in value 63"},
    {PUT_32, "blk.0.ffn_norm.weight", 0, 0xff800000, 0, "'blk.0.ffn_norm.weight' has NaN", "in value 0"},
};

static void corrupt(gguf_builder *b, size_t i) {
    const char *name = corruptions[i].name;
    const double value = corruptions[i].value;
    const size_t at = corruptions[i].at;
    switch (corruptions[i].change) {
    case SET_TEXT:
        gguf_builder_string(b, name, corruptions[i].text);
        break;
    case SET_U32:
        gguf_builder_u32(b, name, (uint32_t)value);
        break;
    case SET_I32:
        gguf_builder_number(b, name, GGUF_I32, &(int32_t){(int32_t)value});
        break;
    case SET_F32:
        gguf_builder_f32(b, name, (float)value);
        break;
    case SET_BOOL:
        gguf_builder_bool(b, name, (uint8_t)value);
        break;
    case SET_ARRAY:
        gguf_builder_numbers(b, name, GGUF_U32, (uint32_t[]){(uint32_t)value, (uint32_t)value}, 2);
        break;
    case SET_PAIR:
        gguf_builder_numbers(b, name, GGUF_U32, (uint32_t[]){128, 96}, 2);
        break;
    case DROP:
        gguf_builder_drop(b, name);
        break;
    case ADD:
        gguf_builder_add_tensor(b, name, DUN_QUANT_F32, 1, (uint64_t[]){8}, (float[8]){0}, 32);
        break;
    case DIM:
        gguf_builder_find_tensor(b, name)->dims[at] = (uint64_t)value;
        break;
    case N_DIMS:
        gguf_builder_find_tensor(b, name)->n_dims = (uint32_t)value;
        break;
    case TYPE:
        gguf_builder_find_tensor(b, name)->type = (uint32_t)value;
        break;
    case PUT_16:
    case PUT_32:
        memcpy(gguf_builder_data_of(b, name) + at, &(uint32_t){(uint32_t)value},
               corruptions[i].change == PUT_16 ? 2 : 4);
        break;
    }
}

static void test_corruptions(void **state) {
    (void)state;
    size_t live = dun_mem_live();
    for (size_t i = 0; i < sizeof corruptions / sizeof corruptions[0]; i++) {
        sample s;
        dun_spec spec = sample_spec;
        sample_build(&s, &spec, DUN_QUANT_Q8_0);
        corrupt(&s.builder, i);
        int rc = sample_parse(&s);
        const char *message = dun_error_message();
        if (rc != DUN_BAD_INPUT)
            fail_msg("status %d instead of DUN_BAD_INPUT; wanted: %s", rc, corruptions[i].message);
        if (strncmp(message, "dir/m.gguf: ", 12) != 0 || !strstr(message, corruptions[i].message) ||
            !strstr(message, corruptions[i].also))
            fail_msg("message: %s\nlacks: %s ... %s", message, corruptions[i].message, corruptions[i].also);
        assert_null(strchr(message, '\n'));
        sample_free(&s);
    }
    assert_int_equal(dun_mem_live(), live);
}

/* A model cut short at any byte is refused; the copy has its exact size, so that reading past it shows. */
static void test_truncations(void **state) {
    (void)state;
    sample s;
    sample_open(&s, &sample_spec, DUN_QUANT_Q8_0);
    size_t head, length;
    dun_gguf_head(s.file, 0, &head);
    for (length = 0; length < s.bytes.length - 32; length += length < head ? 7 : 1009) {
        sample cut = {0};
        uint8_t *copy = malloc(length ? length : 1);
        assert_non_null(copy);
        memcpy(copy, s.bytes.bytes, length);
        assert_int_equal(sample_read(&cut, copy, length), DUN_BAD_INPUT);
        assert_int_equal(strncmp(dun_error_message(), "dir/m.gguf: ", 12), 0);
        sample_close(&cut);
        free(copy);
    }
    sample_free(&s);
}

/* Norms of queries and keys are by head or of the whole row; their length tells, and is not stretched. */
static void test_norm_lengths(void **state) {
    (void)state;
    static const struct {
        const char *arch;
        dun_traits traits;
        uint64_t length;
        const char *message; /* NULL: right */
    } rows[] = {
        {"qwen3", {.qk_norm = DUN_QK_HEAD}, 24, NULL},
        {"qwen3", {.qk_norm = DUN_QK_HEAD}, 96, "does not fit the model's sizes; expected (24), found (96)"},
        {"olmo2", {.placement = DUN_PLACE_POST, .qk_norm = DUN_QK_ROW}, 96, NULL},
        {"olmo2", {.placement = DUN_PLACE_POST, .qk_norm = DUN_QK_ROW}, 24, "expected (96), found (24)"},
    };
    static const float ones[96] = {1};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sample s;
        dun_spec spec = sample_spec;
        snprintf(spec.architecture, sizeof spec.architecture, "%s", rows[i].arch);
        spec.traits = rows[i].traits;
        sample_build(&s, &spec, DUN_QUANT_F32);
        gguf_builder_drop(&s.builder, "blk.1.attn_q_norm.weight");
        gguf_builder_add_tensor(&s.builder, "blk.1.attn_q_norm.weight", DUN_QUANT_F32, 1, &rows[i].length,
                                ones, (size_t)rows[i].length * sizeof *ones);
        const int rc = sample_parse(&s);
        if (rows[i].message ? rc != DUN_BAD_INPUT || !strstr(dun_error_message(), rows[i].message)
                            : rc != DUN_OK)
            fail_msg("%s, %d values: %d, %s", rows[i].arch, (int)rows[i].length, rc, dun_error_message());
        sample_free(&s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_corruptions),
        cmocka_unit_test(test_truncations),
        cmocka_unit_test(test_norm_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
