/* What dataset.c, delimited.c (TSV, CSV), jsonl.c and labels.c share; nobody else includes this. */
#ifndef DUN_DATASET_INSIDE_H
#define DUN_DATASET_INSIDE_H

#include "io/dataset.h"

/* A dataset being read from valid UTF-8 without NUL. */
typedef struct {
    const char *name; /* of the file, for messages */
    const char *at, *end;
    size_t line; /* the one `at` is in, from 1 */
    const dun_dataset_options *options;
    dun_labels *labels;
    bool gather; /* labels are new classes instead of being looked up */
    dun_dataset *dataset;
    size_t bytes_used, capacity;
} dun_dataset_reader;

/* A text or label as it stands in the file. */
typedef struct {
    const char *bytes;
    size_t length;
    bool quoted; /* "" stands for one quote */
} dun_field;

/* Read the rest of the file, or as far as the limit. */
int dun_delimited_read(dun_dataset_reader *r, char delimiter, bool quotes);
int dun_jsonl_read(dun_dataset_reader *r);

/* At the start of a line: goes to the end when only blank lines follow, refuses one blank line before others.
 */
int dun_dataset_skip_blank(dun_dataset_reader *r);

bool dun_dataset_full(const dun_dataset_reader *r); /* the limit is reached */

/* Adds one example, checked and copied. */
int dun_dataset_add(dun_dataset_reader *r, const dun_field *text, const dun_field *label, size_t line);

/* A file begins: counts start at 0. */
void dun_labels_begin(dun_labels *labels);

/* The class id of a label as it was found, at most DUN_LABEL_BYTES, or a provisional id for a new one when
 * labels are being gathered. */
int dun_labels_find(uint32_t *id, const dun_dataset_reader *r, const char *found, size_t line);

/* Gives gathered labels their final ids, in the examples as well. */
int dun_labels_settle(dun_labels *labels, dun_dataset *dataset);

/* Warns of what was noticed about the labels of the file read: spellings of one, others that look alike. */
int dun_labels_tell(const dun_dataset_reader *r);

/* Warns where the first example, of a format with columns, was a line that names them. */
int dun_labels_tell_header(const dun_dataset_reader *r);

/* The error for a label that is not known, with what is. */
int dun_labels_refuse(const dun_dataset_reader *r, const char *word, size_t line);

/* Reads a text of digits alone, at most nine; false when it is none. */
bool dun_dataset_number(size_t *number, const char *text);

#endif
