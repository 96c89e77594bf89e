/* The words in the names of columns, by what they mean. */
#include "io/data/column_names.h"

#include <stdbool.h>
#include <string.h>

/* In small letters, a blank around each. */
static const char *const words[DUN_N_NAME_MEANINGS] = {
    [DUN_NAME_TEXT] =
        " text texts sentence sentences review reviews content contents message messages comment "
        "comments body tweet tweets document doc utterance phrase question abstract description "
        "query title summary headline post transcript statement feedback narrative complaint sms "
        "mail email input passage paragraph article caption snippet ",
    [DUN_NAME_LABEL] =
        " label labels class classes category categories cat sentiment target topic topics stars "
        "star rating ratings intent intents emotion emotions polarity score scores tag tags type "
        "kind genre verdict stance mood feeling toxic toxicity spam hate "
        "offensive sarcasm sarcastic annotation gold priority severity department language lang outcome status y ",
    [DUN_NAME_ASIDE] =
        " id ids uid uuid guid index idx key row rowid rownum nr no num number count counts total "
        "n date time datetime timestamp created updated year month day hour minute second "
        "confidence conf certainty prob probability weight url uri link href user username author "
        "handle coord location timezone zone lat lon lng latitude longitude price votes vote likes "
        "retweet retweets followers friends hash ip version fold split partition subset file path "
        "source page line length size unnamed gender sex age country region city ",
};

enum { MOST_BYTES = 64 };

static bool is_listed(const char *word, size_t length, enum dun_name_meaning meaning) {
    char wanted[MOST_BYTES + 3] = " ";
    if (length == 0 || length > MOST_BYTES)
        return false;
    memcpy(wanted + 1, word, length);
    strcpy(wanted + 1 + length, " ");
    return strstr(words[meaning], wanted) != NULL;
}

static bool is_small(char c) {
    return c >= 'a' && c <= 'z';
}

static bool is_capital(char c) {
    return c >= 'A' && c <= 'Z';
}

static bool is_part(char c) {
    return is_small(c) || is_capital(c) || (c >= '0' && c <= '9') || c & 0x80;
}

enum dun_name_match dun_name_matches(const char *name, size_t length, enum dun_name_meaning meaning) {
    char word[MOST_BYTES];
    size_t n = 0, n_words = 0, n_listed = 0;
    for (size_t i = 0; i <= length; i++) {
        const bool part = i < length && is_part(name[i]);
        if (n > 0 && (!part || (is_capital(name[i]) && is_small(name[i - 1])))) {
            n_words++;
            n_listed += is_listed(word, n, meaning);
            n = 0;
        }
        if (part && n < MOST_BYTES)
            word[n++] = (char)(is_capital(name[i]) ? name[i] + 32 : name[i]);
    }
    return n_listed == 0 ? DUN_NAME_NO : n_listed == n_words ? DUN_NAME_WHOLE : DUN_NAME_WORD;
}
