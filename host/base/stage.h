/* A stage of a long job: where it stands, and the words for it that its listeners share. */
#ifndef DUN_STAGE_H
#define DUN_STAGE_H

#include "base/str.h"

#include <stdint.h>

typedef struct {
    const char *stage, *unit; /* "train", "texts" */
    uint64_t done, total;     /* total 0: not known */
    double seconds;           /* since the stage began */
    const char *note;         /* "loss 0.412 acc 0.87"; NULL or "": nothing */
} dun_stage;

/* Units a second, or 0 while nothing can be said; and appended as "47.6/s". */
double dun_stage_speed(const dun_stage *stage);
int dun_stage_add_speed(dun_str *out, double speed);

/* Appends a length of time: "0.25 s", "12.3 s", "1:05", "2:00:09". */
int dun_stage_add_time(dun_str *out, double seconds);

/* Appends the one line that stays, with its newline: "train: 1620 texts in 0:34 (47.6/s), loss 0.412". */
int dun_stage_add_end(dun_str *out, const dun_stage *stage);

#endif
