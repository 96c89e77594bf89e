/* A folder of results of devices (result.h), judged against each other, and their page. */
#ifndef DUN_RESULTS_H
#define DUN_RESULTS_H

#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>

/* Results of one device that are further apart than this, relatively, are both shown. */
#define DUN_RESULTS_TWINS 0.15

/* Whether a folder holds files that end in .json, and is no run's, sweep's or comparison's. */
bool dun_results_are_in(const char *folder);

/* Every *.json of a folder, by name: [{"file": its name, "result": {..}}]. DUN_BAD_INPUT: one is no result.
 */
int dun_results_read(json_t **out, const char *folder);

/* Adds "verdict" to each: {"class", "wrong", "apart", "step", "own_build", "same_as", "others", "differs"}.
 *
 * Results of one work and one class of precision are held against the median of their losses, step by step:
 * what is further from it than the band is wrong. Of two that disagree both are, until a third decides. What
 * computes in float32 (or split) on float32's or stored weights is one class, anything coarser one of its
 * own. `kernels`: results of another text of kernels are own builds. Of results of one device in one setup
 * those within 15 % of an earlier one are the "same_as" that one (an index), which counts the "others"; what
 * is further apart "differs" by so much. */
int dun_results_judge(json_t *results, const char *kernels);

/* The setup's class: "float32", or words. */
int dun_results_class(dun_str *out, const json_t *result);

/* Reads, judges, and writes the page to a file. */
int dun_results_write(const char *out_path, const char *folder);

#endif
