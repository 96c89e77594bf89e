/* Labelled texts from files of records, and labels to class ids. */
#ifndef DUN_DATASET_H
#define DUN_DATASET_H

#include "io/data/tally.h"
#include "io/data/text_file.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *text; /* UTF-8, zero-terminated, no NUL inside */
    size_t length;
    uint32_t label; /* class id, 0..K-1 */
    uint32_t line;  /* where it stands in the file, from 1 */
    size_t at;      /* bytes of the text before its record, which alone tells records of one line apart */
    double weight;  /* above 0: by which its loss is multiplied; 1 without a column of weights */
} dun_example;

typedef struct {
    dun_example *examples; /* in file order */
    size_t n;
    char *bytes;         /* owns the texts */
    dun_tally tally;     /* what was read and passed over */
    size_t n_joined;     /* texts that went on in columns without a name */
    size_t n_weightless; /* texts of weight 0, which are left out */
    bool weighted;       /* a weight is not 1 */
} dun_dataset;

/* A spelling that stands for a class. */
typedef struct {
    char *word; /* without blanks around it */
    uint32_t id;
    bool spelled;         /* in a map or file; else it is only what other spellings have in common */
    uint32_t n, n_blanks; /* texts with it in the file read last; those of them with blanks around it */
} dun_label;

/* Class names by id, and which label of a file means which id. */
typedef struct {
    char **names; /* [n_classes], a spelling: the first in the map; else the one met most often, of equals the
                     first in byte order */
    uint32_t n_classes;
    bool fixed; /* from a label map: labels not in it are errors; else they were gathered from the training
                   file */
    bool ids;   /* class ids are labels too: in a map none of whose words is a whole number */
    dun_label *words; /* [n_words] the spellings of all classes as they came, and what their spellings have in
                         common (io/data/label_word.h); owns the names */
    uint32_t *order;  /* [n_words] of them in byte order */
    size_t n_words, capacity, order_capacity;
    uint32_t recent[256]; /* 1 + index of a word looked up lately, by its bytes; 0: none */
} dun_labels;

/* Caps: bytes of a text; bytes of a label; classes. */
enum { DUN_TEXT_BYTES = 64 << 20, DUN_LABEL_BYTES = 255, DUN_CLASSES = 4096 };

/* How to read a file; strings as in the config's [data] section. */
typedef struct {
    const char *format;        /* "auto": by ending and content (io/data/records.h), or a form's name */
    const char *text_column;   /* name or 0-based number; NULL or "": the first. In JSON a key, else "text" */
    const char *label_column;  /* likewise; the second, or "label" */
    bool header;               /* the first line names the columns; a column's name comes before its number */
    size_t limit;              /* keep the first so many examples, and look no further; 0: all */
    bool training;             /* at least two classes must occur even when the labels are known already */
    bool skip_bad_rows;        /* rows without a label, or of another number of columns, are passed over */
    const char *weight_column; /* as the others; NULL or "": every weight is 1 */
} dun_dataset_options;

/* label map such as "bad:0, good:1, fine:1": several words may mean one class, whose name the first one is;
 * the ids are 0..K-1 without a hole. An empty map (or NULL) leaves `labels` to be filled by the first dataset
 * read: the labels found, sorted bytewise, by value if all are whole numbers. Blanks around a label never
 * count; equal numbers, and true and false in any case, are one label (io/data/label_word.h). DUN_USAGE for a
 * malformed map (`where` names the place); `labels` is then empty. */
int dun_labels_parse(dun_labels *labels, const char *map, const char *where);
void dun_labels_free(dun_labels *labels);

/* The class that a word is a label of, blanks around it left out. False: of none. */
bool dun_labels_class(uint32_t *id, const dun_labels *labels, const char *word);

/* Reads a file in any form of io/data/records.h. With labels->n_classes == 0 the labels found become the
 * classes (at least two needed); otherwise each must be a class name (or an id, with a map). Warns of labels
 * that were spelled in several ways, of different ones that look alike, and of a first line that looks like a
 * header. Texts are kept exactly. Blank lines, rows of empty fields and empty texts are passed over and
 * counted; one warning tells of it, and another of texts of weight 0, which are as if they were not there.
 * DUN_BAD_INPUT `path:line: what; what would be right`: no text at all, an
 * unknown label, a weight that is missing, negative or no finite number, weights that are all 0, without
 * skip_bad_rows a missing label or another number of columns, more than
 * DUN_TALLY_PERCENT of the rows passed over, an open quote, NUL, bytes that are not UTF-8, a cap, ...
 * DUN_USAGE: columns or a format that cannot be. After a failure *out is NULL, and labels that were to be
 * filled are empty. */
int dun_dataset_read(dun_dataset **out, dun_labels *labels, const char *path,
                     const dun_dataset_options *options);
int dun_dataset_of_text(dun_dataset **out, dun_labels *labels, const dun_text_file *text,
                        const dun_dataset_options *options);
/* The same from bytes in memory already decompressed; `name` is used in messages and for format = auto. */
int dun_dataset_parse(dun_dataset **out, dun_labels *labels, const uint8_t *bytes, size_t length,
                      const char *name, const dun_dataset_options *options);
/* What the records are, whatever the file is called and however it is written: texts, class names and
 * weights, if one is not 1, in order. */
uint64_t dun_dataset_hash(const dun_dataset *dataset, const dun_labels *labels);
void dun_dataset_free(dun_dataset *dataset);

#endif
