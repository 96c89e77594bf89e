/* What a file of labelled texts is like, judged by all of it: form, header, which column is the text and
 * which the label. A judgement is a guess: it names the runners-up. */
#ifndef DUN_JUDGE_H
#define DUN_JUDGE_H

#include "io/data/records.h"

enum { DUN_JUDGED_LABELS = 5 };

/* A column that could be the label. */
typedef struct {
    char *column; /* a JSON key, a name of the header, or a number */
    size_t n_values;
    char *samples; /* some of them: "bad, good, ..." */
    double score;
} dun_label_guess;

typedef struct {
    dun_dialect dialect;
    const char *format; /* as data.format */
    bool by_ending;     /* the file's name tells the format as well */
    bool header;
    char *text_column, *label_column;
    size_t text, label; /* the same as numbers from 0; JSON keys in order of appearance */
    dun_label_guess labels[DUN_JUDGED_LABELS]; /* the likeliest first; one when the user named it */
    size_t n_labels;
    bool close; /* the second is as likely as the first */
} dun_judged;

/* `text` and `label` name columns that the user knows already, or are NULL. DUN_BAD_INPUT: nothing to find,
 * with what there is and what would be right; DUN_USAGE: two columns are as likely the texts. */
int dun_judge(dun_judged *out, const dun_text_file *file, const char *text, const char *label);

/* Appends a line for each column that could be the label, numbered from 1. */
int dun_judged_list(dun_str *out, const dun_judged *judged);
void dun_judged_free(dun_judged *judged);

/* The column of the texts alone, in a file whose texts are to be answered. */
typedef struct {
    size_t column; /* its number; of JSON among the keys in the order in which they are met */
    char *name;    /* as dun_judged.text_column; NULL: the file has no column at all */
    bool header;
    bool named; /* it is the one that was asked for */
} dun_judged_text;

/* `wanted` (NULL or "": none) is a name or a number; where the file has no such column DUN_USAGE with those
 * it has if it `must`, else the one that looks like texts. DUN_USAGE as well where two do. DUN_BAD_INPUT:
 * JSON without any text. The name is the caller's. */
int dun_judge_text(dun_judged_text *out, const dun_text_file *file, const dun_dialect *dialect,
                   const char *wanted, bool must);

#endif
