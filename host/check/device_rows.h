/* Every OpenCL device, what a run would take there, and what its self-test found: for people, and as JSON. */
#ifndef DUN_DEVICE_ROWS_H
#define DUN_DEVICE_ROWS_H

#include "check/trust.h"
#include "dev/choice.h"

#include <jansson.h>

/* What a run on a device would take, and what its self-test found. */
typedef struct {
    dun_choice choice;
    char cannot[DUN_REASON_BYTES]; /* why that cannot run, or "" */
    dun_verdict verdict;
} dun_device_choice;

/* All devices in the driver's order, and which of them a selector means. */
typedef struct {
    dun_device_info *infos;
    dun_device_choice *choices; /* [n]; of those that are wanted and not broken */
    size_t n;
    uint32_t *wanted; /* [n_wanted] indices into infos */
    size_t n_wanted;
    uint32_t best; /* what "best" means, n when there is no usable device */
} dun_device_rows;

/* `selector` NULL: all. `perhaps_none`: that there is no device is no failure. `rows` is for
 * dun_device_rows_free in any case. */
int dun_device_rows_list(dun_device_rows *rows, const char *selector, bool perhaps_none);
void dun_device_rows_free(dun_device_rows *rows);

/* Appends an object for each that is wanted. */
int dun_device_rows_json(json_t *array, const dun_device_rows *rows);

/* A driver's text as a JSON string; NULL without memory. */
json_t *dun_driver_text_json(const char *bytes);

#endif
