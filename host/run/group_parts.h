/* The inside of a group of runs: what opening it (group_open.c), running it (group.c) and sharing it
 * (group_share.c) have of each other. */
#ifndef DUN_GROUP_PARTS_H
#define DUN_GROUP_PARTS_H

#include "run/group.h"

/* "config lr=1e-2 seed=3", what tells a row from the others. */
int dun_group_add_label(dun_str *out, const dun_group *group, const dun_sweep_row *row);

/* Where each run has a folder of its own: the one that its order or its config says; "" for runs/NAME. */
const char *dun_group_wanted_folder(const dun_group *group, size_t index);

/* Says which run begins, carries it out and notes how it ended. `run` is claimed already, and `resume`d;
 * NULL: a new one. Negative: nothing more can be done. */
int dun_group_run_one(dun_group *group, size_t index, dun_run_dir *run, bool resume);

/* dun_group_run of shared runs. */
int dun_group_run_shared(dun_group *group);

#endif
