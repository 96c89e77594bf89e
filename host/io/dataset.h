/* Labelled texts from TSV, CSV (RFC 4180) and JSONL files, plain or gzip; labels to class ids. */
#ifndef DUN_DATASET_H
#define DUN_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *text; /* UTF-8, zero-terminated, no NUL inside */
    size_t length;
    uint32_t label; /* class id, 0..K-1 */
    uint32_t line;  /* where it stands in the file, from 1 */
} dun_example;

typedef struct {
    dun_example *examples; /* in file order */
    size_t n;
    char *bytes; /* owns the texts */
} dun_dataset;

/* Class names by id, and which label of a file means which id. */
typedef struct {
    char **names; /* [n_classes], the label as written in the map or the file */
    uint32_t n_classes;
    bool fixed; /* from a label map: labels not in it are errors; else they were gathered from the training
                   file */
} dun_labels;

/* How to read a file; strings as in the config's [data] section. */
typedef struct {
    const char *format;      /* "auto" (by the name's ending, .gz looked through) | "tsv" | "csv" | "jsonl" */
    const char *text_column; /* name or 0-based number; NULL or "": the first, or "text" in JSONL */
    const char *label_column; /* likewise; the second, or "label" */
    bool header;              /* the first line names the columns */
    size_t limit;             /* keep the first so many examples; 0: all */
} dun_dataset_options;

/* label map such as "bad:0, good:1"; an empty map leaves `labels` to be filled by the first dataset read:
 * the labels found, sorted, integers by value. DUN_USAGE for a malformed map (`where` names the place). */
int dun_labels_parse(dun_labels *labels, const char *map, const char *where);
void dun_labels_free(dun_labels *labels);

/* Reads a file. With labels->n_classes == 0 the labels found become the classes (at least two needed);
 * otherwise each must be a class name (or an id, with a map). DUN_BAD_INPUT: `path:line: what; what would be
 * right`. */
int dun_dataset_read(dun_dataset **out, dun_labels *labels, const char *path,
                     const dun_dataset_options *options);
/* The same from bytes in memory already decompressed; `name` is used in messages and for format = auto. */
int dun_dataset_parse(dun_dataset **out, dun_labels *labels, const uint8_t *bytes, size_t length,
                      const char *name, const dun_dataset_options *options);
void dun_dataset_free(dun_dataset *dataset);

#endif
