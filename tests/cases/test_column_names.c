/* What the names of columns say: whole names, words of them, and names that say nothing. */
#include "data_expect.h"
#include "io/data/column_names.h"

static const struct {
    const char *name;
    enum dun_name_match text, label, aside;
} names[] = {
    {"text", DUN_NAME_WHOLE, DUN_NAME_NO, DUN_NAME_NO},
    {"Review Text", DUN_NAME_WHOLE, DUN_NAME_NO, DUN_NAME_NO},
    {"reviewText", DUN_NAME_WHOLE, DUN_NAME_NO, DUN_NAME_NO},
    {"clean_text_2", DUN_NAME_WORD, DUN_NAME_NO, DUN_NAME_NO},
    {"LABEL", DUN_NAME_NO, DUN_NAME_WHOLE, DUN_NAME_NO},
    {"airline_sentiment", DUN_NAME_NO, DUN_NAME_WORD, DUN_NAME_NO},
    {"airlineSentiment", DUN_NAME_NO, DUN_NAME_WORD, DUN_NAME_NO},
    {"airline-sentiment.gold", DUN_NAME_NO, DUN_NAME_WORD, DUN_NAME_NO},
    {"airline_sentiment_confidence", DUN_NAME_NO, DUN_NAME_WORD, DUN_NAME_WORD},
    {"retweet_count", DUN_NAME_NO, DUN_NAME_NO, DUN_NAME_WHOLE},
    {"tweet_id", DUN_NAME_WORD, DUN_NAME_NO, DUN_NAME_WORD},
    {"text_label", DUN_NAME_WORD, DUN_NAME_WORD, DUN_NAME_NO},
    {"Unnamed: 0", DUN_NAME_NO, DUN_NAME_NO, DUN_NAME_WORD},
    {"toxic", DUN_NAME_NO, DUN_NAME_WHOLE, DUN_NAME_NO},
    {"gender", DUN_NAME_NO, DUN_NAME_NO, DUN_NAME_WHOLE},
    {"classy", DUN_NAME_NO, DUN_NAME_NO, DUN_NAME_NO},
    {"context", DUN_NAME_NO, DUN_NAME_NO, DUN_NAME_NO},
    {"v1", DUN_NAME_NO, DUN_NAME_NO, DUN_NAME_NO},
    {"t e x t", DUN_NAME_NO, DUN_NAME_NO, DUN_NAME_NO},
    {"label text id", DUN_NAME_WORD, DUN_NAME_WORD, DUN_NAME_WORD},
    {"", DUN_NAME_NO, DUN_NAME_NO, DUN_NAME_NO},
    {" _-", DUN_NAME_NO, DUN_NAME_NO, DUN_NAME_NO},
    {"\xc3\xa9text", DUN_NAME_NO, DUN_NAME_NO, DUN_NAME_NO},
};

static void test_names(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const size_t n = strlen(names[i].name);
        if (dun_name_matches(names[i].name, n, DUN_NAME_TEXT) != names[i].text ||
            dun_name_matches(names[i].name, n, DUN_NAME_LABEL) != names[i].label ||
            dun_name_matches(names[i].name, n, DUN_NAME_ASIDE) != names[i].aside)
            fail_msg("'%s' is taken otherwise", names[i].name);
    }
    /* A name is as long as it is said to be, and words without end are none of those listed. */
    char name[300];
    memset(name, 'x', sizeof name);
    memcpy(name, "text label", 10);
    assert_int_equal(dun_name_matches(name, 4, DUN_NAME_TEXT), DUN_NAME_WHOLE);
    assert_int_equal(dun_name_matches(name, sizeof name, DUN_NAME_TEXT), DUN_NAME_WORD);
    assert_int_equal(dun_name_matches(name, sizeof name, DUN_NAME_LABEL), DUN_NAME_NO);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
