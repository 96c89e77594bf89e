/* report.html: one or several finished runs as a page to look at. */
#ifndef DUN_REPORT_H
#define DUN_REPORT_H

#include "report/rundata.h"
#include "run/rundir.h"

#include <stddef.h>

/* Appends the page of n runs, side by side. */
int dun_report_page(dun_str *html, const dun_run_data *runs, size_t n);

/* Reads the runs and writes the page to out_path, atomically. */
int dun_report_write(const char *out_path, const char *const *run_paths, size_t n);

/* What a run leaves once it is finished: report.html in its folder, and where wanted scatter.png, scatter.svg
 * and training.gif. */
int dun_report_finish(const dun_run_dir *run, bool pictures);

#endif
