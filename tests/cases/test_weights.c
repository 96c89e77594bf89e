/* Models that are right: sizes, every slot in canonical order, identity, and the real model if it is there.
 */
#include "base/fault.h"
#include "base/rng.h"
#include "io/model_file.h"
#include "weights_sample.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static dun_spec variant(uint32_t n_kv_heads, uint32_t rope_dim, bool tied_head) {
    dun_spec spec = sample_spec;
    spec.n_kv_heads = n_kv_heads;
    spec.rope_dim = rope_dim;
    spec.tied_head = tied_head;
    return spec;
}

static void assert_same_spec(const dun_spec *found, const dun_spec *wanted) {
    assert_string_equal(found->architecture, wanted->architecture);
    assert_string_equal(found->name, wanted->name);
    assert_int_equal(found->n_layers, wanted->n_layers);
    assert_int_equal(found->width, wanted->width);
    assert_int_equal(found->n_heads, wanted->n_heads);
    assert_int_equal(found->n_kv_heads, wanted->n_kv_heads);
    assert_int_equal(found->head_dim, wanted->head_dim);
    assert_int_equal(found->ffn_width, wanted->ffn_width);
    assert_int_equal(found->vocab, wanted->vocab);
    assert_int_equal(found->context, wanted->context);
    assert_int_equal(found->rope_dim, wanted->rope_dim);
    assert_true(found->rope_base == wanted->rope_base);
    assert_true(found->norm_eps == wanted->norm_eps);
    assert_int_equal(found->tied_head, wanted->tied_head);
}

static void stored_name(char name[64], enum dun_slot slot, uint32_t layer) {
    static const char *const names[DUN_N_SLOTS] = {
        [DUN_W_EMBED] = "token_embd",  [DUN_W_FINAL_NORM] = "output_norm",
        [DUN_W_HEAD] = "output",       [DUN_W_ATTN_NORM] = "attn_norm",
        [DUN_W_Q] = "attn_q",          [DUN_W_K] = "attn_k",
        [DUN_W_V] = "attn_v",          [DUN_W_O] = "attn_output",
        [DUN_W_FFN_NORM] = "ffn_norm", [DUN_W_GATE] = "ffn_gate",
        [DUN_W_UP] = "ffn_up",         [DUN_W_DOWN] = "ffn_down"};
    if (dun_slot_table[slot].per_layer)
        snprintf(name, 64, "blk.%u.%s.weight", layer, names[slot]);
    else
        snprintf(name, 64, "%s.weight", names[slot]);
}

/* Where the converter puts row `row` of a model with half-split rotary heads: of the R rotating rows of a
 * head, reshaped to (2, R/2), the two axes are swapped. */
static uint32_t permuted(const dun_spec *spec, uint32_t row) {
    uint32_t head = row / spec->head_dim, i = row % spec->head_dim, half = spec->rope_dim / 2;
    if (i >= spec->rope_dim)
        return row;
    uint32_t which = i / half, pair = i % half;
    return head * spec->head_dim + pair * 2 + which;
}

/* Compares rows first .. first + n - 1 of a slot with the stored tensor, row for row. */
static void check_rows(const sample *s, enum dun_slot slot, uint32_t layer, uint32_t first, uint32_t n) {
    const dun_spec *spec = dun_weights_spec(s->weights);
    size_t columns = dun_spec_size(spec, dun_slot_table[slot].columns);
    char name[64];
    stored_name(name, slot == DUN_W_HEAD && spec->tied_head ? DUN_W_EMBED : slot, layer);
    const dun_gguf_tensor *tensor = dun_gguf_find_tensor(s->file, name);
    size_t values = (size_t)(tensor->dims[0] * tensor->dims[1]);
    float *stored = malloc(values * sizeof *stored), *out = malloc((n * columns + 1) * sizeof *out);
    assert_true(stored && out);
    dun_quant_to_f32(stored, tensor->type, tensor->data, values);
    out[n * columns] = -77;
    assert_int_equal(dun_weights_read(out, s->weights, slot, layer, first, n), DUN_OK);
    for (uint32_t row = 0; row < n; row++) {
        uint32_t from = slot == DUN_W_Q || slot == DUN_W_K ? permuted(spec, first + row) : first + row;
        assert_memory_equal(out + row * columns, stored + from * columns, columns * sizeof *out);
    }
    assert_true(out[n * columns] == -77);
    free(stored);
    free(out);
}

static void test_slots(void **state) {
    (void)state;
    const uint32_t types[] = {DUN_QUANT_F32, DUN_QUANT_Q8_0};
    for (int i = 0; i < 8; i++) {
        sample s;
        dun_spec spec = variant(i & 1 ? 4 : 2, i & 2 ? 10 : 24, i & 4);
        spec.head_dim = i & 1 ? 24 : 32;
        spec.width = 32 * (uint32_t)(1 + i);
        sample_open(&s, &spec, types[i & 1 && spec.n_heads * spec.head_dim % 32 == 0]);
        assert_same_spec(dun_weights_spec(s.weights), &spec);
        for (enum dun_slot slot = 0; slot < DUN_N_SLOTS; slot++)
            for (uint32_t layer = 0; layer < (dun_slot_table[slot].per_layer ? 2 : 1); layer++) {
                if (!dun_spec_has(&spec, slot))
                    continue;
                uint32_t rows = dun_spec_size(&spec, dun_slot_table[slot].rows);
                check_rows(&s, slot, layer, 0, rows);
                for (uint32_t first = 0; first < rows; first += 17)
                    check_rows(&s, slot, layer, first, rows - first < 29 ? rows - first : 29);
            }
        sample_free(&s);
    }
}

/* x[a], x[b] turned by `angle`. */
static void turn(double *x, uint32_t a, uint32_t b, double angle) {
    double first = x[a], second = x[b];
    x[a] = first * cos(angle) - second * sin(angle);
    x[b] = first * sin(angle) + second * cos(angle);
}

/* Projects `input` with rows of a head and rotates: adjacent pairs (stored order) or half-split ones. */
static void project(double *out, const float *rows, const double *input, const dun_spec *spec, bool adjacent,
                    double position) {
    for (uint32_t i = 0; i < spec->head_dim; i++) {
        out[i] = 0;
        for (uint32_t c = 0; c < spec->width; c++)
            out[i] += (double)rows[i * spec->width + c] * input[c];
    }
    for (uint32_t i = 0; i < spec->rope_dim / 2; i++) {
        double angle = position * pow(100, -2.0 * i / spec->rope_dim);
        turn(out, adjacent ? 2 * i : i, adjacent ? 2 * i + 1 : i + spec->rope_dim / 2, angle);
    }
}

/* What the order is for: attention scores of the file's adjacent pairs are those of half-split heads. */
static void test_rotation(void **state) {
    (void)state;
    for (uint32_t rope_dim = 10; rope_dim <= 24; rope_dim += 14) {
        sample s;
        dun_spec spec = variant(4, rope_dim, true);
        sample_open(&s, &spec, DUN_QUANT_F32);
        const dun_gguf *file = s.file;
        float canonical[2][24 * 64], stored[2][24 * 64];
        double input[2][64], score[2] = {0, 0}, out[2][24];
        for (uint64_t i = 0; i < 128; i++)
            input[i / 64][i % 64] = dun_random_normal(3, DUN_STREAM_TEST, i);
        for (int k = 0; k < 2; k++) { /* head 2 of layer 1 */
            const dun_gguf_tensor *tensor =
                dun_gguf_find_tensor(file, k ? "blk.1.attn_k.weight" : "blk.1.attn_q.weight");
            memcpy(stored[k], tensor->data + (size_t)2 * 24 * 64 * 4, sizeof stored[k]);
            assert_int_equal(dun_weights_read(canonical[k], s.weights, k ? DUN_W_K : DUN_W_Q, 1, 2 * 24, 24),
                             DUN_OK);
        }
        assert_memory_not_equal(stored, canonical, sizeof stored);
        for (int adjacent = 0; adjacent < 2; adjacent++) {
            for (int k = 0; k < 2; k++)
                project(out[k], adjacent ? stored[k] : canonical[k], input[k], &spec, adjacent, k ? 3 : 11);
            for (int i = 0; i < 24; i++)
                score[adjacent] += out[0][i] * out[1][i];
        }
        assert_true(fabs(score[0]) > 1e-3);
        if (!(fabs(score[0] - score[1]) <= 1e-12 * fabs(score[0])))
            fail_msg("half-split %g, adjacent %g", score[0], score[1]);
        sample_free(&s);
    }
}

static void test_defaults(void **state) {
    (void)state;
    static const char *const optional[] = {"llama.attention.head_count_kv", "llama.attention.key_length",
                                           "llama.attention.value_length",  "llama.rope.dimension_count",
                                           "llama.rope.freq_base",          "llama.vocab_size",
                                           "tokenizer.ggml.tokens",         "general.name"};
    sample s;
    dun_spec spec = variant(4, 16, false);
    spec.head_dim = 16;
    spec.rope_base = 10000;
    sample_build(&s, &spec, DUN_QUANT_F32);
    for (size_t i = 0; i < sizeof optional / sizeof optional[0]; i++)
        gguf_builder_drop(&s.builder, optional[i]);
    if (sample_parse(&s) < 0)
        fail_msg("%s", dun_error_message());
    snprintf(spec.name, sizeof spec.name, "m.gguf"); /* the file's */
    assert_same_spec(dun_weights_spec(s.weights), &spec);
    sample_free(&s);
}

/* Settings that change nothing are no reason to refuse. */
static void test_unused_settings(void **state) {
    (void)state;
    sample s;
    sample_build(&s, &sample_spec, DUN_QUANT_F32);
    gguf_builder_string(&s.builder, "general.type", "model");
    gguf_builder_string(&s.builder, "llama.rope.scaling.type", "none");
    gguf_builder_f32(&s.builder, "llama.rope.scaling.factor", 1);
    gguf_builder_u32(&s.builder, "llama.expert_count", 0);
    gguf_builder_u32(&s.builder, "llama.attention.sliding_window", 0);
    gguf_builder_bool(&s.builder, "llama.attention.causal", 1);
    gguf_builder_f32(&s.builder, "qwen.logit_scale", 7);
    if (sample_parse(&s) < 0)
        fail_msg("%s", dun_error_message());
    sample_free(&s);
}

static void test_read_range(void **state) {
    (void)state;
    static const struct {
        int slot;
        uint32_t layer, first, n;
        int rc;
    } reads[] = {
        {DUN_W_Q, 0, 96, 0, DUN_OK},        {DUN_W_EMBED, 99, 299, 1, DUN_OK},
        {DUN_W_Q, 0, 96, 1, DUN_FAILED},    {DUN_W_Q, 0, 95, 2, DUN_FAILED},
        {DUN_W_Q, 0, 97, 0, DUN_FAILED},    {DUN_W_Q, 0, 1, UINT32_MAX, DUN_FAILED},
        {DUN_W_Q, 2, 0, 1, DUN_FAILED},     {DUN_W_EMBED, 0, 300, 1, DUN_FAILED},
        {DUN_N_SLOTS, 0, 0, 1, DUN_FAILED}, {DUN_W_Q_BIAS, 0, 0, 1, DUN_FAILED},
    };
    sample s;
    float row[64];
    sample_open(&s, &sample_spec, DUN_QUANT_Q8_0);
    for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++)
        assert_int_equal(dun_weights_read(row, s.weights, (enum dun_slot)reads[i].slot, reads[i].layer,
                                          reads[i].first, reads[i].n),
                         reads[i].rc);
    sample_free(&s);
}

static uint64_t hash_of(sample *s) {
    assert_int_equal(sample_parse(s), DUN_OK);
    uint64_t hash = dun_weights_hash(s->weights);
    sample_close(s);
    return hash;
}

/* What a source hands out raw, decoded row by row, is what it reads, for every format and slot. */
static void test_raw(void **state) {
    (void)state;
    static const uint32_t types[] = {DUN_QUANT_F32,  DUN_QUANT_F16,  DUN_QUANT_BF16,
                                     DUN_QUANT_Q4_0, DUN_QUANT_Q4_1, DUN_QUANT_Q5_0,
                                     DUN_QUANT_Q5_1, DUN_QUANT_Q8_0, DUN_QUANT_IQ4_NL};
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        sample s;
        float rows[300 * 128], row[128];
        sample_open(&s, &sample_spec, types[t]);
        for (enum dun_slot slot = 0; slot < DUN_N_SLOTS; slot++)
            for (uint32_t layer = 0; layer < (dun_slot_table[slot].per_layer ? 2 : 1); layer++) {
                if (!dun_spec_has(&sample_spec, slot))
                    continue;
                dun_raw_rows raw;
                assert_int_equal(dun_weights_raw(&raw, s.weights, slot, layer), DUN_OK);
                bool vector = dun_slot_table[slot].columns == DUN_SIZE_ONE;
                assert_int_equal(raw.type->id, vector ? DUN_QUANT_F32 : types[t]);
                assert_int_equal(raw.pair_head, slot == DUN_W_Q || slot == DUN_W_K ? 24 : 0);
                assert_int_equal(dun_weights_read(rows, s.weights, slot, layer, 0, raw.rows), DUN_OK);
                for (uint32_t i = 0; i < raw.rows; i++) {
                    uint32_t stored = raw.pair_head ? permuted(&sample_spec, i) : i;
                    assert_int_equal(dun_raw_row(&raw, i), stored);
                    dun_quant_to_f32(row, raw.type->id, raw.bytes + stored * raw.row_bytes, raw.columns);
                    assert_memory_equal(rows + (size_t)i * raw.columns, row, raw.columns * sizeof *row);
                }
            }
        sample_free(&s);
    }
}

static void test_hash(void **state) {
    (void)state;
    sample s;
    sample_build(&s, &sample_spec, DUN_QUANT_Q8_0);
    uint64_t hash = hash_of(&s);
    assert_true(hash == hash_of(&s));
    uint8_t *small = gguf_builder_data_of(&s.builder, "blk.1.ffn_norm.weight");
    small[77] ^= 1;
    assert_true(hash != hash_of(&s));
    small[77] ^= 1;
    uint8_t *large = gguf_builder_data_of(&s.builder, "token_embd.weight");
    size_t last = 300 * 64 / 32 * 34 - 1;
    large[last] ^= 1;
    assert_true(hash != hash_of(&s));
    large[last] ^= 1;
    assert_true(hash == hash_of(&s));
    gguf_builder_string(&s.builder, "general.name", "simple");
    assert_true(hash != hash_of(&s));
    sample_free(&s);
}

/* The same seed gives the same file; the file on disk is what the builder holds. */
static void test_tiny_file(void **state) {
    (void)state;
    const char *path = BINARY_DIR "/test_weights.gguf";
    sample s;
    dun_model_file *model = NULL;
    sample_open(&s, &sample_spec, DUN_QUANT_Q8_0);
    assert_int_equal(gguf_builder_tiny_llama(path, &sample_spec, DUN_QUANT_Q8_0, 1), DUN_OK);
    assert_int_equal(dun_model_file_open(&model, path, DUN_MODEL_WEIGHTS), DUN_OK);
    assert_true(dun_model_file_fingerprint(model) == dun_weights_hash(s.weights));
    dun_model_file_free(model);
    assert_int_equal(gguf_builder_tiny_llama(path, &sample_spec, DUN_QUANT_Q8_0, 2), DUN_OK);
    assert_int_equal(dun_model_file_open(&model, path, DUN_MODEL_WEIGHTS), DUN_OK);
    assert_true(dun_model_file_fingerprint(model) != dun_weights_hash(s.weights));
    dun_model_file_free(model);
    unlink(path);
    dun_weights_free(NULL);
    sample_free(&s);
}

static void test_no_memory(void **state) {
    (void)state;
    sample s;
    sample_build(&s, &sample_spec, DUN_QUANT_F32);
    assert_int_equal(sample_parse(&s), DUN_OK);
    sample_close(&s);
    size_t live = dun_mem_live();
    unsigned long n = 1;
    for (int rc = DUN_FAILED; rc < 0; n++) {
        dun_fault_set(n);
        rc = sample_read(&s, s.bytes.bytes, s.bytes.length);
        dun_fault_set(0);
        if (rc < 0)
            sample_close(&s);
        assert_true(rc == DUN_OK || rc == DUN_FAILED);
        assert_true(rc == DUN_OK || dun_mem_live() == live);
    }
    assert_true(n > 8);
    sample_free(&s);
}

/* Values as transformers reads the same file. */
static void test_real_model(void **state) {
    (void)state;
    const char *path = SOURCE_DIR "/models/SmolLM2-135M-Instruct.Q4_1.gguf";
    static const struct {
        uint32_t row;
        float start[3];
    } rows[] = {
        {0, {-0.032501220703125f, -0.0943603515625f, 0.27679443359375f}},
        {1, {-0.20379638671875f, 0.043548583984375f, 0.38983154296875f}},
        {32, {-0.0379638671875f, 0.19580078125f, 0.102294921875f}},
        {63, {0.155181884765625f, -0.5078125f, 0.33599853515625f}},
        {575, {0.0013427734375f, -0.131500244140625f, 0.0677642822265625f}},
    };
    const dun_spec wanted = {.architecture = "llama",
                             .name = "Smollm2 135M 8k Lc100K Mix1 Ep2",
                             .n_layers = 30,
                             .width = 576,
                             .n_heads = 9,
                             .n_kv_heads = 3,
                             .head_dim = 64,
                             .ffn_width = 1536,
                             .vocab = 49152,
                             .context = 8192,
                             .rope_dim = 64,
                             .rope_base = 100000,
                             .norm_eps = 1e-5f,
                             .tied_head = true};
    dun_model_file *model = NULL;
    float row[576];
    if (access(path, R_OK) != 0)
        skip();
    assert_int_equal(dun_model_file_open(&model, path, DUN_MODEL_WEIGHTS), DUN_OK);
    assert_same_spec(dun_model_file_spec(model), &wanted);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(dun_model_file_read(row, model, DUN_W_Q, 7, rows[i].row, 1), DUN_OK);
        assert_memory_equal(row, rows[i].start, sizeof rows[i].start);
    }
    dun_model_file_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slots),      cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_defaults),   cmocka_unit_test(test_unused_settings),
        cmocka_unit_test(test_read_range), cmocka_unit_test(test_raw),
        cmocka_unit_test(test_hash),       cmocka_unit_test(test_tiny_file),
        cmocka_unit_test(test_no_memory),  cmocka_unit_test(test_real_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
