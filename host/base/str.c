/* The string builder: appends, its room doubled when it is full. */
#include "base/str.h"

#include "base/err.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static int reserve(dun_str *text, size_t extra) {
    if (text->length + extra < text->capacity)
        return DUN_OK;
    size_t wanted = text->capacity ? text->capacity : 64;
    while (wanted <= text->length + extra)
        wanted *= 2;
    char *grown = dun_realloc(text->bytes, wanted, 1);
    if (!grown)
        return DUN_FAILED;
    text->bytes = grown;
    text->capacity = wanted;
    return DUN_OK;
}

int dun_str_add(dun_str *text, const char *bytes, size_t length) {
    int rc;
    TRY(reserve(text, length + 1));
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
out:
    return rc;
}

int dun_str_addf(dun_str *text, const char *format, ...) {
    int rc;
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    if (length < 0)
        TRY(dun_error(DUN_FAILED, "cannot format text"));
    TRY(reserve(text, (size_t)length + 1));
    vsnprintf(text->bytes + text->length, (size_t)length + 1, format, again);
    text->length += (size_t)length;
out:
    va_end(again);
    va_end(args);
    return rc;
}

int dun_str_add_field(dun_str *text, const char *bytes, size_t length) {
    size_t begin = text->length;
    int rc = dun_str_add(text, bytes, length);
    for (size_t at = begin; at < text->length; at++)
        if ((unsigned char)text->bytes[at] < ' ' || text->bytes[at] == 0x7f)
            text->bytes[at] = ' ';
    return rc;
}

bool dun_text_contains(const char *text, const char *part) {
    const size_t length = strlen(part);
    for (; strlen(text) >= length; text++)
        if (strncasecmp(text, part, length) == 0)
            return true;
    return false;
}

bool dun_text_ends_with(const char *text, const char *end) {
    const size_t length = strlen(text), n = strlen(end);
    return length >= n && strcasecmp(text + length - n, end) == 0;
}

void dun_str_clear(dun_str *text) {
    text->length = 0;
    if (text->bytes)
        text->bytes[0] = '\0';
}

void dun_str_free(dun_str *text) {
    dun_free(text->bytes);
    *text = (dun_str){0};
}
