/* Which part of the runs of a sweep is this process's. */
#ifndef DUN_PART_H
#define DUN_PART_H

#include <stdint.h>

/* One of n parts, from 0. */
typedef struct {
    uint32_t part, n_parts;
} dun_part;

/* Reads "i/n", i from 1; or "slurm": the task of a job array that Slurm says this is. DUN_USAGE: anything
 * else; no job array; one whose tasks are not numbered evenly, so that their place is not known. */
int dun_part_read(dun_part *part, const char *text);

#endif
