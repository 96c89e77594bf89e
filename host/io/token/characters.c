/* Characters through utf8proc. See characters.h. */
#include "io/token/characters.h"

#include <utf8proc.h>

uint32_t dun_character_at(size_t *bytes, const char *text) {
    const unsigned char first = (unsigned char)text[0];
    if (first < 0x80) {
        *bytes = 1;
        return first;
    }
    *bytes = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    uint32_t point = first & (0x7fu >> *bytes);
    for (size_t i = 1; i < *bytes; i++)
        point = point << 6 | ((unsigned char)text[i] & 0x3fu);
    return point;
}

uint32_t dun_character_before(size_t *bytes, const char *text, size_t end) {
    do
        end--;
    while ((text[end] & 0xc0) == 0x80);
    return dun_character_at(bytes, text + end);
}

bool dun_characters_are_ascii(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (text[i] & 0x80)
            return false;
    return true;
}

bool dun_character_is_space(uint32_t point) {
    if (point < 0x80)
        return point == ' ' || (point >= '\t' && point <= '\r');
    const utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)point);
    return point == 0x85 || (category >= UTF8PROC_CATEGORY_ZS && category <= UTF8PROC_CATEGORY_ZP);
}

bool dun_character_is_word(uint32_t point) {
    const utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)point);
    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NL) ||
           category == UTF8PROC_CATEGORY_PC || point == 0x200c || point == 0x200d; /* joiners */
}

bool dun_character_is_mark(uint32_t point) {
    const utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)point);
    return (category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME) ||
           (point >= 0x1160 && point <= 0x11ff);
}
