/* What the names in tokenizer.ggml.pre mean: how byte-level vocabularies cut texts into words, and what is
 * usual for them where a file is silent. */
#ifndef DUN_PRE_TAGS_H
#define DUN_PRE_TAGS_H

#include "io/token/description.h"

enum { DUN_PRE_CUTS = 6 };

typedef struct {
    const char *names;              /* with a space between them */
    dun_cut cuts[DUN_PRE_CUTS + 1]; /* ends with a NULL pattern */
    bool ignore_merges;
    bool add_bos; /* where the file does not say */
} dun_pre_tag;

/* The row of a name; DUN_BAD_INPUT names the nearest known ones: an unknown name is a new tokenizer. The
 * message says in what `part` of `file` it is. */
int dun_pre_tag_find(const dun_pre_tag **out, dun_slice name, const char *file, const char *part);

/* The pattern of GPT-2, which ByteLevel of tokenizer.json means. */
extern const char dun_pre_gpt2[];

/* Are texts of this name's vocabulary normalised to NFC? Files do not say it. */
bool dun_pre_tag_is_nfc(dun_slice name);

/* The name that fits tokens whose file leaves it out, or NULL. */
const char *dun_pre_tag_guess(const dun_slice *tokens, size_t n);

#endif
