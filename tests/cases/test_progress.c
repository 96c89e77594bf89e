/* What progress looks like, by state and width, and that of a stream that is no terminal. */
#include "base/err.h"
#include "base/mem.h"
#include "base/table.h"
#include "report/progress.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define BAR "##########--------------------"

static const dun_stage training = {"train", "texts", 1000, 3000, 20, "loss 0.412 acc 0.87"};

static const struct {
    dun_stage state;
    size_t columns;
    bool color;
    const char *line;
} lines[] = {
    {{"train", "texts", 1000, 3000, 20, "loss 0.412 acc 0.87"},
     200,
     false,
     "train  [" BAR "]   33%  1000/3000 texts  50.0/s  40 s left  loss 0.412 acc 0.87"},
    {{"train", "texts", 1000, 3000, 20, "loss 0.412 acc 0.87"},
     200,
     true,
     "train  [\033[32m##########\033[0m--------------------]   33%  1000/3000 texts  50.0/s  40 s left  "
     "loss 0.412 acc 0.87"},
    {{"train", "texts", 0, 3000, 0, NULL},
     200,
     false,
     "train  [------------------------------]    0%  0/3000 texts"},
    {{"train", "texts", 0, 3000, 1, ""},
     200,
     false,
     "train  [------------------------------]    0%  0/3000 texts"},
    {{"load", "weights", 272, 272, 0.5, NULL},
     200,
     true,
     "load  [\033[32m##############################\033[0m]  100%  272/272 weights  544/s"},
    {{"load", "weights", 280, 272, 0.5, NULL},
     200,
     false,
     "load  [##############################]  100%  280/272 weights  560/s"},
    {{"read", "lines", 7, 0, 2, NULL}, 200, false, "read  7 lines  3.50/s"},
    /* The bar gives way first, then counts, speed, bar, note, time left, and at last the line is cut. */
    {{"train", "texts", 1000, 3000, 20, "loss 0.412"},
     72,
     false,
     "train  [###------]   33%  1000/3000 texts  50.0/s  40 s left  loss 0.412"},
    {{"train", "texts", 1000, 3000, 20, "loss 0.412"},
     70,
     false,
     "train  [########----------------]   33%  50.0/s  40 s left  loss 0.412"},
    {{"train", "texts", 1000, 3000, 20, "loss 0.412"}, 45, false, "train   33%  40 s left  loss 0.412"},
    {{"train", "texts", 1000, 3000, 20, "loss 0.412"}, 30, false, "train   33%  40 s left"},
    {{"train", "texts", 1000, 3000, 20, "loss 0.412"}, 20, false, "train   33%"},
    {{"tr\xc3\xa4in", "texts", 1000, 3000, 20, NULL}, 3, false, "tr\xc3\xa4"},
};
enum { N_LINES = sizeof lines / sizeof *lines };

static void test_lines(void **state) {
    (void)state;
    dun_str text = {0};
    for (size_t i = 0; i < N_LINES; i++) {
        dun_str_clear(&text);
        assert_int_equal(dun_progress_format(&text, &lines[i].state, lines[i].columns, lines[i].color),
                         DUN_OK);
        assert_string_equal(text.bytes, lines[i].line);
    }
    dun_str_free(&text);
    assert_int_equal(dun_mem_live(), 0);
}

static void test_every_width_fits(void **state) {
    (void)state;
    dun_str text = {0};
    for (size_t columns = 1; columns < 120; columns++) {
        dun_str_clear(&text);
        assert_int_equal(dun_progress_format(&text, &training, columns, false), DUN_OK);
        assert_true(dun_text_columns(text.bytes) <= columns);
        assert_null(strpbrk(text.bytes, "\r\n"));
    }
    dun_str_free(&text);
}

static const struct {
    double seconds;
    const char *text;
} times[] = {
    {0, "0.00 s"},         {0.254, "0.25 s"}, {9.99, "9.99 s"},   {9.999, "10.0 s"},       {59.94, "59.9 s"},
    {59.96, "1:00"},       {65.4, "1:05"},    {3599.4, "59:59"},  {3599.5, "1:00:00"},     {7209, "2:00:09"},
    {360000, "100:00:00"}, {-1, "?"},         {(double)NAN, "?"}, {(double)INFINITY, "?"},
};

static void test_times(void **state) {
    (void)state;
    dun_str text = {0};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        dun_str_clear(&text);
        assert_int_equal(dun_stage_add_time(&text, times[i].seconds), DUN_OK);
        assert_string_equal(text.bytes, times[i].text);
    }
    dun_str_free(&text);
}

static const struct {
    dun_stage state;
    const char *line;
} ends[] = {
    {{"train", "texts", 3000, 3000, 60, "loss 0.412"}, "train: 3000 texts in 1:00 (50.0/s), loss 0.412\n"},
    {{"train", "texts", 1000, 3000, 20, NULL}, "train: 1000 of 3000 texts in 20.0 s (50.0/s)\n"},
    {{"read", "lines", 0, 0, 0, ""}, "read: 0 lines in 0.00 s\n"},
};

static void test_ends(void **state) {
    (void)state;
    dun_str text = {0};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        dun_str_clear(&text);
        assert_int_equal(dun_stage_add_end(&text, &ends[i].state), DUN_OK);
        assert_string_equal(text.bytes, ends[i].line);
    }
    dun_str_free(&text);
}

/* Two stages, the second not ended, as a job reports them. Returns what was printed, in `bytes`. */
static void run_job(char *bytes, size_t size, dun_progress *progress) {
    progress->stream = tmpfile();
    assert_non_null(progress->stream);
    const dun_observer observer = dun_progress_observer(progress);
    dun_observe_say(&observer, "device %d", 7);
    dun_observe_begin(&observer, "train", "texts", 2);
    dun_observe_advance(&observer, 1, "loss\n1");
    dun_observe_advance(&observer, 2, NULL);
    dun_observe_end(&observer);
    dun_observe_end(&observer);
    dun_observe_begin(&observer, "eval", "texts", 2);
    dun_observe_advance(&observer, 1, NULL);
    dun_progress_close(progress);
    rewind(progress->stream);
    size_t length = fread(bytes, 1, size - 1, progress->stream);
    bytes[length] = '\0';
    fclose(progress->stream);
}

static void test_streams(void **state) {
    (void)state;
    char bytes[4096];
    dun_progress plain = {.live = false}, quiet = {.quiet = true}, live = {.live = true};
    run_job(bytes, sizeof bytes, &plain);
    /* The times differ from run to run; the rest is one line for what was said, one for the stage that ended.
     */
    static const char start[] = "device 7\ntrain: 2 texts in 0.";
    assert_memory_equal(bytes, start, sizeof start - 1);
    assert_non_null(strstr(bytes, "), loss 1\n"));
    assert_string_equal(strstr(bytes, "loss 1\n"), "loss 1\n");
    assert_null(strpbrk(bytes, "\r\033"));

    run_job(bytes, sizeof bytes, &quiet);
    assert_string_equal(bytes, "");

    run_job(bytes, sizeof bytes, &live);
    static const char clear[] = "\r\033[K";
    const char *train = strstr(bytes, "\r\033[Ktrain  ["), *end = strstr(bytes, "\r\033[Ktrain: 2 texts in ");
    assert_true(train && end && train < end);
    assert_non_null(strstr(end, "\r\033[Keval  ["));
    assert_string_equal(bytes + strlen(bytes) - (sizeof clear - 1), clear);
    assert_int_equal(dun_mem_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines), cmocka_unit_test(test_every_width_fits), cmocka_unit_test(test_times),
        cmocka_unit_test(test_ends),  cmocka_unit_test(test_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
