/* What the keys of GGUF files say, and what holds where they are silent, as a spec; what is warned of and
 * what is refused. */
#include "spec_describe.h"
#include "weights_sample.h"

#include <stdlib.h>

/* Small sizes, those that spec_describe.h leaves out. */
static const dun_spec sizes = {.n_layers = 4,
                               .width = 32,
                               .n_heads = 4,
                               .n_kv_heads = 4,
                               .head_dim = 8,
                               .ffn_width = 48,
                               .vocab = 258,
                               .context = 256,
                               .rope_dim = 8,
                               .rope_base = 10000,
                               .norm_eps = 1e-6f};

/* "key=1.5" is a float, "key=u2" a count, "key=b1" a flag, "key=TEXT" a text, "-key" drops one, "+tensor=2"
 * is one of a value for each rotary pair; keys have the architecture in front. */
static void change(gguf_builder *b, const char *arch, const char *changes) {
    char name[96], value[32], key[128];
    for (int used = 0; sscanf(changes, " %95[^= ]%n", name, &used) == 1; changes += used) {
        const bool whole = name[0] == '+' || name[0] == '-';
        snprintf(key, sizeof key, "%s.%s", arch, name + whole);
        if (name[0] == '-') {
            gguf_builder_drop(b, key);
            continue;
        }
        changes += used;
        assert_int_equal(sscanf(changes, "=%31s%n", value, &used), 1);
        const float number = strtof(value, NULL);
        if (name[0] == '+') {
            const float values[4] = {number, number, number, number};
            gguf_builder_add_tensor(b, name + 1, DUN_QUANT_F32, 1, (const uint64_t[]){4}, values,
                                    sizeof values);
        } else if (value[0] == 'u') {
            gguf_builder_u32(b, key, (uint32_t)strtoul(value + 1, NULL, 10));
        } else if (value[0] == 'b') {
            gguf_builder_bool(b, key, value[1] == '1');
        } else if (strchr("0123456789.", value[0])) {
            gguf_builder_f32(b, key, number);
        } else {
            gguf_builder_string(b, key, value);
        }
    }
}

static void hear(void *self, const char *message) {
    snprintf((char *)self + strlen(self), TEXT_BYTES - strlen(self), "%s\n", message);
}

/* The status; of what is right its description, and what was warned of. */
static int read_keys(char *found, char *warned, const char *arch, const char *changes) {
    sample s;
    dun_weights_from from = {0};
    dun_spec spec = sizes;
    snprintf(spec.architecture, sizeof spec.architecture, "%s", arch);
    sample_build(&s, &spec, DUN_QUANT_F32);
    change(&s.builder, arch, changes);
    assert_int_equal(gguf_builder_finish(&s.bytes, &s.builder), DUN_OK);
    if (dun_gguf_parse(&s.file, (const uint8_t *)s.bytes.bytes, s.bytes.length, "dir/m.gguf") < 0)
        fail_msg("%s %s: %s", arch, changes, dun_error_message());
    *warned = '\0';
    dun_warn_listen(hear, warned);
    int rc = dun_spec_gguf(&from, s.file);
    dun_warn_ignore(warned);
    describe(found, &from.spec);
    dun_stored_free(&from.list);
    sample_free(&s);
    return rc;
}

#define CAPS "attn_logit_softcapping=20. final_logit_softcapping=10. "
static const struct {
    const char *arch, *changes, *wanted, *warned;
} right[] = {
    {"llama", "", "llama", ""},
    {"llama", "-rope.freq_base -attention.key_length -rope.dimension_count", "llama", ""},
    {"llama", "attention.sliding_window=u16", "llama window=16 sliding=15", ""},
    {"gemma3", "-rope.freq_base", "gemma3 base=1e+06 act=2", ""},
    {"gemma3", "rope.freq_base=5000. attention.sliding_window=u16",
     "gemma3 base=5000 base2=10000 window=16 sliding=15 act=2", ""},
    {"gemma3", "attention.sliding_window=u16 attention.sliding_window_pattern=u2 rope.freq_base_swa=300.",
     "gemma3 base2=300 window=16 sliding=5 act=2", ""},
    /* Ollama's names of the two bases; the usual ones go before them */
    {"gemma3",
     "-rope.freq_base rope.global.freq_base=7000. rope.local.freq_base=200. attention.sliding_window=u16",
     "gemma3 base=7000 base2=200 window=16 sliding=15 act=2", ""},
    {"gemma3",
     "rope.freq_base=5000. rope.global.freq_base=7000. rope.local.freq_base=200. rope.freq_base_swa=300. "
     "attention.sliding_window=u16",
     "gemma3 base=5000 base2=300 window=16 sliding=15 act=2", ""},
    /* Gemma 2's first days: each key by itself */
    {"gemma2", CAPS "attention.sliding_window=u16", "gemma2 window=16 sliding=5 cap=20 logitcap=10 act=2",
     ""},
    {"gemma2", CAPS "context_length=u8192",
     "gemma2 context=8192 window=4096 sliding=5 cap=20 logitcap=10 act=2", ""},
    {"gemma2", "final_logit_softcapping=10.", "gemma2 cap=50 logitcap=10 act=2",
     "'gemma2.attn_logit_softcapping'"},
    {"gemma2", "attn_logit_softcapping=20.", "gemma2 cap=20 logitcap=30 act=2",
     "'gemma2.final_logit_softcapping'"},
    {"gemma2", "", "gemma2 cap=50 logitcap=30 act=2", "first days"},
    /* the models of 27 billion weights alone scale scores by their width */
    {"gemma2", CAPS "block_count=u46", "gemma2 scale=0.353553 cap=20 logitcap=10 act=2", ""},
    {"gemma2", CAPS "block_count=u42", "gemma2 cap=20 logitcap=10 act=2", ""},
    {"gemma3", "block_count=u62", "gemma3 scale=0.353553 act=2", ""},
    {"gemma3", "block_count=u48", "gemma3 act=2", ""},
    {"olmo2", "attention.sliding_window=u16", "olmo2 base2=10000 window=16 sliding=7", ""},
    {"smollm3", "", "smollm3 still=8", ""},
    /* scaling of turns */
    {"llama", "rope.scaling.type=linear rope.scaling.factor=4.", "llama f0=4 f3=4", ""},
    {"llama", "rope.scale_linear=4.", "llama f0=4 f3=4", ""},
    {"llama", "rope.scaling.type=none rope.scaling.factor=4.", "llama", ""},
    {"llama", "rope.scaling.type=linear", "llama", ""},
    {"llama", "rope.scaling.type=yarn rope.scaling.factor=4. rope.scaling.original_context_length=u64",
     "llama f0=1 f3=4 m=1.13863", ""},
    {"llama", "rope.scaling.type=yarn rope.scaling.factor=1.", "llama", ""},
    {"llama", "rope.scaling.type=yarn", "llama", "YaRN's scaling of positions and no factor"},
    {"llama", "+rope_freqs.weight=3", "llama f0=3 f3=3", ""},
    {"qwen2", "+rope_freqs.weight=3", "qwen2", ""}, /* a leftover */
    {"phi3",
     "rope.scaling.type=longrope +rope_factors_short.weight=1 +rope_factors_long.weight=3 "
     "rope.scaling.original_context_length=u64",
     "phi3 f0=1 f3=1 g0=3 m=1.1547 long=64", ""},
    {"phi3",
     "rope.scaling.attn_factor=1.25 +rope_factors_short.weight=1 +rope_factors_long.weight=3 "
     "rope.scaling.original_context_length=u64",
     "phi3 f0=1 f3=1 g0=3 m=1.25 long=64", ""},
};

/* Llama 3.1 and later without its divisors, as early converters left it: texts of some length go wrong. */
static void test_lost_divisors(void **state) {
    (void)state;
    static const struct {
        uint32_t vocab, context;
        bool divisors, warned;
    } rows[] = {{128256, 131072, false, true},
                {128256, 131072, true, false},
                {128256, 8192, false, false}, /* Llama 3 */
                {300, 131072, false, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char warned[TEXT_BYTES] = "";
        const uint64_t dims[] = {32, rows[i].vocab};
        const size_t bytes = (size_t)rows[i].vocab * 32 * sizeof(float);
        const float ones[4] = {1, 1, 1, 1};
        void *table = calloc(1, bytes);
        dun_weights_from from = {0};
        sample s;
        assert_non_null(table);
        sample_build(&s, &sizes, DUN_QUANT_F32);
        gguf_builder_u32(&s.builder, "llama.context_length", rows[i].context);
        gguf_builder_drop(&s.builder, "token_embd.weight");
        gguf_builder_add_tensor(&s.builder, "token_embd.weight", DUN_QUANT_F32, 2, dims, table, bytes);
        if (rows[i].divisors)
            gguf_builder_add_tensor(&s.builder, "rope_freqs.weight", DUN_QUANT_F32, 1, (const uint64_t[]){4},
                                    ones, sizeof ones);
        assert_int_equal(gguf_builder_finish(&s.bytes, &s.builder), DUN_OK);
        assert_int_equal(
            dun_gguf_parse(&s.file, (const uint8_t *)s.bytes.bytes, s.bytes.length, "dir/m.gguf"), DUN_OK);
        dun_warn_listen(hear, warned);
        assert_int_equal(dun_spec_gguf(&from, s.file), DUN_OK);
        dun_warn_ignore(warned);
        assert_int_equal(strstr(warned, "lacks the tensor 'rope_freqs.weight'") != NULL, rows[i].warned);
        dun_stored_free(&from.list);
        sample_free(&s);
        free(table);
    }
}

static void test_right(void **state) {
    (void)state;
    char found[TEXT_BYTES], warned[TEXT_BYTES];
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        if (read_keys(found, warned, right[i].arch, right[i].changes) < 0)
            fail_msg("%s %s: %s", right[i].arch, right[i].changes, dun_error_message());
        if (strcmp(found, right[i].wanted) != 0)
            fail_msg("%s %s\nis     %s\nwanted %s", right[i].arch, right[i].changes, found, right[i].wanted);
        if (*right[i].warned ? !strstr(warned, right[i].warned) : *warned)
            fail_msg("%s %s\nwarned: %s\nlacks: %s", right[i].arch, right[i].changes, warned,
                     right[i].warned);
    }
}

static const struct {
    const char *arch, *changes, *message, *also;
} wrong[] = {
    {"phi3", "rope.scaling.type=longrope", "'phi3.rope.scaling.type' is 'longrope'",
     "'rope_factors_long.weight' is missing"},
    {"llama", "rope.scaling.type=longrope rope.scaling.factor=4.", "'longrope'", "is missing"},
    {"phi3", "+rope_factors_long.weight=3", "'rope_factors_short.weight' is missing", "both or none"},
    {"phi3", "rope.dimension_count=u6 +rope_factors_long.weight=3", "'rope_factors_long.weight' has 4 values",
     "expected 3 in F32"},
    {"llama", "rope.scaling.type=mrope", "'llama.rope.scaling.type' is 'mrope'",
     "none, linear, yarn or longrope"},
    {"llama", "rope.scaling.type=u3", "rope.scaling.type' is u32", "string"},
    {"gemma3", "attention.sliding_window=u16 rope.local.freq_base=0", "'gemma3.rope.local.freq_base' is 0",
     "at least 1"},
    {"gemma3", "rope.global.freq_base=u7", "'gemma3.rope.global.freq_base' is u32", "f32"},
    {"llama", "attention.sliding_window=b1", "sliding_window' is bool", "an integer"},
};

static void test_wrong(void **state) {
    (void)state;
    char found[TEXT_BYTES], warned[TEXT_BYTES];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const int rc = read_keys(found, warned, wrong[i].arch, wrong[i].changes);
        const char *message = dun_error_message();
        if (rc != DUN_BAD_INPUT || !strstr(message, wrong[i].message) || !strstr(message, wrong[i].also))
            fail_msg("%s %s: status %d\nmessage: %s\nlacks: %s ... %s", wrong[i].arch, wrong[i].changes, rc,
                     message, wrong[i].message, wrong[i].also);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_lost_divisors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
