/* Fault injection in the manner of SQLite's tests: DUNLIN_FAIL_AT=n makes the n-th fallible operation
 * (allocation, OpenCL call, file write) of the process fail, so that a test can walk every error path. */
#ifndef DUN_FAULT_H
#define DUN_FAULT_H

#include <stdbool.h>

/* True when the operation about to run is the one that must fail. Every fallible operation asks once. */
bool dun_fault_here(void);

/* Sets the n-th operation from now on to fail; 0 switches injection off. For tests inside one process. */
void dun_fault_set(unsigned long n);

/* Operations counted so far. */
unsigned long dun_fault_count(void);

#endif
