/* Tokenizers from the metadata of GGUF files (tokenizer.ggml.*). */
#ifndef DUN_TOKEN_READ_GGUF_H
#define DUN_TOKEN_READ_GGUF_H

#include "io/store/gguf.h"
#include "io/token/tokenizer.h"

/* DUN_BAD_INPUT names key and index: a model or pre-tokenizer that is not known (the known ones are listed),
 * merges naming unknown tokens, ids out of range... */
int dun_tokenizer_read_gguf(dun_tokenizer **out, const dun_gguf *file);

#endif
