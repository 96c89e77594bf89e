/* Counts the records of a file that were passed over, and tells of them in one line. */
#ifndef DUN_TALLY_H
#define DUN_TALLY_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

enum dun_passed {
    DUN_PASSED_EMPTY,      /* no text, or blanks only */
    DUN_PASSED_UNLABELLED, /* no label */
    DUN_PASSED_UNEVEN,     /* another number of columns than the rest */
    DUN_N_PASSED
};

/* Share of records, in percent, above which a file is not what it is taken for; one is always fine. */
enum { DUN_TALLY_PERCENT = 5, DUN_TALLY_LINES = 5 };

typedef struct {
    size_t n_read;  /* records, blank ones not counted */
    size_t n_blank; /* lines, and rows of empty fields */
    size_t n[DUN_N_PASSED];
    size_t lines[DUN_N_PASSED][DUN_TALLY_LINES]; /* of the first ones */
} dun_tally;

void dun_tally_add(dun_tally *tally, enum dun_passed why, size_t line);
size_t dun_tally_passed(const dun_tally *tally); /* records that were passed over */
bool dun_tally_too_many(const dun_tally *tally);

/* Appends "read 4,812 of 4,815 rows: 2 empty texts (17, 90), 1 without a label (401)". */
int dun_tally_tell(dun_str *out, const dun_tally *tally);

/* DUN_BAD_INPUT: up to this line there was nothing but so many blank lines, rows of empty fields among them.
 */
int dun_tally_refuse_none(const char *name, size_t line, size_t n_blank);

#endif
