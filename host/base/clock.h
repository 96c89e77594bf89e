/* Time spent, for reports; nothing computed depends on it. */
#ifndef DUN_CLOCK_H
#define DUN_CLOCK_H

#include <time.h>

/* Seconds of a clock that only goes forward. */
double dun_clock_seconds(void);

/* Seconds that processors have worked for this process, all of its threads together. */
double dun_clock_processor(void);

/* Seconds since 1970, for timestamps. */
double dun_clock_now(void);

/* The same of a file's time. */
double dun_clock_of(struct timespec at);

#endif
