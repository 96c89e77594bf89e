/* tokenizer.json as a tokenizer's description. See read_json.h. */
#include "io/token/read_json.h"

#include "base/err.h"

int dun_tokenizer_read_json(dun_tokenizer **out, const char *folder) {
    *out = NULL;
    return dun_error(DUN_BAD_INPUT,
                     "%s/tokenizer.json: tokenizers of folders are not read yet; a GGUF file is", folder);
}
