/* report.html: one or several finished runs as a page to look at. */
#ifndef DUN_REPORT_H
#define DUN_REPORT_H

#include "rundata.h"

#include <stddef.h>

/* Appends the page of n runs, side by side. */
int dun_report_page(dun_text *html, const dun_run_data *runs, size_t n);

/* Reads the runs and writes the page to out_path, atomically. */
int dun_report_write(const char *out_path, const char *const *run_paths, size_t n);

/* What a run's config asks for once it is finished: report.html and the pictures in its folder. */
int dun_report_finish(const char *run_path, bool pictures);

#endif
