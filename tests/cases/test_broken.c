/* Tests of the tests: each row breaks one kernel by replacing a piece of its text, and a case of its topic
 * must then fail: every third row, or all with DUNLIN_TEST_WHOLE. A row whose text is no longer in the
 * kernels is an error always. */
#include "base/mem.h"
#include "broken_kernels.h"
#include "dev/kernel_text.h"
#include "dev/quirks.h"
#include "dev/x86.h"
#include "device_check.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { HEAD_DIM = 12 };

/* What fails is a kernel, which no sanitizer sees: of the host's way through a failure a part of the rows is
 * enough. */
#ifdef DUN_SANITIZED
enum { STEP = 6 };
#else
enum { STEP = 3 };
#endif

static bool is_tried(size_t i) {
    return i % STEP == 0 || getenv("DUNLIN_TEST_WHOLE") || getenv("DUNLIN_TEST_FILTER");
}

static dun_device *device;

/* A precision instead of a provider: split by the portable variant, or by the one for AVX512_BF16. */
static bool by_avx512(size_t i) {
    return strcmp(breaks[i].gemm, "avx512") == 0;
}
static bool in_parts(size_t i) {
    return strcmp(breaks[i].gemm, "split") == 0 || by_avx512(i);
}

/* Where the text begins that a row is about: files of stored weights are part of several programs. */
static const char *begin_of(const char *whole, size_t i) {
    char start[64] = "";
    if (breaks[i].topic == &dun_check_stored && strcmp(breaks[i].gemm, "naive") != 0)
        snprintf(start, sizeof start, "#pragma topic %s_stored\n", in_parts(i) ? "parts" : breaks[i].gemm);
    else if (by_avx512(i))
        snprintf(start, sizeof start, "#pragma topic parts_avx512\n");
    const char *begin = strstr(whole, start);
    if (!begin)
        fail_msg("there is no %s", start);
    return begin;
}

/* The kernels with a row's text, where it first occurs after "kernel(", replaced. */
static char *broken_text(size_t i) {
    char start[64];
    snprintf(start, sizeof start, " %s(", breaks[i].kernel);
    const char *whole = dun_kernel_text(), *kernel = strstr(begin_of(whole, i), start);
    const char *at = kernel ? strstr(kernel, breaks[i].text) : NULL;
    if (!at)
        fail_msg("\"%s\" is not in %s any more: choose another piece of it", breaks[i].text,
                 breaks[i].kernel);
    size_t before = (size_t)(at - whole), inserted = strlen(breaks[i].replacement);
    const char *rest = at + strlen(breaks[i].text);
    char *text = dun_calloc(before + inserted + strlen(rest) + 1, 1);
    assert_non_null(text);
    memcpy(text, whole, before);
    memcpy(text + before, breaks[i].replacement, inserted);
    memcpy(text + before + inserted, rest, strlen(rest));
    return text;
}

static void test_break(void **state) {
    size_t i = (size_t)(uintptr_t)*state;
    dun_compute compute;
    dun_check c;
    if (by_avx512(i) && !(dun_quirk_of(dun_device_describe(device), DUN_QUIRK_CACHES_ITSELF) &&
                          !dun_avx512_cannot(dun_device_describe(device))))
        skip();
    char *text = broken_text(i);
    if (!is_tried(i)) {
        dun_free(text);
        skip();
    }
    if (breaks[i].groups) {
        dun_tiles tiles = check_tiles_as(device, DUN_DEVICE_GPU, 1, HEAD_DIM);
        check_ok(check_compute_create(&compute, device, &tiles, text, breaks[i].gemm));
    } else {
        check_ok(dun_compute_create_text(&compute, device, text, HEAD_DIM,
                                         in_parts(i) ? "naive" : breaks[i].gemm));
    }
    if (in_parts(i))
        check_ok(dun_gemm_set_precision(compute.gemm, "split", by_avx512(i) ? "avx512_bf16" : "portable",
                                        "the test"));
    dun_free(text);
    dun_check_init(&c, &compute);
    dun_check_run(&c, breaks[i].topic, true);
    size_t n_failed = c.n_failed;
    dun_compute_free(&compute);
    if (n_failed == 0)
        fail_msg("all %zu cases of %s pass although %s has %s", c.n_cases, breaks[i].topic->name,
                 breaks[i].kernel, breaks[i].name);
    print_message("%s\n", c.message);
}

/* Every topic has a row here. */
static void test_topics(void **state) {
    static const dun_check_topic *const topics[] = {
#define CASES(name) &dun_check_##name,
#define STORED_CASES(name) &dun_check_##name,
#define PRODUCT_CASES(name) &dun_check_##name,
#include "check/topics.def"
    };
    (void)state;
    for (size_t k = 0; k < sizeof topics / sizeof *topics; k++) {
        size_t n = 0;
        for (size_t i = 0; i < N_BREAKS; i++)
            n += breaks[i].topic == topics[k];
        if (n == 0)
            fail_msg("no row breaks a kernel of %s", topics[k]->name);
    }
}

/* A broken kernel is wrong however it is compiled: as plainly as can be takes PoCL half of the time. */
static int open_all(void **state) {
    (void)state;
    if (setenv("POCL_EXTRA_BUILD_FLAGS", "-cl-opt-disable", 0) != 0)
        return -1;
    device = check_open_device();
    return 0;
}

static int close_all(void **state) {
    (void)state;
    return check_close_device(device);
}

int main(void) {
    struct CMUnitTest tests[N_BREAKS + 1] = {cmocka_unit_test(test_topics)};
    for (size_t i = 0; i < N_BREAKS; i++)
        tests[i + 1] = (struct CMUnitTest){breaks[i].name, test_break, NULL, NULL, (void *)(uintptr_t)i};
    cmocka_set_test_filter(getenv("DUNLIN_TEST_FILTER"));
    return cmocka_run_group_tests(tests, open_all, close_all);
}
