/* Files for other programs: checksums against published values, TensorBoard's records byte by byte, CSV
 * quoting, and the tables of a run. */
#include "base/crc32c.h"
#include "base/csv.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "device_check.h"
#include "io/tfevents.h"
#include "run/runlog.h"
#include "run/tables.h"
#include "train_run.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

/* RFC 3720, appendix B.4, and the check value of the CRC catalogues. */
static void test_crc32c(void **state) {
    (void)state;
    uint8_t bytes[32] = {0};
    assert_int_equal(dun_crc32c(bytes, sizeof bytes), 0x8a9136aa);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(dun_crc32c(bytes, sizeof bytes), 0x62a8ab43);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    assert_int_equal(dun_crc32c(bytes, sizeof bytes), 0x46dd794e);
    assert_int_equal(dun_crc32c("123456789", 9), 0xe3069283);
    assert_int_equal(dun_crc32c("", 0), 0);
}

static void test_csv(void **state) {
    (void)state;
    dun_str text = {0};
    static const char *const fields[] = {"", "plain", "a,b", "say \"x\"", "two\nlines", " space ", ""};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        check_ok(dun_csv_add(&text, fields[i], strlen(fields[i])));
    assert_string_equal(text.bytes, "\"\",plain,\"a,b\",\"say \"\"x\"\"\",\"two\nlines\", space ,");
    dun_str_free(&text);
}

/* The event files of a folder, oldest first, at most 4. */
static size_t list_events(char names[4][64], const char *folder) {
    size_t n = 0;
    DIR *entries = opendir(folder);
    assert_non_null(entries);
    for (struct dirent *entry; (entry = readdir(entries));) {
        if (!strstr(entry->d_name, "tfevents"))
            continue;
        assert_true(n < 4);
        snprintf(names[n++], sizeof names[0], "%.63s", entry->d_name);
        for (size_t i = n - 1; i > 0 && strcmp(names[i - 1], names[i]) > 0; i--) {
            char other[64];
            memcpy(other, names[i], sizeof other);
            memcpy(names[i], names[i - 1], sizeof other);
            memcpy(names[i - 1], other, sizeof other);
        }
    }
    closedir(entries);
    return n;
}

static uint64_t number_at(const uint8_t *bytes, size_t n) {
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++)
        value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

/* The next record of a file, its checksums looked at. */
static const uint8_t *next_record(size_t *length, const dun_file *file, size_t *at) {
    const uint8_t *head = file->bytes + *at;
    assert_true(*at + 16 <= file->length);
    *length = (size_t)number_at(head, 8);
    assert_true(*length <= file->length - *at - 16);
    const uint8_t *bytes = head + 12;
    for (int i = 0; i < 2; i++) {
        uint32_t crc = i ? dun_crc32c(bytes, *length) : dun_crc32c(head, 8);
        uint32_t stored = (uint32_t)number_at(i ? bytes + *length : head + 8, 4) - 0xa282ead8u;
        assert_int_equal(stored << 15 | stored >> 17, crc);
    }
    *at += 16 + *length;
    return bytes;
}

/* After the time (tag 0x09 and 8 bytes) an event's bytes are known exactly. */
static void expect_record(const dun_file *file, size_t *at, const char *rest, size_t rest_bytes) {
    size_t length;
    const uint8_t *bytes = next_record(&length, file, at);
    assert_int_equal(length, 9 + rest_bytes);
    assert_int_equal(bytes[0], 0x09);
    assert_memory_equal(bytes + 9, rest, rest_bytes);
}
#define EXPECT(file, at, literal) expect_record(file, at, literal, sizeof(literal) - 1)

static void test_events(void **state) {
    (void)state;
    char names[4][64];
    dun_tfevents *events;
    dun_file file;
    size_t at = 0;
    const char *folder = train_folder();
    check_ok(dun_tfevents_open(&events, folder, 0));
    check_ok(dun_tfevents_add(events, 300, &(dun_tfevents_scalar){"loss", 0.5}, 1));
    dun_tfevents_close(events);
    check_ok(dun_tfevents_open(&events, folder, 200));
    dun_tfevents_close(events);
    assert_int_equal(list_events(names, folder), 2);

    check_ok(dun_file_map(&file, train_path(names[0])));
    EXPECT(&file, &at,
           "\x10\x00\x1a\x0d"
           "brain.Event:2");
    EXPECT(&file, &at, "\x10\xac\x02\x2a\x0d\x0a\x0b\x0a\x04loss\x15\x00\x00\x00\x3f");
    assert_int_equal(at, file.length);
    dun_file_unmap(&file);

    check_ok(dun_file_map(&file, train_path(names[1])));
    at = 0;
    EXPECT(&file, &at,
           "\x10\x00\x1a\x0d"
           "brain.Event:2");
    EXPECT(&file, &at, "\x10\xc9\x01\x3a\x02\x08\x01");
    assert_int_equal(at, file.length);
    dun_file_unmap(&file);
}

static void expect_file(const char *name, const char *text) {
    dun_file file;
    check_ok(dun_file_map(&file, train_path(name)));
    if (file.length != strlen(text) || memcmp(file.bytes, text, file.length) != 0)
        fail_msg("%s is\n%.*sinstead of\n%s", name, (int)file.length, (const char *)file.bytes, text);
    dun_file_unmap(&file);
}

static void test_tables(void **state) {
    (void)state;
    static const char history[] =
        "{\"step\": 1, \"loss\": 0.25}\n"
        "{\"step\": 9007199254740991, \"loss\": 1e-9, \"valid_accuracy\": 0.5, \"more\": 7}\n";
    dun_metrics metrics;
    char folder[512];
    const dun_run_dir run = {.path = folder};
    char good[] = "good", odd[] = "odd, \"one\"";
    char *const names[] = {good, odd};
    snprintf(folder, sizeof folder, "%s", train_folder());
    train_write_file("history.jsonl", history, sizeof history - 1);
    check_ok(dun_metrics_create(&metrics, 2));
    for (uint32_t i = 0; i < 4; i++)
        dun_metrics_add(&metrics, i / 2, i % 2 & i / 2);
    dun_metrics_finish(&metrics);
    check_ok(dun_tables_write(&run, &metrics, names));
    expect_file("history.csv", "step,loss,valid_accuracy\n1,0.25,\n"
                               "9007199254740991,1e-09,0.5\n");
    expect_file("report.csv", "class,precision,recall,f1,support\n"
                              "good,0.666667,1.000000,0.800000,2\n"
                              "\"odd, \"\"one\"\"\",1.000000,0.500000,0.666667,2\n"
                              "accuracy,,,0.750000,4\n"
                              "macro avg,0.833333,0.750000,0.733333,4\n"
                              "weighted avg,0.833333,0.750000,0.733333,4\n");
    expect_file("confusion.csv",
                "true class,good,\"odd, \"\"one\"\"\"\ngood,2,0\n\"odd, \"\"one\"\"\",1,1\n");
    dun_metrics_free(&metrics);
}

/* What is written reads back, what is left out too; a line that was cut off says where it is. */
static void test_history(void **state) {
    (void)state;
    static const dun_step_record written[] = {
        {.step = 1,
         .epoch = 2,
         .loss = (double)0.1f,
         .accuracy = 0.25,
         .lr = 1e-3,
         .valid_accuracy = NAN,
         .valid_loss = NAN},
        {.step = 2,
         .epoch = 0,
         .loss = 3,
         .accuracy = NAN,
         .lr = 0,
         .valid_accuracy = 1.0 / 3,
         .valid_loss = 0.5},
    };
    dun_str text = {0};
    dun_history history;
    dun_step_record record;
    for (size_t i = 0; i < 2; i++)
        check_ok(dun_history_add_line(&text, &written[i]));
    assert_string_equal(text.bytes, "{\"step\": 1, \"epoch\": 2, \"loss\": 0.100000001, \"accuracy\": 0.25, "
                                    "\"lr\": 0.001}\n"
                                    "{\"step\": 2, \"loss\": 3, \"lr\": 0, \"valid_accuracy\": 0.333333333, "
                                    "\"valid_loss\": 0.5}\n");
    size_t whole = text.length;
    static const char *const bad[] = {"{\"step\": 3, \"lo",
                                      "{\"step\": nan}",
                                      "{\"step\": }",
                                      "{\"step\": 0x3}",
                                      "{\"step\" 3}",
                                      "{\"step\": 3} ",
                                      "[3]",
                                      "{}",
                                      "{\"step\": 3",
                                      "{\"step\": 3; \"epoch\": 1}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        text.length = whole;
        text.bytes[whole] = '\0';
        check_ok(dun_str_addf(&text, "%s", bad[i]));
        train_write_file("history.jsonl", text.bytes, text.length);
        check_ok(dun_history_open(&history, train_folder()));
        while (history.line < 2)
            assert_int_equal(dun_history_next(&record, &history), 1);
        if (dun_history_next(&record, &history) != DUN_BAD_INPUT)
            fail_msg("%s is taken for a step", bad[i]);
        dun_history_close(&history);
    }
    check_ok(dun_history_open(&history, train_folder()));
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(dun_history_next(&record, &history), 1);
        assert_true(record.step == written[i].step && record.epoch == written[i].epoch);
        assert_true((float)record.loss == (float)written[i].loss && record.lr == written[i].lr);
        assert_true(isnan(written[i].accuracy) ? isnan(record.accuracy) : record.accuracy == 0.25);
        assert_true(isnan(written[i].valid_accuracy) == isnan(record.valid_accuracy));
        assert_true(isnan(written[i].valid_loss) ? isnan(record.valid_loss) : record.valid_loss == 0.5);
    }
    assert_int_equal(dun_history_next(&record, &history), DUN_BAD_INPUT);
    assert_non_null(strstr(dun_error_message(), "history.jsonl:3:"));
    dun_history_close(&history);
    assert_int_equal(dun_history_open(&history, train_path("nowhere")), DUN_BAD_INPUT);
    dun_history_close(&history);
    dun_str_free(&text);
}

/* The lines of run.log without their times, each of which must look like one. */
static void expect_log(const char *text) {
    dun_file file;
    dun_str plain = {0};
    check_ok(dun_file_map(&file, train_path("run.log")));
    const char *at = (const char *)file.bytes, *end = at + file.length;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        unsigned year, month, day, hour, minute, second;
        int used = 0;
        assert_non_null(newline);
        assert_int_equal(
            sscanf(at, "%4u-%2u-%2uT%2u:%2u:%2uZ %n", &year, &month, &day, &hour, &minute, &second, &used),
            6);
        assert_int_equal(used, 21);
        check_ok(dun_str_add(&plain, at + used, (size_t)(newline + 1 - at - used)));
        at = newline + 1;
    }
    assert_string_equal(plain.bytes, text);
    dun_str_free(&plain);
    dun_file_unmap(&file);
}

static void count(void *self, const char *line) {
    (void)line;
    ++*(int *)self;
}

static void test_run_log(void **state) {
    (void)state;
    static const char first[] = "dunlin " DUN_VERSION "\nearly\nwarning: odd\nin full\none\ntwo\na?[2J?b\n";
    int heard = 0;
    const dun_observer inner = {.self = &heard, .say = count};
    char text[256];
    dun_run_log log;
    dun_run_log_init(&log, &inner);
    const dun_observer observer = dun_run_log_observer(&log);
    dun_observe_say(&observer, "early");
    dun_warn("odd");
    check_ok(dun_run_log_open(&log, train_folder()));
    dun_observe_detail(&observer, "in full");
    dun_run_log_note(&log, "one\n\ntwo\n");
    dun_run_log_note(&log, "a\033[2J\tb");
    dun_run_log_close(&log, DUN_OK);
    assert_int_equal(heard, 1);
    expect_log(first);

    /* A run that goes on adds to it; what broke it stands at the end. */
    dun_run_log_init(&log, NULL);
    check_ok(dun_run_log_open(&log, train_folder()));
    dun_run_log_close(&log, dun_error(DUN_FAILED, "the loss is nan"));
    dun_warn("nobody hears this");
    snprintf(text, sizeof text, "%sdunlin " DUN_VERSION "\nfailed: the loss is nan\n", first);
    expect_log(text);

    /* Without a folder nothing is written. */
    dun_run_log_init(&log, NULL);
    assert_int_equal(dun_run_log_open(&log, train_path("nowhere")), DUN_FAILED);
    dun_run_log_close(&log, DUN_FAILED);
    expect_log(text);
}

static int end(void **state) {
    (void)state;
    train_folder_remove();
    return dun_mem_live() == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_crc32c),  cmocka_unit_test(test_csv),
                                       cmocka_unit_test(test_events),  cmocka_unit_test(test_tables),
                                       cmocka_unit_test(test_history), cmocka_unit_test(test_run_log)};
    return cmocka_run_group_tests(tests, NULL, end);
}
