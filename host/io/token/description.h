/* What a tokenizer is made of, whatever file it was read from: tokens and their kinds, merges by rank, the
 * pattern that cuts words, and what begins a text. */
#ifndef DUN_TOKEN_DESCRIPTION_H
#define DUN_TOKEN_DESCRIPTION_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dun_token_kind {
    DUN_TOKEN_NORMAL,
    DUN_TOKEN_CONTROL, /* <|im_start|>: recognised inside a text before it is cut into words, where it may be
                        */
    DUN_TOKEN_WHOLE,   /* recognised likewise, everywhere: characters that no merge puts together */
    DUN_TOKEN_BYTE,    /* "<0xNN>", which stands for a byte */
};

typedef struct {
    dun_slice left, right;
} dun_merge;

typedef struct {
    /* For messages: the file, and what it calls its parts. */
    const char *file, *tokens_name, *merges_name, *pattern_name;
    const dun_slice *tokens; /* as the file writes them; ids are 0 .. n_tokens - 1 */
    const uint8_t *kinds;    /* [n_tokens] enum dun_token_kind; NULL: all normal */
    size_t n_tokens;         /* below 2^32 - 1 */
    const dun_merge *merges;
    size_t n_merges;
    dun_slice pattern; /* a name of pretokenizer.h */
    bool add_bos;      /* `bos` begins every text that is not inside another */
    uint32_t bos;
} dun_token_description;

/* Records what is wrong with one element of a part; returns DUN_BAD_INPUT. */
int dun_token_refuse(const char *file, const char *part, size_t index, dun_slice text, const char *fault);

#endif
