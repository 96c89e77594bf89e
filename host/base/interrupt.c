/* The flag that asks jobs to stop, and the count of wishes for a checkpoint. */
#include "base/interrupt.h"

#include <stdatomic.h>

static struct {
    atomic_bool stop; /* both lock-free where there are signal handlers at all */
    atomic_uint saves;
} wanted;

void dun_interrupt(void) {
    wanted.stop = true;
}

static _Thread_local enum dun_wanted here;

bool dun_interrupted(void) {
    return wanted.stop || here == DUN_STOP;
}

void dun_want(enum dun_wanted what) {
    here = what;
}

bool dun_end_wanted(void) {
    return here == DUN_END;
}

void dun_save_wish(void) {
    wanted.saves++;
}

unsigned dun_save_wishes(void) {
    return wanted.saves;
}
