/* The gate to a folder whose claim is taken over: a file that one process alone can make, and removes again.
 */
#ifndef DUN_CLAIM_GATE_H
#define DUN_CLAIM_GATE_H

#include <stdbool.h>

/* Makes it; *now is the time of the clock that dates files there. One that somebody left in the middle is
 * old, and goes. DUN_FAILED: it cannot be made; *held: another one is at it. */
int dun_claim_gate_open(double *now, bool *held, const char *path);

#endif
