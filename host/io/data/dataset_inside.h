/* What dataset.c, dataset_columns.c and labels.c share; nobody else includes this. */
#ifndef DUN_DATASET_INSIDE_H
#define DUN_DATASET_INSIDE_H

#include "io/data/dataset.h"
#include "io/data/records.h"

/* A dataset being read. */
typedef struct {
    const char *name; /* of the file, for messages */
    const dun_dataset_options *options;
    dun_dialect dialect;
    dun_records *records;
    size_t text, label, weight; /* their columns; SIZE_MAX: a JSON key that was not met yet, or no weights */
    const char *text_key, *label_key, *weight_key; /* of JSON; else NULL */
    size_t spill_end; /* unnamed columns from the text's on, up to here, hold the rest of texts; 0: none */
    dun_labels *labels;
    bool gather; /* labels are new classes instead of being looked up */
    dun_dataset *dataset;
    dun_str bytes, joined; /* the texts, zero-terminated, one after another; one with what was spilled */
    size_t capacity;
} dun_dataset_reader;

/* Finds the columns that the options name, or the usual ones, and reads the header for it. */
int dun_dataset_find_columns(dun_dataset_reader *r);

/* JSON: the columns of keys that were met by now. The first record must have both. */
int dun_dataset_find_keys(dun_dataset_reader *r, const dun_record *record);

/* Is there a column of weights, met or not? And the weight in a cell of it, 0 or more. DUN_BAD_INPUT names
 * the line. */
bool dun_dataset_has_weights(const dun_dataset_reader *r);
int dun_dataset_weight(double *weight, const dun_dataset_reader *r, const dun_cell *cell, size_t line);

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
