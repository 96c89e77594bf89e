/* Texts and labels that a program has in memory, instead of in a file, as a data set. */
#ifndef DUN_GIVEN_H
#define DUN_GIVEN_H

#include "io/data/dataset.h"

/* All of it belongs to whoever gives it, and stays as long as the data set. */
typedef struct {
    const char *name; /* for messages: "training text" */
    size_t n;
    const char *const *texts; /* UTF-8, zero-terminated, no NUL inside; empty ones are texts too */
    const size_t *lengths;
    const char *const *labels; /* at most DUN_LABEL_BYTES, not blank */
    const double *weights; /* of each in the loss, finite and not negative; NULL: 1. In training one of weight
                              0 is as if it were not there; elsewhere they are not looked at */
    const uint32_t *lines; /* where each stood in its file; NULL: its index + 1 */
} dun_given;

/* As dun_dataset_read, with labels->n_classes likewise: what a file with these records gives. `training`: at
 * least two classes must occur. DUN_BAD_INPUT: `name:index: what`, the index from 0. */
int dun_dataset_of_given(dun_dataset **out, dun_labels *labels, const dun_given *given, bool training);

#endif
