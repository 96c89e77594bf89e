/* Every architecture of archs.def, and what files of it may say besides, on small random models: points and
 * gradients of the engine, as cut for this device and as cut for a GPU, against the same model as plain
 * double loops. No files. */
#include "base/err.h"
#include "base/rng.h"
#include "dev/kernel_text.h"
#include "device_check.h"
#include "engine_scene.h"

#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { HEAD_DIM = 8, WINDOW = DUN_LAYER_WINDOW, STILL = DUN_LAYER_STILL };

/* What a row says beyond its architecture; zeros are as in `fill`. */
typedef struct {
    const char *architecture, *also;
    enum dun_slot has[3]; /* optional slots, 0: none (every file has that one) */
    dun_spec spec;
    bool sequential;
} row;

static const row rows[] = {
    {.architecture = "llama"},
    {.architecture = "llama",
     .also = "biases, scaled turns",
     .has = {DUN_W_Q_BIAS, DUN_W_O_BIAS, DUN_W_UP_BIAS},
     .spec = {.rope = {.magnitude = 1.2f, .divisor = {1, 2.5f, 4, 8}}}},
    {.architecture = "llama", .also = "a window", .spec = {.window = 4, .layers = {WINDOW, WINDOW, WINDOW}}},
    {.architecture = "qwen2", .has = {DUN_W_HEAD_BIAS}},
    {.architecture = "qwen3", .spec = {.width = 36}},
    {.architecture = "gemma", .spec = {.n_kv_heads = 1}},
    {.architecture = "gemma2",
     .spec = {.attention_scale = 0.3f,
              .attention_cap = 1.5f,
              .logit_cap = 2,
              .window = 6,
              .layers = {WINDOW, 0, WINDOW}}},
    {.architecture = "gemma3",
     .spec = {.window = 5,
              .rope_base = 1000000,
              .rope_base_window = 100,
              .rope = {.divisor = {8, 8, 8, 8}},
              .layers = {WINDOW, WINDOW, 0}}},
    {.architecture = "gpt2"},
    {.architecture = "phi2", .spec = {.rope_dim = 4}},
    {.architecture = "phi3",
     .also = "long texts",
     .spec = {.rope_dim = 6,
              .rope = {.magnitude = 1.1f,
                       .long_from = 10,
                       .divisor = {1, 1.25f, 1.5f},
                       .long_divisor = {2, 3.5f, 9}}}},
    {.architecture = "gptneox", .spec = {.rope_dim = 2}},
    {.architecture = "gptneox", .also = "sequential", .sequential = true},
    {.architecture = "stablelm", .has = {DUN_W_FFN_NORM, DUN_W_Q_BIAS}, .spec = {.rope_dim = 2}},
    {.architecture = "stablelm", .also = "norms of heads", .has = {DUN_W_Q_NORM}, .spec = {.rope_dim = 4}},
    {.architecture = "falcon", .spec = {.n_kv_heads = 1}},
    {.architecture = "falcon", .also = "two norms", .has = {DUN_W_FFN_NORM}},
    {.architecture = "starcoder2"},
    {.architecture = "olmo2"},
    {.architecture = "granite",
     .spec = {.attention_scale = 0.5f, .embedding_scale = 3, .residual_scale = 0.6f, .logit_scale = 2}},
    {.architecture = "smollm3", .spec = {.layers = {0, STILL, 0}}},
    {.architecture = "bloom", .spec = {.n_heads = 6, .n_kv_heads = 6, .alibi_bias = 8}},
    {.architecture = "opt", .spec = {.position_offset = 2}},
};
enum { N_ROWS = sizeof rows / sizeof *rows };

static dun_device *device;
static dun_compute computes[2]; /* as cut for this device, for a GPU */
static double prompt[P * MAX_WIDTH];

static bool has_slot(const void *self, enum dun_slot slot) {
    const row *r = self;
    return slot == r->has[0] || slot == r->has[1] || slot == r->has[2];
}

static uint32_t either(uint32_t value, uint32_t usual) {
    return value ? value : usual;
}

static void fill(dun_spec *spec, const row *r) {
    const dun_arch *arch = dun_arch_table;
    while (strcmp(arch->name, r->architecture) != 0)
        arch++;
    *spec = r->spec;
    spec->traits = dun_arch_traits(arch, has_slot, r);
    if (r->sequential)
        spec->traits.residual = DUN_RESIDUAL_SEQUENTIAL;
    snprintf(spec->architecture, sizeof spec->architecture, "%s%s%s", r->architecture, r->also ? ", " : "",
             r->also ? r->also : "");
    spec->n_layers = 3;
    spec->width = either(spec->width, 32);
    spec->n_heads = either(spec->n_heads, 4);
    spec->n_kv_heads = either(spec->n_kv_heads, 2);
    spec->head_dim = HEAD_DIM;
    spec->ffn_width = 43;
    spec->vocab = 45;
    spec->context = MAX_TEXT + MAX_OWN;
    spec->rope_dim = either(spec->rope_dim, HEAD_DIM);
    spec->rope_base = spec->rope_base > 0 ? spec->rope_base : 1000;
    spec->norm_eps = 1e-5f;
}

static void check_point(dun_compute *compute, const dun_random_model *weights, const dun_point_spec *point) {
    scene s;
    float d_prompt[MAX_P * MAX_WIDTH];
    check_ok(scene_create(&s, compute, weights, prompt, point, true));
    check_ok(scene_spoil(&s));
    check_ok(scene_cache(&s, 3, 5, 2));
    check_ok(scene_cache(&s, 0, 3, 25));
    check_ok(scene_points(&s, scene_in_order, N_SEQUENCES));
    double off = scene_compare_points(&s);
    check_ok(scene_backward(d_prompt, &s, scene_in_order, N_SEQUENCES));
    double gradient = scene_compare_gradient(&s, d_prompt);
    print_message("%u blocks%s: points off by %.1e, gradients by %.1e\n", point->n_blocks,
                  point->logits ? ", logits" : "", off, gradient);
    scene_free(&s);
}

static void test_row(void **state) {
    static const dun_point_spec points[] = {{.n_blocks = 3, .final_norm = true, .logits = true},
                                            {.n_blocks = 3, .final_norm = true},
                                            {.n_blocks = 2},
                                            {.n_blocks = 1, .final_norm = true, .logits = true}};
    const row *r = *state;
    dun_spec spec;
    dun_random_model weights;
    fill(&spec, r);
    print_message("%s\n", spec.architecture);
    check_ok(dun_random_model_create(&weights, &spec, (uint64_t)(r - rows)));
    for (size_t i = 0; i < sizeof points / sizeof *points; i++)
        check_point(&computes[0], &weights, &points[i]);
    check_point(&computes[1], &weights, &points[0]);
    dun_random_model_free(&weights);
}

/* Every architecture has a row above, and each trait a row that has another value than a plain Llama. */
static void test_all(void **state) {
    dun_traits met = {0};
    (void)state;
    for (const dun_arch *arch = dun_arch_table; arch->name; arch++) {
        size_t n = 0;
        for (size_t i = 0; i < N_ROWS; i++)
            n += strcmp(rows[i].architecture, arch->name) == 0;
        if (n == 0)
            fail_msg("no row for %s", arch->name);
    }
    for (size_t i = 0; i < N_ROWS; i++) {
        dun_spec spec;
        fill(&spec, &rows[i]);
#define VALUE(name)
#define TRAIT(name, values) met.name |= spec.traits.name;
#include "model/traits.def"
#undef TRAIT
    }
#define TRAIT(name, values) assert_true(met.name > 0);
#include "model/traits.def"
#undef TRAIT
#undef VALUE
}

/* More positions than a table of them has are refused. */
static void test_too_long(void **state) {
    scene s;
    dun_spec spec;
    dun_random_model weights;
    (void)state;
    size_t i = 0;
    while (strcmp(rows[i].architecture, "gpt2") != 0)
        i++;
    fill(&spec, &rows[i]);
    spec.context--;
    check_ok(dun_random_model_create(&weights, &spec, 1));
    const dun_point_spec point = {.n_blocks = 3, .final_norm = true};
    assert_int_equal(scene_create(&s, &computes[0], &weights, prompt, &point, true), DUN_BAD_INPUT);
    assert_non_null(strstr(dun_error_message(), "has 16 positions"));
    dun_random_model_free(&weights);
}

static int open_all(void **state) {
    (void)state;
    device = check_open_device();
    dun_tiles tiles = check_tiles_as(device, DUN_DEVICE_GPU, 1, HEAD_DIM);
    check_ok(dun_compute_create(&computes[0], device, HEAD_DIM, "auto"));
    check_ok(check_compute_create(&computes[1], device, &tiles, dun_kernel_text(), "local"));
    for (size_t i = 0; i < sizeof prompt / sizeof *prompt; i++)
        prompt[i] = (float)dun_random_normal(9, DUN_STREAM_TEST, i);
    return 0;
}

static int close_all(void **state) {
    (void)state;
    dun_compute_free(&computes[0]);
    dun_compute_free(&computes[1]);
    return check_close_device(device);
}

int main(void) {
    struct CMUnitTest tests[N_ROWS + 2] = {cmocka_unit_test(test_all), cmocka_unit_test(test_too_long)};
    for (size_t i = 0; i < N_ROWS; i++)
        tests[i + 2] =
            (struct CMUnitTest){rows[i].architecture, test_row, NULL, NULL, (void *)(uintptr_t)&rows[i]};
    return cmocka_run_group_tests(tests, open_all, close_all);
}
