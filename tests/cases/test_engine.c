/* The engine end to end on small random models: points and prompt gradients against the same model as plain
 * double loops over whole sequences; and what must hold whatever the numbers: a text's point does not depend
 * on its neighbours, on their order, or on when its keys and values were cached. */
#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/rng.h"
#include "dev/kernel_text.h"
#include "device_check.h"
#include "engine_scene.h"

#include <math.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

static dun_device *device;
static dun_compute computes[N_MODELS]; /* one a model: they differ in head_dim */
static dun_random_model weights[N_MODELS];
static double prompt[P * MAX_WIDTH];
static double worst_point, worst_gradient;

/* Texts 3 and 4 come first and 0 to 2 later, with unused rows before, between and behind. */
static void prepare(scene *s, dun_compute *compute, int model, const dun_point_spec *point, bool backward) {
    check_ok(scene_create(s, compute, &weights[model], prompt, point, backward));
    check_ok(scene_spoil(s));
    check_ok(scene_cache(s, 3, 5, 2));
    check_ok(scene_cache(s, 0, 3, 25));
}

static const struct {
    int model;
    dun_point_spec point;
} cases[] = {
    {0, {.n_blocks = 3, .final_norm = true}},
    {0, {.n_blocks = 3, .final_norm = true, .logits = true}},
    {0, {.n_blocks = 3}},
    {0, {.n_blocks = 2}},
    {0, {.n_blocks = 1, .final_norm = true}},
    {0, {.n_blocks = 2, .logits = true}},
    {1, {.n_blocks = 2, .final_norm = true}},
    {1, {.n_blocks = 2, .final_norm = true, .logits = true}},
    {1, {.n_blocks = 1}},
    {2, {.n_blocks = 2, .final_norm = true}},
    {2, {.n_blocks = 1, .final_norm = true, .logits = true}},
    {3, {.n_blocks = 3, .final_norm = true}},
    {3, {.n_blocks = 2}},
    {3, {.n_blocks = 1, .final_norm = true, .logits = true}},
    {0, {.n_blocks = 3, .final_norm = true, .mean = true}},
    {1, {.n_blocks = 1, .mean = true}},
    {3, {.n_blocks = 2, .final_norm = true, .logits = true, .mean = true}},
    {0, {.n_blocks = 3, .final_norm = true, .n_earlier = 2, .earlier = {1, 2}}},
    {0, {.n_blocks = 3, .final_norm = true, .n_earlier = 2, .earlier = {2, 3}}}, /* the last block with the
                                                                                    final norm and without */
    {1, {.n_blocks = 2, .n_earlier = 1, .earlier = {1}}},
    {3, {.n_blocks = 3, .final_norm = true, .n_earlier = 2, .earlier = {1, 3}}},
    {0, {.n_blocks = 3, .final_norm = true, .mean = true, .n_earlier = 2, .earlier = {1, 3}}},
};

static void check_case(dun_compute *compute, size_t i) {
    scene s;
    float d_prompt[MAX_P * MAX_WIDTH];
    prepare(&s, compute, cases[i].model, &cases[i].point, true);
    assert_int_equal(dun_engine_point_width(&s.engine), s.width);
    check_ok(scene_points(&s, scene_in_order, N_SEQUENCES));
    worst_point = fmax(worst_point, scene_compare_points(&s));
    check_ok(scene_backward(d_prompt, &s, scene_in_order, N_SEQUENCES));
    worst_gradient = fmax(worst_gradient, scene_compare_gradient(&s, d_prompt));
    scene_free(&s);
    /* an engine without room for gradients gives the same points */
    prepare(&s, compute, cases[i].model, &cases[i].point, false);
    check_ok(scene_points(&s, scene_in_order, N_SEQUENCES));
    worst_point = fmax(worst_point, scene_compare_points(&s));
    scene_free(&s);
}

static void test_reference(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_case(&computes[cases[i].model], i);
    print_message("points off by at most %.2g, gradients by %.2g\n", worst_point, worst_gradient);
}

/* Cut as for a GPU, with work-groups of many items. */
static void test_groups(void **state) {
    dun_compute other;
    dun_tiles tiles = check_tiles_as(device, DUN_DEVICE_GPU, 1, scene_models[0].head_dim);
    (void)state;
    check_ok(check_compute_create(&other, device, &tiles, dun_kernel_text(), "local"));
    check_case(&other, 1);
    dun_compute_free(&other);
}

/* A table and a head larger than the device's largest buffer are loaded in parts, whose rows are the model's.
 * The device's description is changed for a moment, the device behind it is not. */
static void test_loaded_parts(void **state) {
    enum { VOCAB = 500, LARGEST = 17000 }; /* the table: 132 rows of 32 floats; the head: 128 */
    static float got[VOCAB * MAX_WIDTH], want[VOCAB * MAX_WIDTH];
    dun_device_info *info = (dun_device_info *)(uintptr_t)dun_device_describe(device);
    uint64_t kept = info->largest_buffer_bytes;
    dun_spec spec = scene_models[0];
    const dun_point_spec point = {.n_blocks = spec.n_layers, .final_norm = true, .logits = true};
    dun_compute naive;
    dun_model model;
    dun_random_model random;
    (void)state;
    spec.vocab = VOCAB;
    check_ok(dun_random_model_create(&random, &spec, 5));
    check_ok(dun_compute_create(&naive, device, spec.head_dim, "naive")); /* keeps weights as they are */
    const dun_weight_source source = dun_random_model_source(&random);
    info->largest_buffer_bytes = LARGEST;
    int rc = dun_model_create(&model, &naive, &spec, &source, &point, DUN_FORM_F32, false, NULL);
    info->largest_buffer_bytes = kept;
    check_ok(rc);
    assert_int_equal(model.embedding.n_parts, 4);
    assert_int_equal(model.once.matrix[DUN_MAT_HEAD].n_parts, 4);
    for (int head = 0; head < 2; head++) {
        float *at = got;
        for (size_t i = 0; i < 4; i++) {
            const dun_buffer *part =
                head ? &model.once.matrix[DUN_MAT_HEAD].parts[i].forward : &model.embedding.parts[i].buffer;
            check_ok(dun_buffer_read(at, part, 0, part->bytes));
            at += part->bytes / sizeof *at;
        }
        assert_int_equal(at - got, VOCAB * spec.width);
        check_ok(source.read(want, source.self, head ? DUN_W_HEAD : DUN_W_EMBED, 0, 0, VOCAB));
        assert_memory_equal(got, want, VOCAB * spec.width * sizeof *got);
    }
    dun_model_free(&model);
    dun_compute_free(&naive);
    dun_random_model_free(&random);
}

/* Points with the table in parts of 20 rows. */
static void test_table_parts(void **state) {
    enum { PART_ROWS = 20, PARTS = 3 };
    scene s;
    const dun_point_spec point = {.n_blocks = 3, .final_norm = true};
    size_t row = scene_models[0].width * sizeof(float), rows = scene_models[0].vocab;
    (void)state;
    check_ok(scene_create(&s, &computes[0], &weights[0], prompt, &point, false));
    check_ok(scene_spoil(&s));
    dun_table_parts *table = &s.engine.model.embedding, whole = *table;
    assert_int_equal(whole.n_parts, 1);
    *table = (dun_table_parts){.parts = dun_calloc(PARTS, sizeof(dun_stored_rows)), .part_rows = PART_ROWS};
    assert_non_null(table->parts);
    for (size_t i = 0; i < PARTS; i++) {
        size_t n = rows - i * PART_ROWS < PART_ROWS ? rows - i * PART_ROWS : PART_ROWS;
        check_ok(dun_buffer_create(&table->parts[table->n_parts++].buffer, device, n * row, "a part"));
        check_ok(dun_buffer_copy(&table->parts[i].buffer, 0, &whole.parts[0].buffer, i * PART_ROWS * row,
                                 n * row));
    }
    dun_stored_rows_free(&whole.parts[0]);
    dun_free(whole.parts);
    check_ok(scene_cache(&s, 3, 5, 2));
    check_ok(scene_cache(&s, 0, 3, 25));
    check_ok(scene_points(&s, scene_in_order, N_SEQUENCES));
    worst_point = fmax(worst_point, scene_compare_points(&s));
    scene_free(&s);
}

static void test_providers(void **state) {
    (void)state;
    dun_compute all; /* with the local tile */
    dun_tiles tiles = dun_tiles_default(dun_device_describe(device), scene_models[0].head_dim);
    check_ok(check_compute_create(&all, device, &tiles, dun_kernel_text(), "naive"));
    for (const char *const *name = dun_gemm_provider_names; *name; name++) {
        dun_compute other = all;
        check_ok(dun_gemm_create(&other.gemm, device, other.programs, &other.tiles, *name));
        check_case(&other, 1);
        dun_gemm_free(other.gemm);
    }
    dun_compute_free(&all);
}

/* Rows of our own products do not feel their neighbours; CLBlast may take another way for another size. */
static void expect_same(const scene *s, const scene *other, const char *what) {
    bool bits = strcmp(dun_gemm_name(s->engine.compute->gemm), "clblast") != 0;
    for (int q = 0; q < N_SEQUENCES; q++) {
        double a[MAX_WIDTH], b[MAX_WIDTH];
        for (uint32_t j = 0; j < s->width; j++) {
            a[j] = s->points[q][j];
            b[j] = other->points[q][j];
        }
        double error = dun_check_relative_error(a, b, s->width);
        if (!(error <= (bits ? 0.0 : 1e-6)))
            fail_msg("%s: the point of sequence %d moves by %.3g", what, q, error);
    }
}

static void test_packing(void **state) {
    static const int shuffled[N_SEQUENCES] = {4, 6, 0, 3, 5, 1, 2}, rows[N_TEXTS] = {30, 25, 24, 1, 16};
    scene packed, s;
    dun_point_spec point = {.n_blocks = 3, .final_norm = true};
    (void)state;
    prepare(&packed, &computes[0], 0, &point, false);
    check_ok(scene_points(&packed, scene_in_order, N_SEQUENCES));
    prepare(&s, &computes[0], 0, &point, false);
    for (int q = 0; q < N_SEQUENCES; q++)
        check_ok(scene_points(&s, &q, 1));
    expect_same(&packed, &s, "one at a time");
    memset(s.points, 0xFF, sizeof s.points);
    check_ok(scene_points(&s, shuffled, N_SEQUENCES));
    expect_same(&packed, &s, "in another order");
    check_ok(scene_spoil(&s));
    memset(s.points, 0xFF, sizeof s.points);
    for (int t = 0; t < N_TEXTS; t++)
        check_ok(scene_cache(&s, t, t + 1, rows[t]));
    check_ok(scene_points(&s, shuffled, N_SEQUENCES));
    expect_same(&packed, &s, "with texts cached one at a time");
    scene_free(&s);
    scene_free(&packed);
}

/* Gradients are sums over sequences: that of a batch is the sum of those of its parts. */
static void test_gradient_sums(void **state) {
    scene s;
    dun_point_spec point = {.n_blocks = 3, .final_norm = true};
    float all[MAX_P * MAX_WIDTH], part[MAX_P * MAX_WIDTH];
    double sum[MAX_P * MAX_WIDTH] = {0}, whole[MAX_P * MAX_WIDTH];
    int n = (int)(MAX_P * scene_models[0].width);
    (void)state;
    prepare(&s, &computes[0], 0, &point, true);
    check_ok(scene_points(&s, scene_in_order, N_SEQUENCES));
    check_ok(scene_backward(all, &s, scene_in_order, N_SEQUENCES));
    for (int q = 0; q < N_SEQUENCES; q++) {
        check_ok(scene_points(&s, &q, 1));
        check_ok(scene_backward(part, &s, &q, 1));
        for (int i = 0; i < n; i++)
            sum[i] += part[i];
    }
    for (int i = 0; i < n; i++)
        whole[i] = all[i];
    double error = dun_check_relative_error(whole, sum, (size_t)n);
    if (!(error <= 1e-6))
        fail_msg("off by %.3g", error);
    scene_free(&s);
}

/* The same calls give the same bits, and no step takes memory. */
static void test_repeat(void **state) {
    scene s;
    dun_point_spec point = {.n_blocks = 3, .final_norm = true, .logits = true};
    float first[MAX_P * MAX_WIDTH], again[MAX_P * MAX_WIDTH], points[N_SEQUENCES][MAX_WIDTH];
    size_t bytes = MAX_P * scene_models[0].width * sizeof *first;
    (void)state;
    prepare(&s, &computes[0], 0, &point, true);
    check_ok(scene_points(&s, scene_in_order, N_SEQUENCES));
    check_ok(scene_backward(first, &s, scene_in_order, N_SEQUENCES));
    memcpy(points, s.points, sizeof points);
    uint64_t live = dun_buffer_live_bytes(), peak = dun_buffer_peak_bytes();
    size_t objects = dun_device_live_objects(), blocks = dun_mem_live();
    for (int i = 0; i < 3; i++) {
        check_ok(scene_points(&s, scene_in_order, N_SEQUENCES));
        assert_memory_equal(points, s.points, sizeof points);
        check_ok(scene_backward(again, &s, scene_in_order, N_SEQUENCES));
        assert_memory_equal(first, again, bytes);
    }
    assert_int_equal(dun_buffer_live_bytes(), live);
    assert_int_equal(dun_buffer_peak_bytes(), peak);
    assert_int_equal(dun_device_live_objects(), objects);
    assert_int_equal(dun_mem_live(), blocks);
    scene_free(&s);
}

static void test_sizes(void **state) {
    scene s;
    dun_point_spec point = {.n_blocks = 2, .final_norm = true};
    (void)state;
    assert_int_equal(dun_engine_cache_bytes_per_row(&scene_models[0], &point),
                     2 * (2 * 2 * 8) * sizeof(float));
    uint64_t live = dun_buffer_live_bytes();
    check_ok(scene_create(&s, &computes[0], &weights[0], prompt, &point, false));
    assert_int_equal(s.engine.model.n_layers, 2); /* the third is not needed */
    assert_true(dun_model_bytes(&s.engine.model) < dun_buffer_live_bytes() - live);
    check_ok(dun_engine_create_cache(&s.engine, 4)); /* replaces the first */
    assert_int_equal(s.engine.cache_rows, 4);
    assert_int_equal(s.engine.cache[0].bytes, 4 * (2 * 2 * 8) * sizeof(float));
    scene_free(&s);
    assert_int_equal(dun_buffer_live_bytes(), live);
    scene_free(&s);
}

/* A reader that fails: its status comes through, nothing stays. */
static int refuse(float *out, const void *self, enum dun_slot slot, uint32_t layer, uint32_t first_row,
                  uint32_t n_rows) {
    (void)self, (void)first_row;
    for (uint32_t i = 0; i < n_rows; i++)
        out[i] = 0.0f;
    return slot == DUN_W_DOWN && layer == 1 ? dun_error(DUN_BAD_INPUT, "the file ends here") : DUN_OK;
}

static void test_bad_source(void **state) {
    dun_engine engine;
    dun_weight_source source = {.read = refuse};
    dun_engine_options options = {.point = {.n_blocks = 2, .final_norm = true},
                                  .max_text_rows = 1,
                                  .max_texts = 1,
                                  .max_rows = 1,
                                  .max_sequences = 1,
                                  .max_prompt = 1,
                                  .max_position = 2};
    size_t blocks = dun_mem_live(), objects = dun_device_live_objects();
    (void)state;
    assert_int_equal(dun_engine_create(&engine, &computes[0], &scene_models[0], &source, &options),
                     DUN_BAD_INPUT);
    assert_string_equal(dun_error_message(), "the file ends here");
    assert_int_equal(dun_mem_live(), blocks);
    assert_int_equal(dun_device_live_objects(), objects);
}

/* Creation, texts, points and gradient of a one-block model, with the n-th fallible operation failing. */
static int whole_run(void) {
    int rc = DUN_OK;
    scene s = {0};
    float d_prompt[MAX_P * MAX_WIDTH];
    TRY(scene_create(&s, &computes[0], &weights[0], prompt,
                     &(dun_point_spec){.n_blocks = 1, .final_norm = true}, true));
    TRY(scene_cache(&s, 0, N_TEXTS, 0));
    TRY(scene_points(&s, scene_in_order, N_SEQUENCES));
    TRY(scene_backward(d_prompt, &s, scene_in_order, N_SEQUENCES));
out:
    scene_free(&s);
    return rc;
}

static void test_faults(void **state) {
    size_t blocks = dun_mem_live(), objects = dun_device_live_objects();
    unsigned long n = 0;
    int rc;
    (void)state;
    do {
        dun_error_clear();
        dun_fault_set(++n);
        rc = whole_run();
        dun_fault_set(0);
        if (rc != DUN_OK && !dun_error_message()[0])
            fail_msg("operation %lu fails without a message", n);
        if (dun_mem_live() != blocks || dun_device_live_objects() != objects)
            fail_msg("operation %lu: something stays behind after: %s", n, dun_error_message());
    } while (rc != DUN_OK && n < 5000);
    print_message("%lu fallible operations\n", n - 1);
    assert_true(n > 100 && n < 5000);
}

static int open_all(void **state) {
    (void)state;
    device = check_open_device();
    for (int i = 0; i < N_MODELS; i++) {
        check_ok(dun_compute_create(&computes[i], device, scene_models[i].head_dim, "auto"));
        check_ok(dun_random_model_create(&weights[i], &scene_models[i], (uint64_t)(20 + i)));
    }
    for (size_t i = 0; i < sizeof prompt / sizeof *prompt; i++)
        prompt[i] = (float)dun_random_normal(9, DUN_STREAM_TEST, i);
    return 0;
}

static int close_all(void **state) {
    (void)state;
    for (int i = 0; i < N_MODELS; i++) {
        dun_random_model_free(&weights[i]);
        dun_compute_free(&computes[i]);
    }
    return check_close_device(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference),     cmocka_unit_test(test_groups),
        cmocka_unit_test(test_loaded_parts),  cmocka_unit_test(test_table_parts),
        cmocka_unit_test(test_providers),     cmocka_unit_test(test_packing),
        cmocka_unit_test(test_gradient_sums), cmocka_unit_test(test_repeat),
        cmocka_unit_test(test_sizes),         cmocka_unit_test(test_bad_source),
        cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
