/* Characters of valid UTF-8 and what Unicode says of them. */
#ifndef DUN_CHARACTERS_H
#define DUN_CHARACTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The code point that begins at `text`, and its bytes; there is one before `end` in dun_character_before. */
uint32_t dun_character_at(size_t *bytes, const char *text);
uint32_t dun_character_before(size_t *bytes, const char *text, size_t end);

bool dun_characters_are_ascii(const char *text, size_t length);
bool dun_character_is_space(uint32_t point); /* White_Space */
bool dun_character_is_word(uint32_t point);  /* a letter, mark, numeral or connector: \w */
bool dun_character_is_mark(
    uint32_t point); /* M, or a Hangul vowel or final, which join what is before them */

#endif
