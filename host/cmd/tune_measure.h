/* dunlin tune --measure: what tune starts itself for, once for each candidate. */
#ifndef DUN_TUNE_MEASURE_H
#define DUN_TUNE_MEASURE_H

#include "cmd/shell/options.h"

/* Measures "GEMM TILES" for the shapes of a model and prints a line of JSON. */
int dun_tune_measure_here(const dun_args *args, const char *candidate, const char *model,
                          const char *device_name);

#endif
