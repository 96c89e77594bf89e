/* Tokenizers from Hugging Face folders: tokenizer.json, and tokenizer_config.json where that is silent. */
#ifndef DUN_TOKEN_READ_JSON_H
#define DUN_TOKEN_READ_JSON_H

#include "io/token/tokenizer.h"

/* Reads tokenizer.json of a folder. DUN_BAD_INPUT names the file, the part and what is wrong with it: no such
 * file, a model, normalizer, pre-tokenizer or post-processor that is not followed (those that are get
 * listed), merges naming unknown tokens, ids out of range ... */
int dun_tokenizer_read_json(dun_tokenizer **out, const char *folder);

#endif
