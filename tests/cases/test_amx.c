/* The variants of the products for x86 processors. That for the matrix unit: on one that has it as it is,
 * else with the unit in software (amx_unit.h), which runs the very same kernel; that for dot products of
 * bfloat16 pairs on processors that have these. And what is made of variants that work or do not. */
#include "amx_unit.h"
#include "base/err.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/str.h"
#include "check/check_topics.h"
#include "dev/choice.h"
#include "dev/parts.h"
#include "dev/quirks.h"
#include "dev/variant_try.h"
#include "dev/x86.h"
#include "device_check.h"

#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static dun_device *device;
static dun_compute compute;
static dun_gemm *gemm; /* by the variant */
static bool real;      /* the processor's own unit */

typedef struct {
    const char *variant, *precision;
} way;

static bool is_amx(const char *variant) {
    return strcmp(variant, "amx") == 0;
}

/* PoCL alone takes such kernels. */
static bool possible(const char *variant) {
    const dun_device_info *info = dun_device_describe(device);
    const char *cannot = is_amx(variant) ? NULL : dun_avx512_cannot(info);
    if (cannot)
        print_message("%s is left out: %s\n", variant, cannot);
    return info->type == DUN_DEVICE_CPU && amx_unit_possible() &&
           dun_quirk_of(info, DUN_QUIRK_CACHES_ITSELF) && !cannot;
}

static void begin_unit(const char *variant) {
    real = !is_amx(variant) || dun_amx_cannot(dun_device_describe(device)) == NULL;
    print_message("%s %s\n", variant, real ? "on the processor's own unit" : "on the unit in software");
    if (!real)
        amx_unit_begin();
}

/* Every thread that configured the unit released it, and nothing was done that a processor would refuse. */
static void end_unit(void) {
    if (real)
        return;
    amx_unit_end();
    for (int i = 0; i < AMX_INSTRUCTIONS; i++)
        assert_true(amx_unit_count((enum amx_instruction)i) > 0);
    assert_int_equal(amx_unit_count(AMX_CONFIGURE), amx_unit_count(AMX_RELEASE));
    assert_int_equal(amx_unit_misused(), 0);
}

static void run_some(const dun_check_topic *topic, size_t stride) {
    dun_check c;
    dun_check_init(&c, &compute);
    c.gemm = gemm;
    for (size_t i = 0; i < topic->n_cases; i += stride)
        dun_check_run_case(&c, topic->run, i);
    print_message("%zu cases, worst %.2f of its tolerance\n", c.n_cases, c.worst);
    if (c.n_failed)
        fail_msg("%zu failed; first: %s", c.n_failed, c.message);
}

/* Against double loops of the same roundings: around tiles, sums over more than a block, stored weights. */
static void test_cases(void **state) {
    enum { STRIDE = 7, STORED_STRIDE = 61 };
    const way *w = *state;
    if (!possible(w->variant))
        skip();
    check_ok(dun_gemm_create(&gemm, device, compute.programs, &compute.tiles, "naive"));
    check_ok(dun_gemm_set_precision(gemm, w->precision, w->variant, "the test"));
    begin_unit(w->variant);
    run_some(&dun_check_gemm, STRIDE);
    run_some(&dun_check_stored, STORED_STRIDE);
    end_unit();
    dun_gemm_free(gemm);
}

/* A product by the variant and by the portable one, which differ in the order of sums alone. */
static void test_portable(void **state) {
    enum { M = 70, ROWS = 100, COLUMNS = 1700 };
    const way *by = *state;
    const char *const variants[] = {by->variant, "portable"};
    dun_check c;
    double *y[2];
    if (!possible(by->variant))
        skip();
    dun_check_init(&c, &compute);
    dun_check_begin(&c, 0, "%s and portable, %s", by->variant, by->precision);
    double *x = dun_check_random(&c, M * COLUMNS, 1.0), *w = dun_check_random(&c, ROWS * COLUMNS, 1.0);
    check_going(&c);
    dun_check_tensor *x_in = dun_check_input(&c, "x", x, M * COLUMNS);
    dun_check_tensor *w_in = dun_check_input(&c, "w", w, ROWS * COLUMNS);
    for (int i = 0; i < 2; i++) {
        dun_matrix matrix;
        dun_check_tensor *out = dun_check_output(&c, variants[i], M * ROWS);
        check_ok(dun_gemm_create(&gemm, device, compute.programs, &compute.tiles, "naive"));
        check_ok(dun_gemm_set_precision(gemm, by->precision, variants[i], "the test"));
        check_ok(dun_matrix_load(&matrix, gemm, &w_in->buffer, ROWS, COLUMNS, DUN_FORWARD));
        if (i == 0)
            begin_unit(by->variant);
        check_ok(dun_gemm_forward(gemm, &out->buffer, 0, &x_in->buffer, &matrix, NULL, NULL, M));
        y[i] = dun_check_read(&c, out);
        if (i == 0)
            end_unit();
        dun_matrix_free(&matrix);
        dun_gemm_free(gemm);
    }
    const double error = dun_check_relative_error(y[0], y[1], M * ROWS);
    print_message("%s: the variants are %.1e apart\n", by->precision, error);
    assert_true(error < 2e-6);
    dun_check_end(&c);
    if (c.n_failed)
        fail_msg("%s", c.message);
}

/* What the program computes in a process of its own, in this one. */
static void test_known_answers(void **state) {
    const char *selector = getenv("DUNLIN_TEST_DEVICE");
    (void)state;
    selector = selector ? selector : "cpu";
    check_ok(dun_variant_try_here(selector, "portable"));
    if (possible("avx512_bf16"))
        check_ok(dun_variant_try_here(selector, "avx512_bf16"));
    if (!possible("amx"))
        return;
    begin_unit("amx");
    check_ok(dun_variant_try_here(selector, "amx"));
    end_unit();
    assert_int_equal(dun_variant_try_here(selector, "no such unit"), DUN_USAGE);
}

/* Who is asked to try; NULL: who would be without this. */
static void try_with(const char *program) {
    if (program)
        setenv("DUNLIN_PROGRAM", program, 1);
    else
        unsetenv("DUNLIN_PROGRAM");
}

/* A program that does not answer well is remembered with what it said, one that does as well, and neither is
 * asked twice; what fails later is put aside. */
static void test_tries(void **state) {
    const dun_device_info *info = dun_device_describe(device);
    static const char *const programs[] = {"/bin/false", "/bin/true"};
    const char *own = getenv("DUNLIN_PROGRAM");
    (void)state;
    for (int works = 0; works < 2; works++) {
        char name[64];
        dun_str why = {0};
        snprintf(name, sizeof name, "test-%d-%ld", works, (long)getpid());
        try_with(programs[works]);
        assert_int_equal(dun_variant_try(&why, info, name), works);
        assert_true(works ? why.length == 0 : strstr(why.bytes, "exit code 1") != NULL);
        try_with(programs[!works]);
        dun_str_clear(&why);
        assert_int_equal(dun_variant_try(&why, info, name), works);
        assert_true(works ? why.length == 0 : strstr(why.bytes, "exit code 1") != NULL);
        dun_variant_put_aside(info, name, "a case");
        dun_str_clear(&why);
        assert_false(dun_variant_try(&why, info, name));
        assert_non_null(strstr(why.bytes, "a case"));
        dun_str_free(&why);
    }
    try_with(own);
}

/* That somebody ended the trial, or this job, says nothing of the variant, and is forgotten. */
static void test_tries_ended(void **state) {
    static const char script[] = "#!/bin/sh\nkill -TERM $$\n", path[] = BINARY_DIR "/ended-trial";
    const dun_device_info *info = dun_device_describe(device);
    const char *own = getenv("DUNLIN_PROGRAM");
    char name[64];
    dun_str why = {0};
    (void)state;
    snprintf(name, sizeof name, "test-ended-%ld", (long)getpid());
    check_ok(dun_file_write(path, script, sizeof script - 1));
    assert_int_equal(chmod(path, 0700), 0);
    try_with(path);
    assert_false(dun_variant_try(&why, info, name));
    assert_non_null(strstr(why.bytes, "could not be tried: its process was ended by signal 15"));
    try_with("/bin/false");
    dun_want(DUN_STOP);
    dun_str_clear(&why);
    assert_false(dun_variant_try(&why, info, name));
    assert_non_null(strstr(why.bytes, "could not be tried: interrupted"));
    dun_want(DUN_GO_ON);
    try_with("/bin/true");
    dun_str_clear(&why);
    assert_true(dun_variant_try(&why, info, name));
    dun_str_free(&why);
    (void)unlink(path);
    try_with(own);
}

static int begin(void **state) {
    (void)state;
    device = check_open_device();
    const dun_tiles tiles = dun_tiles_default(dun_device_describe(device), 64);
    return check_compute_create(&compute, device, &tiles, NULL, "naive");
}

static int end(void **state) {
    (void)state;
    dun_compute_free(&compute);
    dun_device_close(device);
    assert_int_equal(dun_device_live_objects(), 0);
    return 0;
}

/* What auto takes is never a half, and split for matrix units alone; what is asked for takes the fastest. */
static void test_auto(void **state) {
    const dun_device_info *info = dun_device_describe(device);
    const char *own = getenv("DUNLIN_PROGRAM");
    dun_choice choice;
    dun_str why = {0};
    (void)state;
    if (!own)
        try_with(BINARY_DIR "/dunlin");
    if (!possible("avx512_bf16") || !dun_amx_cannot(info))
        skip();
    check_ok(dun_choose(&choice, info, &(dun_wish){.head_dim = 64, .precision = "auto"}));
    assert_string_equal(choice.precision, "f32");
    assert_string_equal(choice.variant, "");
    assert_non_null(strstr(choice.precision_reason, "no matrix unit"));
    assert_string_equal(dun_variant_choose(&why, info, true)->name, "portable");
    assert_string_equal(dun_variant_choose(&why, info, false)->name, "avx512_bf16");
    assert_int_equal(why.length, 0);
    check_ok(dun_choose(&choice, info, &(dun_wish){.head_dim = 64, .precision = "half"}));
    assert_string_equal(choice.variant, "avx512_bf16");
    if (!own)
        unsetenv("DUNLIN_PROGRAM");
    dun_str_free(&why);
}

int main(void) {
    static const way ways[] = {
        {"amx", "split"}, {"amx", "half"}, {"avx512_bf16", "split"}, {"avx512_bf16", "half"}};
#define WAY(name, test, i)                                                                                   \
    { name, test, NULL, NULL, (void *)(uintptr_t)&ways[i] }
    const struct CMUnitTest tests[] = {
        WAY("test_cases amx split", test_cases, 0),
        WAY("test_cases amx half", test_cases, 1),
        WAY("test_cases avx512_bf16 split", test_cases, 2),
        WAY("test_cases avx512_bf16 half", test_cases, 3),
        WAY("test_portable amx split", test_portable, 0),
        WAY("test_portable amx half", test_portable, 1),
        WAY("test_portable avx512_bf16 split", test_portable, 2),
        WAY("test_portable avx512_bf16 half", test_portable, 3),
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_tries),
        cmocka_unit_test(test_tries_ended),
        cmocka_unit_test(test_auto),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
