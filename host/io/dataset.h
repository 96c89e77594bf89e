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

/* A word that stands for a class in a file. */
typedef struct {
    char *word;
    uint32_t id;
} dun_label;

/* Class names by id, and which label of a file means which id. */
typedef struct {
    char **names; /* [n_classes], the label as written in the map or the file; the first of several words */
    uint32_t n_classes;
    bool fixed; /* from a label map: labels not in it are errors; else they were gathered from the training
                   file */
    bool ids;   /* class ids are labels too: in a map none of whose words is a whole number */
    dun_label *words; /* [n_words] every word of every class, in byte order; owns the names */
    size_t n_words, capacity;
} dun_labels;

/* Caps: bytes of a text; bytes of a label; classes. */
enum { DUN_TEXT_BYTES = 64 << 20, DUN_LABEL_BYTES = 255, DUN_CLASSES = 4096 };

/* How to read a file; strings as in the config's [data] section. */
typedef struct {
    const char *format;      /* "auto" (by the name's ending, .gz looked through) | "tsv" | "csv" | "jsonl" */
    const char *text_column; /* name or 0-based number; NULL or "": the first. In JSONL a key, else "text" */
    const char *label_column; /* likewise; the second, or "label" */
    bool header;              /* the first line names the columns; a column's name comes before its number */
    size_t limit;             /* keep the first so many examples, and look no further; 0: all */
    bool training;            /* at least two classes must occur even when the labels are known already */
} dun_dataset_options;

/* label map such as "bad:0, good:1, fine:1": several words may mean one class, whose name the first one is;
 * the ids are 0..K-1 without a hole. An empty map (or NULL) leaves `labels` to be filled by the first dataset
 * read: the labels found, sorted bytewise, by value if all are whole numbers. DUN_USAGE for a malformed map
 * (`where` names the place); `labels` is then empty. */
int dun_labels_parse(dun_labels *labels, const char *map, const char *where);
void dun_labels_free(dun_labels *labels);

/* Reads a file, gzip by its first bytes. With labels->n_classes == 0 the labels found become the classes (at
 * least two needed); otherwise each must be a class name (or an id, with a map).
 * Texts are kept exactly. Lines end with LF or CRLF; blank ones are fine at the end only; a byte order mark
 * is skipped. TSV has no quoting; in CSV (RFC 4180) a quote may only open a field or be doubled in a quoted
 * one; in JSONL texts are strings, labels strings, whole numbers, true or false. DUN_BAD_INPUT: `path:line:
 * what; what would be right`: an empty file or text, an unknown label, another number of columns than line 1
 * has, an open quote, NUL, bytes that are not UTF-8, over a cap, ... In JSONL `path:line:column:`. DUN_USAGE:
 * columns or a format that cannot be. After a failure *out is NULL, and labels that were to be filled are
 * empty. */
int dun_dataset_read(dun_dataset **out, dun_labels *labels, const char *path,
                     const dun_dataset_options *options);
/* The same from bytes in memory already decompressed; `name` is used in messages and for format = auto. */
int dun_dataset_parse(dun_dataset **out, dun_labels *labels, const uint8_t *bytes, size_t length,
                      const char *name, const dun_dataset_options *options);
void dun_dataset_free(dun_dataset *dataset);

#endif
