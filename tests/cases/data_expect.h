/* What the tests of JSON, data sets, gzip and safetensors share: what a call is expected to give, and walking
 * every failure of an operation that allocates or writes. */
#ifndef DATA_EXPECT_H
#define DATA_EXPECT_H

#include "base/err.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* A literal that may hold NUL, as its bytes and their number. */
#define LITERAL(text) text, sizeof(text) - 1

static inline void expect_ok(int rc) {
    if (rc != DUN_OK)
        fail_msg("%d: %s", rc, dun_error_message());
}

/* The status, and a message of one line that begins with `start` and holds `part`. */
static inline void expect_error(int rc, int status, const char *start, const char *part) {
    const char *message = dun_error_message();
    if (rc != status)
        fail_msg("status %d instead of %d; wanted: %s ... %s", rc, status, start, part);
    if (strncmp(message, start, strlen(start)) != 0 || !strstr(message, part))
        fail_msg("message: %s\nis not:  %s ... %s", message, start, part);
    assert_null(strchr(message, '\n'));
}

/* Runs `run` with its first, second, ... operation failing until none does; each failure must be DUN_FAILED
 * with a message and leave no block behind. `run` cleans up after itself. */
static inline void walk_failures(int (*run)(void)) {
    const size_t live = dun_mem_live();
    int rc = DUN_FAILED;
    unsigned long n = 0;
    while (rc < 0) {
        if (++n == 10000)
            fail_msg("no end of failures");
        dun_error_clear();
        dun_fault_set(n);
        rc = run();
        dun_fault_set(0);
        assert_int_equal(dun_mem_live(), live);
        if (rc < 0 && (rc != DUN_FAILED || !dun_error_message()[0]))
            fail_msg("failure %lu gave %d: %s", n, rc, dun_error_message());
    }
    assert_true(n > 1);
}

#endif
