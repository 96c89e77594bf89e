/* A checkpoint on file, byte by byte: what version 0.1 wrote and reads, whatever a compiler makes of a
 * struct. */
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "run/checkpoint.h"
#include "run/watch.h"
#include "train_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const dun_checkpoint written = {.config_hash = 0x1122334455667788,
                                       .model_hash = 2,
                                       .tiles = "reg WG 64",
                                       .step = 3,
                                       .epoch = 4,
                                       .texts_done = 5,
                                       .optim_step = 6,
                                       .calculated_step = 7,
                                       .history_bytes = 8,
                                       .last_loss = 0.75};

static uint64_t number_at(const dun_file *file, size_t offset) {
    uint64_t number;
    assert_true(offset + sizeof number <= file->length);
    memcpy(&number, file->bytes + offset, sizeof number);
    return number;
}

static void expect_ok(int rc) {
    if (rc < 0)
        fail_msg("%d: %s", rc, dun_error_message());
}

static void test_layout(void **state) {
    (void)state;
    char host[] = "abcd";
    double loss;
    dun_file file;
    const dun_checkpoint_data data = {.host = host, .host_bytes = 4};
    const uint64_t numbers[] = {3, 4, 5, 6, 7, 8};
    expect_ok(dun_checkpoint_write(&written, &data, train_folder()));
    expect_ok(dun_file_map(&file, train_path("checkpoint")));
    assert_int_equal(file.length, 32 + 312 + 4);
    assert_memory_equal(file.bytes, "DUNCKPT", 8);
    assert_int_equal(number_at(&file, 8), 3); /* the version */
    assert_int_equal(number_at(&file, 24), 312 + 4);
    assert_true(number_at(&file, 32) == written.config_hash);
    assert_int_equal(number_at(&file, 40), 2);
    assert_memory_equal(file.bytes + 48, written.tiles, DUN_CHECKPOINT_TILES_BYTES);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        assert_int_equal(number_at(&file, 288 + 8 * i), numbers[i]);
    memcpy(&loss, file.bytes + 336, sizeof loss);
    assert_true(loss == 0.75);
    assert_memory_equal(file.bytes + 344, "abcd", 4);
    dun_file_unmap(&file);
}

static void test_read_back(void **state) {
    (void)state;
    char host[] = "....";
    const dun_checkpoint_data data = {.host = host, .host_bytes = 4};
    dun_checkpoint found = {.config_hash = written.config_hash, .model_hash = 2};
    memcpy(found.tiles, written.tiles, sizeof found.tiles);
    assert_int_equal(dun_checkpoint_read(&found, &data, train_folder()), 1);
    assert_memory_equal(&found, &written, sizeof found);
    assert_string_equal(host, "abcd");
    found.model_hash = 9;
    assert_int_equal(dun_checkpoint_read(&found, &data, train_folder()), DUN_BAD_INPUT);
    assert_non_null(strstr(dun_error_message(), "belongs to model"));
}

static void test_watch(void **state) {
    (void)state;
    const dun_watch watch = {
        .probe_before = 1, .first_loss = 2, .least_valid = 3, .most_valid = 4, .n_valid = 5};
    dun_watch again = {0};
    uint8_t bytes[64];
    const double numbers[] = {1, 2, 3, 4};
    assert_int_equal(dun_watch_bytes(), 40);
    assert_ptr_equal(dun_watch_put(bytes, &watch), bytes + 40);
    assert_memory_equal(bytes, numbers, sizeof numbers);
    assert_memory_equal(bytes + 32, &watch.n_valid, 8);
    assert_ptr_equal(dun_watch_take(&again, bytes), bytes + 40);
    assert_true(again.probe_before == 1 && again.first_loss == 2 && again.least_valid == 3 &&
                again.most_valid == 4 && again.n_valid == 5);
}

/* The gaps of a struct do not reach the file. */
static void test_gaps(void **state) {
    (void)state;
    typedef struct {
        char a;
        double b;
        char c;
    } gappy;
    const dun_field fields[] = {DUN_FIELD(gappy, a), DUN_FIELD(gappy, b), DUN_FIELD(gappy, c)};
    const gappy in = {'x', 0.5, 'z'};
    gappy out = {0};
    uint8_t bytes[16] = {0};
    assert_int_equal(dun_fields_bytes(fields, 3), 10);
    assert_ptr_equal(dun_fields_put(bytes, &in, fields, 3), bytes + 10);
    assert_true(bytes[0] == 'x' && bytes[9] == 'z');
    assert_ptr_equal(dun_fields_take(&out, bytes, fields, 3), bytes + 10);
    assert_true(out.a == 'x' && out.b == 0.5 && out.c == 'z');
}

static int clean(void **state) {
    (void)state;
    train_folder_remove();
    return dun_mem_live() == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_read_back),
        cmocka_unit_test(test_watch),
        cmocka_unit_test(test_gaps),
    };
    return cmocka_run_group_tests(tests, NULL, clean);
}
