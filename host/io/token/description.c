/* Messages about an element of a tokenizer's description. */
#include "io/token/description.h"

#include "base/err.h"
#include "base/utf8.h"

int dun_token_refuse(const char *file, const char *part, size_t index, dun_slice text, const char *fault) {
    dun_str shown = {0};
    int rc = dun_utf8_show(&shown, text.bytes, text.length);
    if (rc == DUN_OK)
        rc = dun_error(DUN_BAD_INPUT, "%s: %s[%zu] '%s' %s", file, part, index, shown.bytes, fault);
    dun_str_free(&shown);
    return rc;
}
