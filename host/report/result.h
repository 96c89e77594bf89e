/* The result of one device: what `dunlin compare --save` writes, one JSON object a file, for others to stand
 * beside. It names no host, no user and no file. docs/devices.md tells what its fields mean; result.c has
 * them as a table. */
#ifndef DUN_RESULT_H
#define DUN_RESULT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define DUN_RESULT_FORMAT "dunlin result"
enum {
    DUN_RESULT_VERSION = 1,
    DUN_RESULT_REPEATS = 5,    /* least repetitions of every figure */
    DUN_RESULT_BAND_STEPS = 20 /* steps whose losses must be within the band, */
};
#define DUN_RESULT_BAND 1e-3 /* of the reference's, relatively */

/* Whether a parsed file is such a result, before anything is looked at. */
bool dun_result_is(const json_t *value);

/* DUN_BAD_INPUT, `name: field: what; what would be right`: it has another version, lacks a part, has a value
 * of another kind, a time that cannot be, or was changed after it was written. */
int dun_result_check(const json_t *result, const char *name);

/* Maps, parses, checks. *out is the caller's, NULL on failure. */
int dun_result_read(json_t **out, const char *path);

/* Adds the checksum, checks, writes. */
int dun_result_write(json_t *result, const char *path);

/* {"n", "least", "median", "most"} of n >= 1 values, which are sorted; NULL without memory. */
json_t *dun_result_spread(double *values, size_t n);

/* The value at a path of keys and indices, "seconds.job.median"; NULL: none. */
const json_t *dun_result_at(const json_t *result, const char *path);
double dun_result_number(const json_t *result, const char *path);    /* NAN: none */
const char *dun_result_text(const json_t *result, const char *path); /* "": none */

/* The largest relative difference of the losses of the first DUN_RESULT_BAND_STEPS steps; infinite where one
 * has fewer steps within these than the other. *step: where it is, from 1. Losses below a hundredth of the
 * first one are measured by that. */
double dun_result_apart(size_t *step, const json_t *losses, const json_t *reference);

#endif
