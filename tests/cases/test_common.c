/* Weights that processes have in common: whoever comes later has the first one's memory where the bytes are
 * the same, and keeps his own where they are not. */
#include "dev/common.h"

#include "base/err.h"
#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { N = 3 };
static const size_t sizes[N] = {100000, 16384, 5};

/* A process's weights: byte i of the k-th is a number of both, but for one of `other`. */
static void fill(unsigned char *bytes, size_t k, int other) {
    for (size_t i = 0; i < sizes[k]; i++)
        bytes[i] = (unsigned char)(i * 7 + k);
    if (other == (int)k)
        bytes[sizes[k] / 2] ^= 1;
}

/* Loads as a process does, and returns how many bytes are in common; 0 where any is wrong. */
static uint64_t load(dun_common *common, int other) {
    bool right = true;
    unsigned char *pages[N], wanted[100000];
    for (size_t k = 0; k < N; k++) {
        pages[k] = dun_common_alloc(sizes[k]);
        if (!pages[k])
            return 0;
        fill(pages[k], k, other);
        dun_common_take(common, pages[k], sizes[k]);
    }
    for (size_t k = 0; k < N; k++) {
        fill(wanted, k, other);
        right &= memcmp(pages[k], wanted, sizes[k]) == 0;
        dun_common_release(pages[k], sizes[k]);
    }
    return right ? dun_common_bytes(common) : 0;
}

/* The same in a process of its own; its status says whether so many bytes are in common. */
static void load_in_child(dun_common *common, int other, uint64_t wanted) {
    int status;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(load(common, other) == wanted ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_take(void **state) {
    (void)state;
    dun_common *common;
    const uint64_t all = sizes[0] + sizes[1] + sizes[2];
    assert_int_equal(dun_common_create(&common), DUN_OK);
    assert_false(dun_common_is_filled(common));
    load_in_child(common, -1, all);
    assert_true(dun_common_is_filled(common));
    load_in_child(common, -1, all);
    load_in_child(common, 1, all - sizes[1]);
    load_in_child(common, 0, all - sizes[0]);
    assert_int_equal(load(common, -1), all);
    dun_common_free(common);
    dun_common_free(NULL);
}

/* What is mapped is the same memory: a process that has it adds next to nothing of its own. */
static void test_is_one(void **state) {
    (void)state;
    dun_common *common;
    char line[256];
    unsigned long kb, private_kb = 0;
    const size_t bytes = (size_t)8 << 20;
    assert_int_equal(dun_common_create(&common), DUN_OK);
    unsigned char *pages = dun_common_alloc(bytes);
    assert_non_null(pages);
    memset(pages, 5, bytes);
    dun_common_take(common, pages, bytes);
    assert_int_equal(dun_common_bytes(common), bytes);
    bool here = false;
    FILE *maps = fopen("/proc/self/smaps", "re");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps)) {
        unsigned long long begin, end;
        if (sscanf(line, "%llx-%llx ", &begin, &end) == 2)
            here = begin <= (uintptr_t)pages && (uintptr_t)pages < end;
        else if (here && sscanf(line, "Anonymous: %lu kB", &kb) == 1)
            private_kb += kb;
    }
    fclose(maps);
    assert_int_equal(private_kb, 0);
    assert_int_equal(pages[bytes - 1], 5);
    dun_common_release(pages, bytes);
    dun_common_free(common);
}

/* In a child: the processors that it may use, and the threads that it may have, as the i-th of n. */
static void assert_share(uint32_t i, uint32_t n, uint32_t processors, uint32_t threads) {
    int status;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const uint32_t got = dun_limits_take_share(i, n);
        _exit(got == threads && dun_limits_of_process().processors == processors ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_share(void **state) {
    (void)state;
    const dun_limits_source here = dun_limits_of_process();
    const uint32_t all = here.processors, may = dun_limits_processors(&here).n;
    assert_share(0, 1, all, may);
    assert_share(0, 2, all > 1 ? all / 2 : 1, may > 1 ? may / 2 : 1);
    assert_share(1, 2, all > 1 ? all - all / 2 : 1, may > 1 ? may - may / 2 : 1);
    assert_share(all, all + 1, 1, 1);
    assert_share(4 * all, 64 * all, 1, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_is_one),
        cmocka_unit_test(test_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
