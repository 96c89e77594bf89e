/* Spellings of a label: what makes two of them one, and what makes a person take one for the other. */
#include "io/data/label_word.h"

#include "base/err.h"
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

bool dun_label_is_whole(const char *word) {
    size_t digits = strspn(word + (word[0] == '-'), "0123456789");
    return digits > 0 && digits <= 18 && word[(word[0] == '-') + digits] == '\0';
}

/* A number in plain digits, without zeros in front of others. */
typedef struct {
    bool minus;
    const char *whole, *fraction;
    size_t n_whole, n_fraction; /* zeros at the end of the fraction are left out */
} number;

static bool read_number(number *n, const char *word) {
    *n = (number){.minus = word[0] == '-'};
    word += word[0] == '-' || word[0] == '+';
    n->whole = word;
    n->n_whole = strspn(word, "0123456789");
    word += n->n_whole;
    if (n->n_whole > 1 && n->whole[0] == '0')
        return false;
    n->fraction = word + (*word == '.');
    size_t digits = *word == '.' ? strspn(n->fraction, "0123456789") : 0;
    for (n->n_fraction = digits; n->n_fraction > 0 && n->fraction[n->n_fraction - 1] == '0';)
        n->n_fraction--;
    return n->n_whole + digits > 0 && n->fraction[digits] == '\0';
}

void dun_label_key(char *key, const char *word) {
    static const char *const truths[] = {"true", "false"};
    number n;
    if (read_number(&n, word)) {
        const bool zero = n.n_fraction == 0 && (n.n_whole == 0 || n.whole[0] == '0');
        if (n.minus && !zero)
            *key++ = '-';
        if (n.n_whole == 0)
            *key++ = '0';
        memcpy(key, n.whole, n.n_whole);
        key += n.n_whole;
        if (n.n_fraction > 0)
            *key++ = '.';
        memcpy(key, n.fraction, n.n_fraction);
        key[n.n_fraction] = '\0';
        return;
    }
    for (size_t i = 0; i < 2; i++)
        if (strcasecmp(word, truths[i]) == 0)
            word = truths[i];
    memcpy(key, word, strlen(word) + 1);
}

/* One character of valid UTF-8. */
static size_t decode(uint32_t *code, const char *bytes) {
    const unsigned char *c = (const unsigned char *)bytes;
    const size_t n = c[0] < 0x80 ? 1 : c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : 4;
    static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    *code = c[0] & masks[n];
    for (size_t i = 1; i < n; i++)
        *code = *code << 6 | (c[i] & 0x3f);
    return n;
}

/* The letters under the accents of U+00C0 to U+017F; a blank: none. */
static const char bases[] = "aaaaaa ceeeeiiii nooooo ouuuuy  aaaaaa ceeeeiiii nooooo ouuuuy y"
                            "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiii  jjkk llllll "
                            " llnnnnnn   oooooo  rrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";

/* Capitals that stand a fixed way before their small letters. */
static const struct {
    uint32_t first, last, distance;
} capitals[] = {{'A', 'Z', 32}, {0xc0, 0xde, 32}, {0x391, 0x3a9, 32}, {0x410, 0x42f, 32}, {0x400, 0x40f, 80}};

/* The character in small and without its accent; 0: nothing is left of it. */
static uint32_t fold_character(uint32_t code) {
    if ((code >= 0x300 && code <= 0x36f) || code == 0xad) /* accents on their own, the soft hyphen */
        return 0;
    if (code >= 0xc0 && code <= 0x17f && bases[code - 0xc0] != ' ')
        return (unsigned char)bases[code - 0xc0];
    for (size_t i = 0; i < sizeof capitals / sizeof *capitals; i++)
        if (code >= capitals[i].first && code <= capitals[i].last)
            return code + capitals[i].distance;
    return code;
}

/* Of a word, or a piece of a character of one. */
static bool is_letter(const char *c, const char *start, const char *end) {
    return c >= start && c < end && (*c & 0x80 || ((*c & 0xdf) >= 'A' && (*c & 0xdf) <= 'Z'));
}

/* What was folded has two bytes at most. */
static int add_character(dun_str *out, uint32_t code, const char *bytes, size_t length) {
    const char two[2] = {(char)(0xc0 | code >> 6), (char)(0x80 | (code & 0x3f))};
    return code < 0x80    ? dun_str_add(out, &(char){(char)code}, 1)
           : code < 0x800 ? dun_str_add(out, two, 2)
                          : dun_str_add(out, bytes, length);
}

int dun_label_fold(dun_str *out, const char *key) {
    static const char punctuation[] = ".,;:!?\"'";
    int rc = DUN_OK;
    number n;
    const char *start = key, *end = key + strlen(key);
    dun_str_clear(out);
    const char *digits = key + strspn(key, "0");
    if (dun_label_is_whole(key) && key[0] != '-') {
        TRY(dun_str_addf(out, "%s", *digits ? digits : "0"));
        goto out;
    }
    if (read_number(&n, key)) {
        TRY(dun_str_addf(out, "%s", key));
        goto out;
    }
    while (end > start && strchr(punctuation, end[-1]))
        end--;
    while (start < end && strchr(punctuation, *start))
        start++;
    for (const char *c = start; c < end;) {
        uint32_t code;
        size_t taken = decode(&code, c);
        bool joins = (*c == '-' || *c == '_') && is_letter(c - 1, start, end) && is_letter(c + 1, start, end);
        code = joins || dun_utf8_blank(c, taken) ? 0 : fold_character(code);
        if (code)
            TRY(add_character(out, code, c, taken));
        c += taken;
    }
    if (out->length == 0)
        TRY(dun_str_addf(out, "%s", key));
out:
    return rc;
}
