/* The variant of the products for NVIDIA's matrix units: the very kernel, with its one instruction in
 * software (mma_unit.h), against loops in double and the portable variant, and broken on purpose; for which
 * devices it is. */
#include "base/err.h"
#include "base/mem.h"
#include "check/check_topics.h"
#include "dev/choice.h"
#include "dev/parts.h"
#include "dev/variant_try.h"
#include "device_check.h"
#include "mma_unit.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char variant[] = "nvidia_mma";
static dun_device *device;
static dun_compute compute;

static int open_compute(dun_compute *out, const char *from, const char *to) {
    const dun_tiles tiles = dun_tiles_default(dun_device_describe(device), 64);
    char *text = mma_unit_text(from, to);
    const int rc = check_compute_create(out, device, &tiles, text, "naive");
    dun_free(text);
    return rc;
}

static void run_some(dun_check *c, const dun_check_topic *topic, size_t stride) {
    for (size_t i = 0; i < topic->n_cases; i += stride)
        dun_check_run_case(c, topic->run, i);
}

/* Around tiles, sums over more than a block, stored weights. */
static void test_cases(void **state) {
    enum { STRIDE = 13, STORED_STRIDE = 127 };
    dun_check c;
    dun_check_init(&c, &compute);
    check_ok(dun_gemm_create(&c.gemm, device, compute.programs, &compute.tiles, "naive"));
    check_ok(dun_gemm_set_precision(c.gemm, *state, variant, "the test"));
    run_some(&c, &dun_check_gemm, STRIDE);
    run_some(&c, &dun_check_stored, STORED_STRIDE);
    print_message("%zu cases, worst %.2f of its tolerance\n", c.n_cases, c.worst);
    dun_gemm_free(c.gemm);
    if (c.n_failed)
        fail_msg("%zu failed; first: %s", c.n_failed, c.message);
}

/* A product by this variant and by the portable one, which differ in the order of sums and in their last
 * bits; packed by work-groups, weights have the bytes that single items pack. */
static void test_portable(void **state) {
    enum { M = 70, ROWS = 100, COLUMNS = 1700 };
    static const char *const variants[] = {variant, "portable"};
    const char *precision = *state;
    dun_check c;
    double *y[2];
    dun_check_init(&c, &compute);
    dun_check_begin(&c, 0, "%s and portable, %s", variant, precision);
    double *x = dun_check_random(&c, M * COLUMNS, 1.0), *w = dun_check_random(&c, ROWS * COLUMNS, 1.0);
    check_going(&c);
    dun_check_tensor *x_in = dun_check_input(&c, "x", x, M * COLUMNS);
    dun_check_tensor *w_in = dun_check_input(&c, "w", w, ROWS * COLUMNS);
    for (int i = 0; i < 2; i++) {
        dun_gemm *gemm;
        dun_matrix matrix;
        dun_check_tensor *out = dun_check_output(&c, variants[i], M * ROWS);
        check_ok(dun_gemm_create(&gemm, device, compute.programs, &compute.tiles, "naive"));
        check_ok(dun_gemm_set_precision(gemm, precision, variants[i], "the test"));
        check_ok(dun_matrix_load(&matrix, gemm, &w_in->buffer, ROWS, COLUMNS, DUN_FORWARD));
        check_ok(dun_gemm_forward(gemm, &out->buffer, 0, &x_in->buffer, &matrix, NULL, NULL, M));
        y[i] = dun_check_read(&c, out);
        dun_matrix_free(&matrix);
        dun_gemm_free(gemm);
    }
    const double error = dun_check_relative_error(y[0], y[1], M * ROWS);
    print_message("%s: the variants are %.1e apart\n", precision, error);
    assert_true(error < 2e-6);
    dun_check_end(&c);
    if (c.n_failed)
        fail_msg("%s", c.message);
}

/* Pieces of the kernel that its cases must miss. */
static void test_breaks(void **state) {
    static const struct {
        const char *name, *from, *to;
    } breaks[] = {
        {"half a fragment of a twice", "at[8 * MMA_ROW + 4]", "at[8 * MMA_ROW]"},
        {"half a fragment of b twice", "at[4 * MMA_PAIR]", "at[0]"},
        {"the first half of a step twice", "rows += 8, columns +=", "rows += 0, columns +="},
        {"warps on the same columns", "warp % 2 * 32 + g;", "g;"},
        {"a step's place before it is there", "rows[s % 2], (__local", "rows[0], (__local"},
        {"low parts that nobody finds", "low[i] == 0", "low[i] != 1"},
        {"steps of a whole block at the end", "min(from->steps - before, PARTS_BLOCK)", "PARTS_BLOCK"},
        {"a write beyond the last column", "|| column >= to->N", "|| column > to->N"},
        {"sums of rows side by side", "mma_finish_one(&to, row + 8, column,",
         "mma_finish_one(&to, row + 8, column + 1,"},
    };
    const size_t step = getenv("DUNLIN_TEST_WHOLE") ? 1 : 3; /* each takes PoCL's compiler seconds */
    (void)state;
    for (size_t i = 0; i < sizeof breaks / sizeof *breaks; i += step) {
        enum { STRIDE = 13 };
        dun_compute broken;
        dun_check c;
        check_ok(open_compute(&broken, breaks[i].from, breaks[i].to));
        check_ok(dun_gemm_set_precision(broken.gemm, "split", variant, "the test"));
        dun_check_init(&c, &broken);
        for (size_t k = 0; k < dun_check_gemm.n_cases && c.n_failed == 0; k += STRIDE)
            dun_check_run_case(&c, dun_check_gemm.run, k);
        dun_compute_free(&broken);
        if (c.n_failed == 0)
            fail_msg("all %zu cases pass although the kernel has %s", c.n_cases, breaks[i].name);
        print_message("%s: %s\n", breaks[i].name, c.message);
    }
}

/* NVIDIA's from compute capability 8.0 on, with room for the tiles; one that fails its trial costs a row. */
static void test_devices(void **state) {
    static const struct {
        uint32_t capability, group;
        uint64_t local_bytes;
        const char *cannot;
    } rows[] = {{0, 1024, 49152, "no NVIDIA GPU"}, {75, 1024, 49152, "below 8.0"},
                {80, 1024, 49152, NULL},           {90, 1024, 49152, NULL},
                {121, 1024, 49152, NULL},          {89, 64, 49152, "no work-groups of 128"},
                {89, 1024, 32768, "local memory"}};
    const dun_variant *mma = dun_variant_find(variant);
    (void)state;
    assert_non_null(mma);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        dun_device_info info = {.type = DUN_DEVICE_GPU,
                                .nvidia = rows[i].capability,
                                .max_group_size = rows[i].group,
                                .local_bytes = rows[i].local_bytes};
        const char *cannot = mma->cannot(&info);
        assert_true(rows[i].cannot ? cannot && strstr(cannot, rows[i].cannot) : !cannot);
    }
}

/* What precision takes on a device that says that it is such a GPU: asked for, the variant where its trial
 * goes well and the portable one, with the reason, where not; auto stays what it is, whatever the trial. */
static void test_choice(void **state) {
    static const struct {
        const char *program, *precision, *word, *chosen, *reason;
    } rows[] = {{"/bin/true", "split", "split", variant, "device.precision"},
                {"/bin/true", "half", "half", variant, "device.precision"},
                {"/bin/true", "auto", "f32", "", "no matrix unit"},
                {"/bin/false", "split", "split", "portable", "nvidia_mma, tried in a process of its own"},
                {"/bin/false", "auto", "f32", "", "no matrix unit"}};
    const char *own = getenv("DUNLIN_PROGRAM");
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        dun_device_info info = {
            .type = DUN_DEVICE_GPU, .nvidia = 90, .max_group_size = 1024, .local_bytes = 49152};
        dun_choice choice;
        snprintf(info.name, sizeof info.name, "Card %zu of %ld", i, (long)getpid()); /* nothing is known of */
        setenv("DUNLIN_PROGRAM", rows[i].program, 1);
        check_ok(dun_choose(&choice, &info, &(dun_wish){.head_dim = 64, .precision = rows[i].precision}));
        assert_string_equal(choice.precision, rows[i].word);
        assert_string_equal(choice.variant, rows[i].chosen);
        if (!strstr(choice.precision_reason, rows[i].reason))
            fail_msg("row %zu: %s", i, choice.precision_reason);
    }
    if (own)
        setenv("DUNLIN_PROGRAM", own, 1);
    else
        unsetenv("DUNLIN_PROGRAM");
}

static int begin(void **state) {
    (void)state;
    device = check_open_device();
    return open_compute(&compute, NULL, NULL);
}

static int end(void **state) {
    (void)state;
    dun_compute_free(&compute);
    return check_close_device(device);
}

int main(void) {
    static char split[] = "split", half[] = "half";
    const struct CMUnitTest tests[] = {
        {"test_cases split", test_cases, NULL, NULL, split},
        {"test_cases half", test_cases, NULL, NULL, half},
        {"test_portable split", test_portable, NULL, NULL, split},
        {"test_portable half", test_portable, NULL, NULL, half},
        cmocka_unit_test(test_breaks),
        cmocka_unit_test(test_devices),
        cmocka_unit_test(test_choice),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
