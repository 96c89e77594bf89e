/* What `dunlin tune` tries, as rows. */
#ifndef DUN_TUNE_CANDIDATES_H
#define DUN_TUNE_CANDIDATES_H

#include <stdbool.h>

enum dun_tune_for { DUN_TUNE_CPU = 1, DUN_TUNE_GPU = 2, DUN_TUNE_ALL = 3 };

typedef struct {
    unsigned types; /* devices it is for */
    bool quick;     /* also with --quick */
    const char *gemm, *tiles;
} dun_tune_candidate;

/* First the product: provider and tile, everything else by default. Ends with a row without a provider. */
extern const dun_tune_candidate dun_tune_products[];

/* Then the rest, one after another on top of the fastest so far; `gemm`: only after that provider won. Ends
 * with a row without tiles. */
extern const dun_tune_candidate dun_tune_rows[];

#endif
