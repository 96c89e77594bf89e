/* Time spent, for reports; nothing computed depends on it. */
#ifndef DUN_CLOCK_H
#define DUN_CLOCK_H

/* Seconds of a clock that only goes forward. */
double dun_clock_seconds(void);

/* Seconds since 1970, for timestamps. */
double dun_clock_now(void);

#endif
