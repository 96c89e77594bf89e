/* Products of factors in parts of bfloat16 (host/kernels/parts.cl): the precisions and the variants that
 * compute them. */
#ifndef DUN_PARTS_H
#define DUN_PARTS_H

#include "base/str.h"
#include "dev/precision.h"
#include "dev/programs.h"

typedef struct {
    const char *word, *meaning;
    /* Parts of each factor in the text pass, in other passes forward, backward; 0: floats. */
    int texts, forward, backward;
} dun_precision;

/* The precision of a word, or NULL. The first of the table is float32. */
const dun_precision *dun_precision_find(const char *word);

/* Whether all products are of parts, so that no weight is needed as floats; how many parts there are, 0 for
 * none. */
bool dun_precision_is_all(const dun_precision *precision);
int dun_precision_parts(const dun_precision *precision);

/* What computes them, from the fastest on. Packing and layouts are the same for all. */
typedef struct {
    const char *name;
    bool matrix_unit;  /* known to be so fast that auto takes split */
    bool instructions; /* such as drivers may choke on: it is tried in a process of its own first */
    /* NULL when the device has what it needs, else why not. */
    const char *(*cannot)(const dun_device_info *info);
    dun_topic topic; /* with the kernel parts_product */
    /* Items of the work-group that computes a tile, which is as many panels and pairs of row tiles; 0: items
     * work by themselves, on as many as are good for their caches. */
    uint32_t items, panels, pairs;
} dun_variant;

extern const dun_variant *const dun_variants[]; /* NULL-terminated; the last runs everywhere */
const dun_variant *dun_variant_find(const char *name);

/* The first that can run on a device, and that nothing is known against; of `units`, those with a matrix unit
 * and the last. *why: what is against faster ones that the device has, or "". Asks a child process where that
 * was not done (variant_try.h). */
const dun_variant *dun_variant_choose(dun_str *why, const dun_device_info *info, bool units);

#endif
