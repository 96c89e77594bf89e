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

bool dun_interrupted(void) {
    return wanted.stop;
}

void dun_save_wish(void) {
    wanted.saves++;
}

unsigned dun_save_wishes(void) {
    return wanted.saves;
}
