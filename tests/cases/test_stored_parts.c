/* A matrix of two slots, in the form of its file, that no one buffer of the device holds: it is loaded in
 * parts, one of which has rows of both slots, and its products are those of the matrix in one piece. The
 * device's description is changed for a moment, the device behind it is not. */
#include "base/err.h"
#include "base/rng.h"
#include "check/check.h"
#include "check/random_model.h"
#include "device_check.h"

#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

/* Parts are of 128 rows: the third has 44 of the gates' and 84 of the ups'. */
enum { WIDTH = 32, FFN = 300, ROWS = 2 * FFN, LARGEST = 128 * 128 * sizeof(float), PARTS = 5, M = 21 };

static const dun_spec spec = {.n_layers = 1,
                              .width = WIDTH,
                              .n_heads = 4,
                              .n_kv_heads = 2,
                              .head_dim = 8,
                              .ffn_width = FFN,
                              .vocab = 50,
                              .rope_dim = 8,
                              .rope_base = 10000.0f,
                              .norm_eps = 1e-5f};

/* The random model as a file has it, in 32-bit floats. */
typedef struct {
    dun_random_model random;
    float slots[DUN_N_SLOTS][FFN * WIDTH];
} filed_model;

static int read_rows(float *out, const void *self, enum dun_slot slot, uint32_t layer, uint32_t first,
                     uint32_t n) {
    const dun_weight_source from = dun_random_model_source(&((const filed_model *)self)->random);
    return from.read(out, from.self, slot, layer, first, n);
}

static int raw_rows(dun_raw_rows *out, const void *self, enum dun_slot slot, uint32_t layer) {
    const filed_model *m = self;
    (void)layer;
    const uint32_t columns = dun_spec_size(&spec, dun_slot_table[slot].columns);
    *out = (dun_raw_rows){.type = dun_quant_find(DUN_QUANT_F32),
                          .bytes = (const uint8_t *)m->slots[slot],
                          .row_bytes = columns * sizeof(float),
                          .rows = dun_spec_size(&spec, dun_slot_table[slot].rows),
                          .columns = columns};
    return DUN_OK;
}

static void make_model(filed_model *m) {
    check_ok(dun_random_model_create(&m->random, &spec, 7));
    for (enum dun_slot slot = 0; slot < DUN_N_SLOTS; slot++) {
        const uint32_t rows = dun_spec_size(&spec, dun_slot_table[slot].rows);
        if (dun_spec_has(&spec, slot) && m->random.slots[slot])
            check_ok(read_rows(m->slots[slot], m, slot, 0, 0, rows));
    }
}

/* Forward and backward products of the matrix, in one piece and in parts. */
static void compare(dun_device *device, dun_compute *compute, const dun_weight_source *source,
                    enum dun_weight_form form) {
    dun_device_info *info = (dun_device_info *)(uintptr_t)dun_device_describe(device);
    const uint64_t kept = info->largest_buffer_bytes;
    const dun_point_spec point = {.n_blocks = 1};
    static float x[M * ROWS], y[2][M * ROWS], dx[2][M * WIDTH];
    dun_buffer in, out;
    for (size_t i = 0; i < M * ROWS; i++)
        x[i] = (float)dun_random_normal(3, DUN_STREAM_TEST, i);
    check_ok(dun_buffer_create(&in, device, sizeof x, "x"));
    check_ok(dun_buffer_create(&out, device, sizeof x, "y"));
    check_ok(dun_buffer_write(&in, 0, x, sizeof x));
    for (int cut = 0; cut < 2; cut++) {
        dun_model model;
        info->largest_buffer_bytes = cut ? LARGEST : kept;
        int rc = dun_model_create(&model, compute, &spec, source, &point, form, true, NULL);
        info->largest_buffer_bytes = kept;
        check_ok(rc);
        const dun_matrix *w = dun_model_matrix(&model, DUN_MAT_GATE_UP, 0);
        assert_int_equal(w->n_parts, cut ? PARTS : 1);
        assert_int_equal(w->rows, ROWS);
        assert_int_equal(w->parts[cut ? 2 : 0].stored[0].rows, cut ? FFN - 256 : FFN);
        assert_int_equal(w->parts[cut ? 2 : 0].stored[1].rows, cut ? 384 - FFN : FFN);
        check_ok(dun_gemm_forward(compute->gemm, &out, 0, &in, w, NULL, NULL, M));
        check_ok(dun_buffer_read(y[cut], &out, 0, sizeof y[cut]));
        check_ok(dun_gemm_backward(compute->gemm, &out, &in, w, false, M));
        check_ok(dun_buffer_read(dx[cut], &out, 0, sizeof dx[cut]));
        dun_model_free(&model);
    }
    assert_memory_equal(y[0], y[1], sizeof y[0]);
    double whole[M * WIDTH], parts[M * WIDTH]; /* the parts' sums are added in another order */
    for (size_t i = 0; i < M * WIDTH; i++) {
        whole[i] = (double)dx[0][i];
        parts[i] = (double)dx[1][i];
    }
    assert_true(dun_check_relative_error(parts, whole, M * WIDTH) <= 1e-6);
    dun_buffer_free(&in);
    dun_buffer_free(&out);
}

static void test_two_slots(void **state) {
    (void)state;
    static filed_model m;
    dun_device *device = check_open_device();
    make_model(&m);
    const dun_weight_source source = {&m, read_rows, raw_rows};
    for (const char *const *name = dun_gemm_provider_names; *name; name++) {
        dun_compute compute;
        if (!dun_gemm_reads_stored(*name))
            continue;
        check_ok(dun_compute_create(&compute, device, 64, *name));
        compare(device, &compute, &source, DUN_FORM_STORED);
        compare(device, &compute, &source, DUN_FORM_F16);
        dun_compute_free(&compute);
    }
    dun_random_model_free(&m.random);
    (void)check_close_device(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_two_slots)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
