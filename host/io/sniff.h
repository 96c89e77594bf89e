/* What a file of labelled texts is like, as far as its first lines tell: format, header, which column is the
 * text and which the label. */
#ifndef DUN_SNIFF_H
#define DUN_SNIFF_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    const char *format; /* "tsv", "csv" or "jsonl" */
    bool by_ending;     /* the file's name tells the format as well */
    bool header;
    char *text_column, *label_column; /* a JSON key, a name of the header, or a number */
    size_t text, label;               /* the same as numbers from 0; JSON keys in order of appearance */
} dun_sniffed;

/* Looks at decompressed bytes; `name` is the file's. `text` and `label` name columns that the user knows
 * already, or are NULL. DUN_BAD_INPUT: nothing to find, with what there is and what would be right. */
int dun_sniff(dun_sniffed *out, const char *bytes, size_t length, const char *name, const char *text,
              const char *label);
void dun_sniffed_free(dun_sniffed *sniffed);

#endif
