/* What is done to a piece of text before it is cut into words: Unicode's normal forms, replacements, what is
 * put in front; with the place in the piece that every byte of the result comes from. */
#ifndef DUN_EDITS_H
#define DUN_EDITS_H

#include "io/token/description.h"

typedef struct dun_edits dun_edits;

/* A piece of text after its edits; valid until the next call. */
typedef struct {
    const char *bytes;
    size_t length;
    const uint32_t
        *origin; /* [length + 1], rising: the place in the piece of each byte, and of the end; NULL:
                    the same. What lies inside of a changed part comes from that part's end. */
} dun_edited;

enum dun_piece_place {
    DUN_PIECE_FIRST,  /* begins a text */
    DUN_PIECE_LATER,  /* behind an added token */
    DUN_PIECE_INSIDE, /* begins a part of a longer text: nothing is put in front */
};

/* DUN_BAD_INPUT shows a pattern that is not understood; the message says in what `part` of `file`. */
int dun_edits_create(dun_edits **out, const dun_edit *list, size_t n, const char *file, const char *part);
void dun_edits_free(dun_edits *edits);

/* The text is valid UTF-8 of less than 2^32 - 1 bytes. Time is n log n at worst. DUN_BAD_INPUT: the result
 * has 2^32 bytes or more. */
int dun_edits_apply(dun_edited *out, dun_edits *edits, const char *text, size_t length,
                    enum dun_piece_place place);

/* The most bytes that an edit makes of a byte, ASCII or any; what is put in front is not counted. */
size_t dun_edit_growth(const dun_edit *edit, bool ascii);

#endif
