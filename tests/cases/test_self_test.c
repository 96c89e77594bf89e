/* The self-test as a program runs it: a good device passes, whole and quickly; a broken matrix product is put
 * aside for one that passes; any other broken kernel, or all products broken, is a device not to be trusted;
 * verdicts are kept by device and kernels; and every failure on the way ends in an error or in a failed case,
 * with nothing left alive. */
#include "check/trust.h"
#include "dev/kernel_text.h"

#include "base/cache.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/mem.h"
#include "device_check.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static dun_device *device;
static char folder[256], kernels[300];

/* From here on the kernels have `text` replaced; NULL: they are as they should be. */
static void break_kernels(const char *const *pairs) {
    const char *whole = dun_kernel_text();
    dun_str broken = {0};
    if (!pairs) {
        unsetenv("DUNLIN_KERNELS");
        return;
    }
    check_ok(dun_str_addf(&broken, "%s", whole));
    for (; *pairs; pairs += 2) {
        char *at = strstr(broken.bytes, pairs[0]);
        if (!at)
            fail_msg("\"%s\" is not in the kernels any more: choose another piece", pairs[0]);
        assert_int_equal(strlen(pairs[0]), strlen(pairs[1]));
        memcpy(at, pairs[1], strlen(pairs[1]));
    }
    check_ok(dun_file_write(kernels, broken.bytes, broken.length));
    dun_str_free(&broken);
    setenv("DUNLIN_KERNELS", kernels, 1);
}

#define REG_BROKEN "* 64 + 64, K)", "* 64 + 63, K)"
#define NORM_BROKEN "/ (float)C + eps", "* (float)C + eps"

/* Weights as they are stored, too, or floats alone. */
static bool stored;

static dun_self_test run(const char *gemm, bool quick) {
    dun_self_test report;
    size_t blocks = dun_mem_live(), objects = dun_device_live_objects();
    check_ok(dun_self_test_run(&report, device, DUN_SELF_TEST_HEADS, gemm, "f32", stored, quick));
    assert_int_equal(dun_mem_live(), blocks);
    assert_int_equal(dun_device_live_objects(), objects);
    assert_int_equal(dun_buffer_live_bytes(), 0);
    return report;
}

static void test_passes(void **state) {
    (void)state;
    for (int pass = 0; pass < 3; pass++) { /* all, quickly, quickly without stored weights */
        const bool quick = pass > 0;
        stored = pass < 2;
        dun_self_test report = run("auto", quick);
        if (!report.passed)
            fail_msg("%s", dun_self_test_failure(&report));
        assert_false(report.set_aside);
        assert_int_equal(report.n_kernels, DUN_N_NN_KERNELS + DUN_N_LEARN_KERNELS - !stored);
        assert_string_equal(dun_self_test_failure(&report), "");
        size_t n_stored = 0;
        for (size_t i = 0; i < report.n_rows; i++) {
            size_t binned = 0;
            for (size_t k = 0; k < DUN_CHECK_BINS; k++)
                binned += report.rows[i].histogram[k];
            assert_true(report.rows[i].cannot || report.rows[i].n_cases > 0);
            assert_true(binned <= report.rows[i].n_compared);
            assert_int_equal(report.rows[i].histogram[DUN_CHECK_BINS - 1], 0);
            n_stored += strncmp(report.rows[i].topic, "stored", strlen("stored")) == 0;
        }
        assert_int_equal(n_stored > 0, stored);
    }
    stored = false;
}

static const char *selector(void) {
    const char *wanted = getenv("DUNLIN_TEST_DEVICE");
    return wanted ? wanted : "cpu";
}

/* A kernel that only weights as they are stored need: products that have it stand aside for such weights
 * alone, and the table of them has no stand-in. */
static void test_stored(void **state) {
    static const char *const tile[] = {"min(REG_SW, N - column0", "min(REG_SW, N-1-column0", NULL};
    static const char *const table[] = {"table + at +", "table      +", NULL};
    char gemm[32];
    (void)state;
    break_kernels(table);
    assert_true(run("auto", true).passed);
    assert_int_equal(dun_trust(gemm, sizeof gemm, selector(), DUN_SELF_TEST_HEADS, "auto", "auto",
                               DUN_FORM_STORED, false, NULL),
                     DUN_BAD_DEVICE);
    assert_non_null(strstr(dun_error_message(), "embed_stored"));
    check_ok(dun_trust(gemm, sizeof gemm, selector(), DUN_SELF_TEST_HEADS, "auto", "auto", DUN_FORM_F32,
                       false, NULL));
    if (dun_device_describe(device)->type == DUN_DEVICE_CPU) {
        break_kernels(tile);
        check_ok(dun_trust(gemm, sizeof gemm, selector(), DUN_SELF_TEST_HEADS, "auto", "auto", DUN_FORM_F32,
                           false, NULL));
        assert_string_equal(gemm, "auto");
        for (int form = DUN_FORM_F16; form <= DUN_FORM_STORED; form++) {
            check_ok(dun_trust(gemm, sizeof gemm, selector(), DUN_SELF_TEST_HEADS, "auto", "f32",
                               (enum dun_weight_form)form, false, NULL));
            assert_string_equal(gemm, "local");
        }
    }
    break_kernels(NULL);
}

/* On CPUs, where the register tile is the default: the reference stands in, and only when nobody insists. */
static void test_set_aside(void **state) {
    static const char *const pairs[] = {REG_BROKEN, NULL};
    (void)state;
    if (dun_device_describe(device)->type != DUN_DEVICE_CPU)
        skip();
    break_kernels(pairs);
    dun_self_test report = run("auto", true);
    assert_true(report.passed);
    assert_true(report.set_aside);
    assert_string_not_equal(report.gemm, "reg");
    dun_verdict verdict = dun_verdict_of(&report);
    assert_non_null(strstr(verdict.failure, "gemm reg"));
    report = run("reg", true);
    assert_false(report.passed);
    assert_non_null(strstr(dun_self_test_failure(&report), "gemm reg"));
    report = run("naive", true);
    assert_true(report.passed);
    assert_false(report.set_aside);
    break_kernels(NULL);
}

static void test_not_trusted(void **state) {
    static const char *const norm[] = {NORM_BROKEN, NULL};
    (void)state;
    break_kernels(norm);
    dun_self_test report = run("auto", true);
    assert_false(report.passed);
    assert_non_null(strstr(dun_self_test_failure(&report), "rmsnorm"));
    break_kernels(NULL);
}

static dun_verdict recall(const char *gemm) {
    dun_verdict verdict;
    check_ok(
        dun_verdict_recall(&verdict, dun_device_describe(device), DUN_SELF_TEST_HEADS, gemm, "auto", stored));
    return verdict;
}

static void test_trust(void **state) {
    static const char *const norm[] = {NORM_BROKEN, NULL}, *const reg[] = {REG_BROKEN, NULL};
    char gemm[32];
    (void)state;
    assert_false(recall("auto").known);
    check_ok(dun_trust(gemm, sizeof gemm, selector(), DUN_SELF_TEST_HEADS, "auto", "auto", DUN_FORM_F32,
                       false, NULL));
    assert_string_equal(gemm, "auto");
    assert_true(recall("auto").known && recall("auto").passed && recall("auto").quick);
    assert_false(recall("naive").known);
    break_kernels(norm); /* other kernels are another question */
    assert_false(recall("auto").known);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(dun_trust(gemm, sizeof gemm, selector(), DUN_SELF_TEST_HEADS, "auto", "auto",
                                   DUN_FORM_F32, false, NULL),
                         DUN_BAD_DEVICE);
        assert_non_null(strstr(dun_error_message(), "rmsnorm"));
        assert_non_null(strstr(dun_error_message(), "--force"));
        assert_true(recall("auto").known && !recall("auto").passed);
    }
    check_ok(dun_trust(gemm, sizeof gemm, selector(), DUN_SELF_TEST_HEADS, "auto", "auto", DUN_FORM_F32, true,
                       NULL));
    assert_string_equal(gemm, "auto");
    if (dun_device_describe(device)->type == DUN_DEVICE_CPU) {
        break_kernels(reg);
        for (int again = 0; again < 2; again++) {
            check_ok(dun_trust(gemm, sizeof gemm, selector(), DUN_SELF_TEST_HEADS, "auto", "auto",
                               DUN_FORM_F32, false, NULL));
            assert_string_not_equal(gemm, "auto");
            assert_string_not_equal(gemm, "reg");
        }
    }
    break_kernels(NULL);
    assert_true(recall("auto").passed);
    assert_int_equal(dun_trust(gemm, sizeof gemm, "no such device", DUN_SELF_TEST_HEADS, "auto", "auto",
                               DUN_FORM_F32, true, NULL),
                     DUN_BAD_DEVICE);
}

/* Kernels that are right for heads of 64 alone: a model with other heads is refused, not these. */
static void test_heads(void **state) {
    static const char *const heads[] = {"HEAD_VECTORS (HEAD_DIM / HEAD_VW)",
                                        "HEAD_VECTORS (64       / HEAD_VW)", NULL};
    enum { OTHER = 2 * DUN_SELF_TEST_HEADS };
    const dun_device_info *info = dun_device_describe(device);
    char gemm[32];
    dun_verdict verdict;
    (void)state;
    if (info->type != DUN_DEVICE_CPU) /* which runs attention.cl */
        skip();
    break_kernels(heads);
    check_ok(dun_trust(gemm, sizeof gemm, selector(), DUN_SELF_TEST_HEADS, "auto", "auto", DUN_FORM_F32,
                       false, NULL));
    check_ok(dun_verdict_recall(&verdict, info, OTHER, "auto", "auto", false));
    assert_false(verdict.known);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(
            dun_trust(gemm, sizeof gemm, selector(), OTHER, "auto", "auto", DUN_FORM_F32, false, NULL),
            DUN_BAD_DEVICE);
        assert_non_null(strstr(dun_error_message(), "attention"));
        check_ok(dun_verdict_recall(&verdict, info, OTHER, "auto", "auto", false));
        assert_true(verdict.known && !verdict.passed);
    }
    assert_true(recall("auto").passed);
    check_ok(dun_verdict_recall(&verdict, info, 0, "auto", "auto", false)); /* the latest */
    assert_true(verdict.known && !verdict.passed);
    break_kernels(NULL);
    check_ok(dun_trust(gemm, sizeof gemm, selector(), OTHER, "auto", "auto", DUN_FORM_F32, false, NULL));
}

/* A quick test of which one operation fails: an error, or a case that fails, or nothing worse than a program
 * that is not kept. */
static void test_faults(void **state) {
    enum { FIRST = 16, SPREAD = 12 };
    unsigned n_noticed = 0;
    (void)state;
    dun_fault_set(0);
    stored = true;
    (void)run("naive", true);
    stored = false;
    const unsigned long operations = dun_fault_count();
    assert_true(operations > 1000);
    for (unsigned long i = 0; i < FIRST + SPREAD; i++) {
        dun_self_test report = {0};
        size_t blocks = dun_mem_live(), objects = dun_device_live_objects();
        unsigned long n = i < FIRST ? 1 + i : FIRST + (i - FIRST + 1) * (operations - FIRST) / (SPREAD + 1);
        dun_error_clear();
        dun_fault_set(n);
        int rc = dun_self_test_run(&report, device, DUN_SELF_TEST_HEADS, "naive", "f32", true, true);
        dun_fault_set(0);
        if (rc < 0 && !*dun_error_message())
            fail_msg("operation %lu fails without a message", n);
        n_noticed += rc < 0 || !report.passed;
        assert_int_equal(dun_mem_live(), blocks);
        assert_int_equal(dun_device_live_objects(), objects);
        assert_int_equal(dun_buffer_live_bytes(), 0);
    }
    assert_true(n_noticed > SPREAD / 2);
}

static int begin(void **state) {
    const char *parent = getenv("TMPDIR");
    (void)state;
    snprintf(folder, sizeof folder, "%s/dunlin-check-XXXXXX", parent && *parent ? parent : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    snprintf(kernels, sizeof kernels, "%s/broken.cl", folder);
    setenv("DUNLIN_CACHE", folder, 1);
    device = check_open_device();
    return 0;
}

static int remove_file(void *self, const dun_cache_entry *entry) {
    (void)self;
    return remove(entry->path);
}

static int end(void **state) {
    static const char *const kinds[] = {DUN_CACHE_PROGRAMS, DUN_CACHE_CHECKS};
    char path[300];
    (void)state;
    dun_device_close(device);
    check_ok(dun_cache_each(remove_file, NULL));
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, kinds[i]);
        rmdir(path);
    }
    remove(kernels);
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(dun_device_live_objects(), 0);
    assert_int_equal(dun_mem_live(), 0);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passes), cmocka_unit_test(test_set_aside), cmocka_unit_test(test_not_trusted),
        cmocka_unit_test(test_trust),  cmocka_unit_test(test_heads),     cmocka_unit_test(test_stored),
        cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
