/* The products with frozen weights: every provider, every cut of the register tile, against loops in double;
 * and which provider is chosen, and why. */
#include "base/err.h"
#include "check/check_topics.h"
#include "check/reference_ops.h"
#include "dev/kernel_text.h"
#include "device_check.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static dun_device *device;
static dun_compute compute;

static int open_all(void **state) {
    (void)state;
    device = check_open_device();
    dun_tiles tiles = dun_tiles_default(dun_device_describe(device), 64); /* with the local tile */
    check_ok(check_compute_create(&compute, device, &tiles, dun_kernel_text(), "auto"));
    return 0;
}

static int close_all(void **state) {
    (void)state;
    dun_compute_free(&compute);
    return check_close_device(device);
}

/* Weights as they are stored, beside the same as floats unless those are rounded. */
static const dun_check_topic *stored_topic(const dun_compute *on) {
    return on->tiles.half_weights ? &dun_check_stored : &dun_check_stored_bits;
}

/* Of stored weights' cases, of which there are many times as many as of floats', every so many-th; all of
 * them with DUNLIN_TEST_WHOLE, few where products by the host are slow, or an implementation's compiler. As
 * no number of formats, kinds or batches has these factors, all of each have their turn. */
static size_t stored_stride(void) {
    enum { USUAL = 11, BRIEF = 41 };
#ifdef DUN_SANITIZED
    const bool brief = true;
#else
    const bool brief = getenv("DUNLIN_TEST_BRIEF") != NULL;
#endif
    return getenv("DUNLIN_TEST_WHOLE") ? 1 : brief ? BRIEF : USUAL;
}

static void run_stored(dun_check *c, const dun_check_topic *topic) {
    for (size_t i = 0; i < topic->n_cases; i += stored_stride())
        dun_check_run_case(c, topic->run, i);
}

static void run_cases(dun_compute *on, dun_gemm *gemm) {
    dun_check c;
    dun_check_init(&c, on);
    c.gemm = gemm;
    dun_check_run(&c, &dun_check_gemm, false);
    if (dun_gemm_reads_stored(dun_gemm_name(gemm)))
        run_stored(&c, stored_topic(on));
    dun_str tiles = {0};
    check_ok(dun_tiles_write(&tiles, &on->tiles));
    print_message("%s, %s: %zu cases, %zu comparisons, worst %.2f of its tolerance\n", dun_gemm_name(gemm),
                  tiles.bytes, c.n_cases, c.n_compared, c.worst);
    dun_str_free(&tiles);
    if (c.n_failed)
        fail_msg("%zu failed; first: %s", c.n_failed, c.message);
}

static void test_provider(void **state) {
    dun_gemm *gemm;
    check_ok(dun_gemm_create(&gemm, device, compute.programs, &compute.tiles, *state));
    assert_string_equal(dun_gemm_name(gemm), (const char *)*state);
    run_cases(&compute, gemm);
    dun_gemm_free(gemm);
}

/* Factors in parts by plain OpenCL C: some cases of each kind, as for providers. */
static void test_precision(void **state) {
    enum { STRIDE = 3 };
    dun_check c;
    dun_check_init(&c, &compute);
    check_ok(dun_gemm_create(&c.gemm, device, compute.programs, &compute.tiles, "naive"));
    check_ok(dun_gemm_set_precision(c.gemm, *state, "portable", "the test"));
    for (size_t i = 0; i < dun_check_gemm.n_cases; i += STRIDE)
        dun_check_run_case(&c, dun_check_gemm.run, i);
    run_stored(&c, &dun_check_stored_bits);
    print_message("%s: %zu cases, %zu comparisons, worst %.2f of its tolerance\n", dun_gemm_precision(c.gemm),
                  c.n_cases, c.n_compared, c.worst);
    dun_gemm_free(c.gemm);
    if (c.n_failed)
        fail_msg("%zu failed; first: %s", c.n_failed, c.message);
}

/* The register tiles of devices with narrower and wider vectors than this one. */
static void test_tiles(void **state) {
    (void)state;
    for (uint32_t width = 4; width <= 16; width *= 2) {
        dun_tiles tiles = check_tiles_as(device, DUN_DEVICE_CPU, width, 64);
        if (memcmp(&tiles, &compute.tiles, sizeof tiles) == 0)
            continue; /* compared above */
        dun_compute other;
        check_ok(check_compute_create(&other, device, &tiles, dun_kernel_text(), "reg"));
        run_cases(&other, other.gemm);
        dun_compute_free(&other);
    }
}

/* Local tiles of every shape of work: larger and smaller than the products, one item and many, tiles that the
 * items of a group do not share out evenly, vectors of each width, with padding and without, K in parts, and
 * weights stored as f16 (whose cases have weights that are f16 numbers). What a device cannot take is left
 * out. */
static void test_local_tiles(void **state) {
    (void)state;
    static const char *const sets[] = {
        "TS_M=64 TS_N=64 TS_K=16 WPT_M=8 WPT_N=4 TS_VW=4 TS_PAD=4 TS_SPLIT=8",
        "TS_M=16 TS_N=16 TS_K=8 WPT_M=2 WPT_N=2 TS_VW=2 TS_PAD=2 TS_SPLIT=4",
        "TS_M=16 TS_N=32 TS_K=32 WPT_M=1 WPT_N=4 TS_VW=1 TS_PAD=0 TS_SPLIT=2",
        "TS_M=32 TS_N=16 TS_K=8 WPT_M=8 WPT_N=16 TS_VW=4 TS_PAD=8 TS_SPLIT=1",
        "TS_M=16 TS_N=32 TS_K=16 WPT_M=4 WPT_N=4 TS_VW=4 TS_PAD=4 TS_SPLIT=8 TS_HALF=1",
    };
    dun_device_info *info = (dun_device_info *)(uintptr_t)dun_device_describe(device);
    const dun_device_info kept = *info;
    info->type = DUN_DEVICE_GPU;
    info->compute_units = 64; /* a device so large that K is cut into parts */
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        dun_tiles tiles = compute.tiles;
        dun_str fault = {0};
        dun_compute other;
        check_ok(dun_tiles_read(&tiles, sets[i], "test"));
        check_ok(dun_tiles_fault(&fault, &tiles, dun_device_describe(device)));
        if (fault.length == 0) {
            check_ok(check_compute_create(&other, device, &tiles, dun_kernel_text(), "local"));
            run_cases(&other, other.gemm);
            dun_compute_free(&other);
        }
        dun_str_free(&fault);
    }
    *info = kept;
}

/* A few products, for simulated small devices. */
static void test_small_device(void **state) {
    enum { FIRST = 100, END = 170, STRIDE = 97 }; /* 3 rows, weights up to 64 x 48; some of each format */
    dun_check c;
    dun_gemm *gemm;
    (void)state;
    check_ok(dun_gemm_create(&gemm, device, compute.programs, &compute.tiles, "local"));
    dun_check_init(&c, &compute);
    c.gemm = gemm;
    for (size_t i = FIRST; i < END; i++) {
        dun_check_gemm.run(&c, i);
        dun_check_end(&c);
    }
    dun_gemm_free(gemm);
    for (const char *const *name = dun_gemm_provider_names; *name; name++) {
        if (!dun_gemm_reads_stored(*name))
            continue;
        check_ok(dun_gemm_create(&c.gemm, device, compute.programs, &compute.tiles, *name));
        for (size_t i = 0; i < dun_check_stored.n_cases; i += STRIDE)
            dun_check_run_case(&c, dun_check_stored.run, i);
        dun_gemm_free(c.gemm);
    }
    if (c.n_failed)
        fail_msg("%s", c.message);
}

/* Sums so long that the register tile takes its panel in blocks (REG_KC in gemm_reg.cl): the last one short,
 * added to what is there or not, few rows and many. */
static void test_long_sums(void **state) {
    enum { ROWS = 9001, COLUMNS = 33 };
    static const int batches[] = {1, 13, 60};
    dun_check c;
    (void)state;
    dun_check_init(&c, &compute);
    for (size_t i = 0; i < 2 * sizeof batches / sizeof *batches; i++) {
        int M = batches[i / 2];
        bool beta = i % 2;
        dun_matrix matrix = {0};
        dun_check_begin(&c, i, "%s, sums of %d, %d rows%s", dun_gemm_name(compute.gemm), ROWS, M,
                        beta ? ", beta" : "");
        size_t n_in = (size_t)(M * ROWS), n_out = (size_t)(M * COLUMNS), n_w = (size_t)ROWS * COLUMNS;
        double *dy = dun_check_random(&c, n_in, 1.0), *w = dun_check_random(&c, n_w, 1.0);
        double *old = dun_check_random(&c, n_out, 1.0), *want = dun_check_doubles(&c, n_out);
        check_going(&c);
        dun_check_tensor *in = dun_check_input(&c, "dy", dy, n_in),
                         *staging = dun_check_input(&c, "w", w, n_w);
        dun_check_tensor *out =
            beta ? dun_check_in_out(&c, "dx", old, n_out) : dun_check_output(&c, "dx", n_out);
        check_ok(dun_matrix_load(&matrix, compute.gemm, &staging->buffer, ROWS, COLUMNS, DUN_BACKWARD));
        check_ok(dun_gemm_backward(compute.gemm, &out->buffer, &in->buffer, &matrix, beta, (uint32_t)M));
        dun_ref_linear_bwd(want, dy, w, M, ROWS, COLUMNS);
        for (size_t j = 0; beta && j < n_out; j++)
            want[j] += old[j];
        dun_check_close(&c, out, want, 5e-6);
        dun_matrix_free(&matrix);
        dun_check_end(&c);
    }
    if (c.n_failed)
        fail_msg("%s", c.message);
}

/* Products cut to launches of few rows and weights cut to small buffers give the same. Both limits are the
 * device's, whose description is changed for a moment. */
static void test_cut(void **state) {
    enum { M = 300, ROWS = 700, COLUMNS = 130 };
    dun_device_info *info = (dun_device_info *)(uintptr_t)dun_device_describe(device), kept = *info;
    dun_check c;
    (void)state;
    dun_check_init(&c, &compute);
    for (const char *const *name = dun_gemm_provider_names; *name; name++) {
        dun_gemm *gemm;
        dun_matrix matrix = {0};
        dun_check_begin(&c, 0, "%s, cut", *name);
        double *x = dun_check_random(&c, M * COLUMNS, 1.0), *w = dun_check_random(&c, ROWS * COLUMNS, 1.0);
        double *dy = dun_check_random(&c, M * ROWS, 1.0), *add = dun_check_random(&c, M * ROWS, 1.0);
        double *bias = dun_check_random(&c, ROWS, 1.0);
        dun_check_tensor *bias_in = dun_check_input(&c, "bias", bias, ROWS);
        double *y_want = dun_check_doubles(&c, M * ROWS), *dx_want = dun_check_doubles(&c, M * COLUMNS);
        check_going(&c);
        dun_check_tensor *x_in = dun_check_input(&c, "x", x, M * COLUMNS),
                         *dy_in = dun_check_input(&c, "dy", dy, M * ROWS);
        dun_check_tensor *add_in = dun_check_input(&c, "add", add, M * ROWS);
        dun_check_tensor *y = dun_check_output(&c, "y", M * ROWS),
                         *dx = dun_check_output(&c, "dx", M * COLUMNS);
        check_ok(dun_gemm_create(&gemm, device, compute.programs, &compute.tiles, *name));
        info->largest_buffer_bytes = 300 * 256 * sizeof(float);
        uint32_t most = dun_matrix_part_rows(gemm, ROWS, COLUMNS);
        assert_int_equal(most, 256);
        for (uint32_t done = 0; done < ROWS; done += most) {
            uint32_t n = ROWS - done < most ? ROWS - done : most;
            dun_check_tensor *rows = dun_check_input(&c, "w", w + done * COLUMNS, n * COLUMNS);
            check_ok(dun_matrix_append(&matrix, gemm, &rows->buffer, n, COLUMNS, DUN_FORWARD | DUN_BACKWARD));
        }
        info->largest_buffer_bytes = kept.largest_buffer_bytes;
        assert_int_equal(matrix.n_parts, 3);
        info->type = DUN_DEVICE_GPU;
        info->clock_mhz = info->compute_units = 1; /* launches of 128 rows */
        check_ok(dun_gemm_forward(gemm, &y->buffer, 0, &x_in->buffer, &matrix, &bias_in->buffer,
                                  &add_in->buffer, M));
        check_ok(dun_gemm_backward(gemm, &dx->buffer, &dy_in->buffer, &matrix, false, M));
        *info = kept;
        dun_ref_linear_fwd(y_want, x, w, M, ROWS, COLUMNS);
        for (int i = 0; i < M * ROWS; i++)
            y_want[i] += add[i] + bias[i % ROWS];
        dun_ref_linear_bwd(dx_want, dy, w, M, ROWS, COLUMNS);
        dun_check_close(&c, y, y_want, 3e-6);
        dun_check_close(&c, dx, dx_want, 3e-6);
        dun_matrix_free(&matrix);
        dun_gemm_free(gemm);
        dun_check_end(&c);
    }
    if (c.n_failed)
        fail_msg("%s", c.message);
}

/* Large enough that CLBlast takes its other, blocked way. */
static void test_large(void **state) {
    enum { M = 160, ROWS = 1030, COLUMNS = 577 };
    dun_check c;
    (void)state;
    dun_check_init(&c, &compute);
    dun_check_begin(&c, 0, "a large product");
    double *x = dun_check_random(&c, (size_t)M * COLUMNS, 1.0),
           *w = dun_check_random(&c, (size_t)ROWS * COLUMNS, 1.0);
    double *want = dun_check_doubles(&c, (size_t)M * ROWS);
    check_going(&c);
    dun_check_tensor *x_in = dun_check_input(&c, "x", x, (size_t)M * COLUMNS);
    dun_check_tensor *w_in = dun_check_input(&c, "w", w, (size_t)ROWS * COLUMNS);
    dun_ref_linear_fwd(want, x, w, M, ROWS, COLUMNS);
    for (const char *const *name = dun_gemm_provider_names; *name; name++) {
        dun_gemm *gemm;
        dun_matrix matrix;
        dun_check_tensor *y = dun_check_output(&c, *name, (size_t)M * ROWS);
        check_ok(dun_gemm_create(&gemm, device, compute.programs, &compute.tiles, *name));
        check_ok(dun_matrix_load(&matrix, gemm, &w_in->buffer, ROWS, COLUMNS, DUN_FORWARD));
        check_ok(dun_gemm_forward(gemm, &y->buffer, 0, &x_in->buffer, &matrix, NULL, NULL, M));
        dun_check_close(&c, y, want, 3e-6);
        dun_matrix_free(&matrix);
        dun_gemm_free(gemm);
    }
    dun_check_end(&c);
    if (c.n_failed)
        fail_msg("%s", c.message);
}

/* No rows: nothing happens, nothing fails. A weight for one direction has no memory for the other. */
static void test_edges(void **state) {
    (void)state;
    for (const char *const *name = dun_gemm_provider_names; *name; name++) {
        dun_check c;
        dun_gemm *gemm;
        dun_matrix matrix;
        dun_check_init(&c, &compute);
        dun_check_begin(&c, 0, "%s without rows", *name);
        double *w = dun_check_random(&c, 33 * 7, 1.0), *untouched = dun_check_random(&c, 5, 1.0);
        check_going(&c);
        dun_check_tensor *w_in = dun_check_input(&c, "w", w, 33 * 7),
                         *y = dun_check_input(&c, "y", untouched, 5);
        check_ok(dun_gemm_create(&gemm, device, compute.programs, &compute.tiles, *name));
        check_ok(dun_matrix_load(&matrix, gemm, &w_in->buffer, 33, 7, DUN_FORWARD | DUN_BACKWARD));
        check_ok(dun_gemm_forward(gemm, &y->buffer, 0, &w_in->buffer, &matrix, NULL, NULL, 0));
        check_ok(dun_gemm_backward(gemm, &y->buffer, &w_in->buffer, &matrix, false, 0));
        size_t both = dun_matrix_bytes(&matrix);
        dun_matrix_free(&matrix);
        assert_null(matrix.parts);
        check_ok(dun_matrix_load(&matrix, gemm, &w_in->buffer, 33, 7, DUN_FORWARD));
        assert_true(dun_matrix_bytes(&matrix) >= 33 * 7 * sizeof(float));
        assert_true(matrix.shared ? both == dun_matrix_bytes(&matrix) : both > dun_matrix_bytes(&matrix));
        dun_matrix_free(&matrix);
        dun_gemm_free(gemm);
        dun_check_end(&c);
        if (c.n_failed)
            fail_msg("%s", c.message);
    }
}

static void expect_refusal(const char *wanted, int status, const char *const *parts) {
    dun_gemm *gemm;
    assert_int_equal(dun_gemm_create(&gemm, device, compute.programs, &compute.tiles, wanted), status);
    assert_null(gemm);
    for (; *parts; parts++)
        if (!strstr(dun_error_message(), *parts))
            fail_msg("message: %s\nlacks: %s", dun_error_message(), *parts);
}

static void test_choice(void **state) {
    dun_gemm *gemm;
    bool cpu = dun_device_describe(device)->type == DUN_DEVICE_CPU;
    (void)state;
    assert_string_equal(dun_gemm_name(compute.gemm), cpu ? "reg" : "local");
    assert_non_null(strstr(dun_gemm_reason(compute.gemm), "default"));
    check_ok(dun_gemm_create(&gemm, device, compute.programs, &compute.tiles, "naive"));
    assert_string_equal(dun_gemm_name(gemm), "naive");
    assert_non_null(strstr(dun_gemm_reason(gemm), "device.gemm"));
    dun_gemm_free(gemm);
    expect_refusal(
        "regg", DUN_USAGE,
        (const char *const[]){"device.gemm = regg", "auto", "reg", "local", "clblast", "naive", NULL});
    expect_refusal("", DUN_USAGE, (const char *const[]){"device.gemm", "auto", NULL});
}

/* A device with small work-groups: its description is changed for a moment, the device behind it is not. */
static void test_cannot(void **state) {
    dun_device_info *info = (dun_device_info *)(uintptr_t)dun_device_describe(device);
    uint32_t kept = info->max_group_size;
    enum dun_device_type type = info->type;
    dun_gemm *gemm;
    (void)state;
    info->max_group_size = 32;
    expect_refusal("clblast", DUN_BAD_DEVICE,
                   (const char *const[]){"clblast", info->name, "work-groups", "naive", NULL});
    info->max_group_size = kept;
    info->type = DUN_DEVICE_GPU;
    check_ok(dun_gemm_create(&gemm, device, compute.programs, &compute.tiles, "auto"));
    assert_string_equal(dun_gemm_name(gemm), "local");
    assert_non_null(strstr(dun_gemm_reason(gemm), "default"));
    dun_gemm_free(gemm);
    info->type = type;
}

int main(void) {
#define PRECISION(word)                                                                                      \
    { "test_precision " word, test_precision, NULL, NULL, (void *)(uintptr_t)(word) }
#define PROVIDER(provider)                                                                                   \
    { #provider, test_provider, NULL, NULL, (void *)(uintptr_t) #provider }
    const struct CMUnitTest tests[] = {
        PROVIDER(naive),
        PROVIDER(reg),
        PROVIDER(local),
        PROVIDER(clblast),
        PRECISION("split"),
        PRECISION("half"),
        cmocka_unit_test(test_tiles),
        cmocka_unit_test(test_local_tiles),
        cmocka_unit_test(test_small_device),
        cmocka_unit_test(test_long_sums),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_cannot),
    };
    cmocka_set_test_filter(getenv("DUNLIN_TEST_FILTER"));
    cmocka_set_skip_filter(getenv("DUNLIN_TEST_SKIP"));
    return cmocka_run_group_tests(tests, open_all, close_all);
}
