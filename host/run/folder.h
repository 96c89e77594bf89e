/* The folder of what writes several files: a run, a sweep, a comparison, an export. It is new or was empty,
 * for what is in a folder already is never overwritten or mixed with other files, and it is claimed, so that
 * of several that want it at once one has it. */
#ifndef DUN_FOLDER_H
#define DUN_FOLDER_H

#include "run/claim.h"

/* In the folder of several runs: what they are (sweep_plan.h). */
#define DUN_PLAN_FILE "plan.json"

/* To be asked before anything is computed: DUN_FAILED where dun_folder_claim could not have it as it is now.
 * "" is for dun_folder_claim_name. Changes nothing. */
int dun_folder_look(const char *folder);

/* Makes the folder and its parents, or takes an empty one, or one that a command which was killed had just
 * begun. DUN_FAILED: it holds a run, or files that dunlin did not make there, by name; somebody works in it,
 * by process and host; it cannot be made or written. */
int dun_folder_claim(dun_claim **out, const char *folder);

/* Likewise the folder of a run that others may want at the same time, or have begun: NULL where one of them
 * has it at this moment. DUN_FAILED: it cannot be made or written, or holds neither a run nor nothing. */
int dun_folder_share(dun_claim **out, const char *folder);

/* Makes and claims runs/NAME, or the first of runs/NAME-2, -3 ... that nobody has; its path is newly
 * allocated. */
int dun_folder_claim_name(dun_claim **out, char **path, const char *name);

/* A run was begun there, by this version (its mark) or by 0.1 (config.ini and a file that a training makes).
 */
bool dun_folder_is_run(const char *folder);

#endif
