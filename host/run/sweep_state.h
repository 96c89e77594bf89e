/* How the runs of a sweep stand, as their folder tells: the rows of the table of runs that several processes
 * share. A run that is whole has its metrics.json; one that ended otherwise has NAME.json beside its folder:
 *
 *   {"status": "diverged", "message": "...", "steps": 12, "last_loss": null, "seconds": 3.5, "host": "name"}
 */
#ifndef DUN_SWEEP_STATE_H
#define DUN_SWEEP_STATE_H

#include "run/sweep_table.h"

/* Brings one row up to date; its figures too, once it has ended. What cannot be read is a row that failed. */
int dun_sweep_row_look(dun_sweep_row *row, const char *folder);

/* All rows that have not ended well. *changed: one has ended since. */
int dun_sweep_look(bool *changed, dun_sweep_table *table, const char *folder);

/* There is nothing left to do: it is done, or its loss diverges, as it would anywhere. */
bool dun_sweep_row_is_over(const dun_sweep_row *row);

/* Writes down that a run failed or diverged; takes that back before another try. */
int dun_sweep_row_note(const dun_sweep_row *row, const char *folder);
int dun_sweep_row_forget(const dun_sweep_row *row, const char *folder);

/* "FOLDER/NAME" of a row's run; newly allocated, NULL with the error recorded. */
char *dun_sweep_row_path(const dun_sweep_row *row, const char *folder);

#endif
