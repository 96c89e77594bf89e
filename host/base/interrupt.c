/* The one flag that asks jobs to stop. */
#include "base/interrupt.h"

#include <stdatomic.h>

static atomic_bool wanted; /* lock-free where there are signal handlers at all */

void dun_interrupt(void) {
    wanted = true;
}

bool dun_interrupted(void) {
    return wanted;
}
