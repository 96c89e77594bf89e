/* Tables of a run that people paste elsewhere, as CSV. */
#ifndef DUN_TABLES_H
#define DUN_TABLES_H

#include "math/metrics.h"
#include "run/rundir.h"

/* Writes history.csv (the lines of history.jsonl, a column for each field that any has), report.csv
 * (precision, recall, F1 and support of each class, accuracy, both averages) and confusion.csv (true classes
 * down, predicted across). `metrics` NULL: the history alone. */
int dun_tables_write(const dun_run_dir *run, const dun_metrics *metrics, char *const *class_names);

#endif
