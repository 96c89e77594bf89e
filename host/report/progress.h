/* What a long job is doing, on stderr or another stream: on a terminal a bar that is drawn at most ten times
 * a second and turns into one line when its stage ends; elsewhere (and on dumb terminals) only those lines.
 */
#ifndef DUN_PROGRESS_H
#define DUN_PROGRESS_H

#include "base/observer.h"
#include "base/stage.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Appends one line of at most `columns` columns, no newline. What does not fit goes, in this order: the bar's
 * length, the counts, the speed, the bar, the note, the time left; then the line is cut. `color` adds ANSI
 * sequences. */
int dun_progress_format(dun_str *out, const dun_stage *state, size_t columns, bool color);

typedef struct {
    FILE *stream;
    bool quiet, verbose, live, color;
    bool open;  /* a stage is under way */
    bool drawn; /* a bar is on the screen */
    char stage[64], unit[32], note[160];
    uint64_t done, total;
    double began, drawn_at;
} dun_progress;

/* Progress on a stream, which stays borrowed; `quiet`: none at all. `verbose` may be set afterwards: details
 * are shown too. From now until dun_progress_close a warning takes the bar off the screen first. */
void dun_progress_init(dun_progress *progress, FILE *stream, bool quiet);

/* Takes an unfinished bar off the screen; to be called before a message about a failure. */
void dun_progress_close(dun_progress *progress);

/* The progress as what a job reports to. It stays borrowed. */
dun_observer dun_progress_observer(dun_progress *progress);

#endif
