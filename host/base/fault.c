/* Counts the fault.operations that may fail, and says which one has to; the environment is read at the first.
 */
#include "base/fault.h"

#include <stdatomic.h>
#include <stdlib.h>

static struct {
    atomic_bool environment_read;
    atomic_ulong operations, fail_at;
} fault;

bool dun_fault_here(void) {
    if (!fault.environment_read) {
        const char *text = getenv("DUNLIN_FAIL_AT");
        fault.environment_read = true;
        if (text && !fault.fail_at)
            fault.fail_at = strtoul(text, NULL, 10);
    }
    unsigned long n = atomic_fetch_add(&fault.operations, 1) + 1;
    return fault.fail_at && n == fault.fail_at;
}

void dun_fault_set(unsigned long n) {
    fault.environment_read = true;
    fault.operations = 0;
    fault.fail_at = n;
}

unsigned long dun_fault_count(void) {
    return fault.operations;
}
