/* Bytes that tokens stand for, and messages about an element of a tokenizer's description. */
#include "io/token/description.h"

#include "base/err.h"
#include "base/utf8.h"

#include <string.h>

static int hex_digit(char c) {
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *found = c ? strchr(digits, c) : NULL;
    return found ? (int)(found - digits) % 16 : -1;
}

int dun_token_byte(dun_slice text) {
    if (text.length != 6 || memcmp(text.bytes, "<0x", 3) != 0 || text.bytes[5] != '>')
        return -1;
    int high = hex_digit(text.bytes[3]), low = hex_digit(text.bytes[4]);
    return high < 0 || low < 0 ? -1 : 16 * high + low;
}

int dun_token_refuse(const char *file, const char *part, size_t index, dun_slice text, const char *fault) {
    dun_str shown = {0};
    int rc = dun_utf8_show(&shown, text.bytes, text.length);
    if (rc == DUN_OK)
        rc = dun_error(DUN_BAD_INPUT, "%s: %s[%zu] '%s' %s", file, part, index, shown.bytes, fault);
    dun_str_free(&shown);
    return rc;
}
