/* Counts the operations that may fail, and says which one has to; the environment is read at the first. */
#include "base/fault.h"

#include <stdatomic.h>
#include <stdlib.h>

static atomic_bool environment_read;
static atomic_ulong operations, fail_at;

bool dun_fault_here(void) {
    if (!environment_read) {
        const char *text = getenv("DUNLIN_FAIL_AT");
        environment_read = true;
        if (text && !fail_at)
            fail_at = strtoul(text, NULL, 10);
    }
    unsigned long n = atomic_fetch_add(&operations, 1) + 1;
    return fail_at && n == fail_at;
}

void dun_fault_set(unsigned long n) {
    environment_read = true;
    operations = 0;
    fail_at = n;
}

unsigned long dun_fault_count(void) {
    return operations;
}
