/* What a tokenizer is made of, whatever file it was read from: tokens and their kinds, merges by rank or
 * scores, how a text is normalised and cut into words, and what begins a text. */
#ifndef DUN_TOKEN_DESCRIPTION_H
#define DUN_TOKEN_DESCRIPTION_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DUN_NO_TOKEN UINT32_MAX

enum dun_token_kind {
    DUN_TOKEN_NORMAL,
    DUN_TOKEN_ADDED, /* its text is what it stands for: a control token, or characters that no merge joins */
    DUN_TOKEN_APART, /* the same, and nothing else in a text becomes it */
    DUN_TOKEN_BYTE,  /* "<0xNN>", which stands for a byte */
};

typedef struct {
    dun_slice left, right;
} dun_merge;

/* A token that is found in a text as a whole, before the text is cut into words. */
typedef struct {
    uint32_t id;
    dun_slice content;
    bool control;        /* <|im_start|>: plain characters where a text may not spell such */
    bool normalized;     /* looked for in the normalised text, else before */
    bool single_word;    /* not where a letter, mark or numeral stands beside it */
    bool lstrip, rstrip; /* takes along the blanks before it, behind it */
} dun_added_token;

enum dun_edit_kind {
    DUN_EDIT_NFC,
    DUN_EDIT_NFD,
    DUN_EDIT_NFKC,
    DUN_EDIT_NFKD,
    DUN_EDIT_LOWERCASE,
    DUN_EDIT_STRIP,   /* blanks at the `left` and the `right` end are left out */
    DUN_EDIT_REPLACE, /* `content` for each `what`, which is a pattern (regex.h) or stands for itself */
    DUN_EDIT_PREPEND, /* `content` before a piece of text that is not empty and does not begin with `what` */
};

typedef struct {
    enum dun_edit_kind kind;
    const char *what, *content; /* NULL: none */
    bool pattern, left, right;
    bool first; /* DUN_EDIT_PREPEND: only before the piece that begins a text */
} dun_edit;

/* What becomes of the matches of a pattern, and of what lies between them. */
enum dun_cut_kind {
    DUN_CUT_ISOLATED, /* each is a word */
    DUN_CUT_REMOVED,  /* matches are left out */
    DUN_CUT_TO_PREVIOUS,
    DUN_CUT_TO_NEXT,
    DUN_CUT_CONTIGUOUS, /* neighbouring matches are one word */
};

typedef struct {
    const char *pattern; /* regex.h; NULL: none more */
    enum dun_cut_kind kind;
    bool literal; /* the pattern stands for itself */
    bool invert;  /* matches and what lies between them change places */
    bool
        in_alphabet; /* the pattern sees each byte as its character of the byte-level alphabet (alphabet.h) */
} dun_cut;

typedef struct {
    /* For messages: the file, and what it calls its parts. */
    const char *file, *tokens_name, *merges_name, *pattern_name, *edits_name;
    const dun_slice *tokens; /* as the file writes them; ids are 0 .. n_tokens - 1 */
    const uint8_t *kinds;    /* [n_tokens] enum dun_token_kind; NULL: all normal */
    size_t n_tokens;         /* below 2^32 - 1 */
    const dun_merge *merges;
    size_t n_merges;
    const float *scores; /* [n_tokens]: neighbours that spell a token together are joined, the highest score
                            first; merges are not used. NULL: merges */
    const dun_added_token *added;
    size_t n_added;

    bool byte_level; /* tokens are written in the byte-level alphabet; else in the characters of the text */
    bool byte_fallback; /* a character without a token becomes its bytes, "<0xNN>" */
    bool fuse_unknown;  /* neighbours without a token become one `unknown` */
    bool ignore_merges; /* a word that is a token is one, whatever the merges say */
    uint32_t unknown;   /* stands for what has no token; DUN_NO_TOKEN: that is left out */

    const dun_edit *normal; /* what is done to each piece of text between added tokens */
    size_t n_normal;
    const dun_edit *prepare; /* and between those that are looked for in the normalised text */
    size_t n_prepare;
    const dun_cut *cuts; /* each cuts the words of the one before */
    size_t n_cuts;
    const uint32_t *begin; /* ids that begin every text which is not inside another */
    size_t n_begin;
} dun_token_description;

/* The byte that "<0xNN>" stands for, or -1. */
int dun_token_byte(dun_slice text);

/* Records what is wrong with one element of a part; returns DUN_BAD_INPUT. */
int dun_token_refuse(const char *file, const char *part, size_t index, dun_slice text, const char *fault);

#endif
