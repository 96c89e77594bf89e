/* A checkpoint on file, byte by byte: what version 0.1 wrote and reads, whatever a compiler makes of a
 * struct. */
#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "run/checkpoint.h"
#include "run/watch.h"
#include "train_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
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
                                       .last_loss = 0.75,
                                       .n_train = 40,
                                       .n_valid = 8,
                                       .train_hash = 0xa,
                                       .valid_hash = 0xb};

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
    const uint64_t numbers[] = {3, 4, 5, 6, 7, 8}, data_of[] = {40, 8, 0xa, 0xb};
    expect_ok(dun_checkpoint_write(&written, &data, train_folder()));
    expect_ok(dun_file_map(&file, train_path("checkpoint")));
    assert_int_equal(file.length, 32 + 344 + 4);
    assert_memory_equal(file.bytes, "DUNCKPT", 8);
    assert_int_equal(number_at(&file, 8), 4); /* the version */
    assert_int_equal(number_at(&file, 24), 344 + 4);
    assert_true(number_at(&file, 32) == written.config_hash);
    assert_int_equal(number_at(&file, 40), 2);
    assert_memory_equal(file.bytes + 48, written.tiles, DUN_CHECKPOINT_TILES_BYTES);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        assert_int_equal(number_at(&file, 288 + 8 * i), numbers[i]);
    memcpy(&loss, file.bytes + 336, sizeof loss);
    assert_true(loss == 0.75);
    for (size_t i = 0; i < sizeof data_of / sizeof *data_of; i++)
        assert_int_equal(number_at(&file, 344 + 8 * i), data_of[i]);
    assert_memory_equal(file.bytes + 376, "abcd", 4);
    dun_file_unmap(&file);
}

/* As a program that would go on with it, on the same data. */
static dun_checkpoint running(void) {
    dun_checkpoint now = {.config_hash = written.config_hash,
                          .config_hash_0_1 = 0x77,
                          .model_hash = 2,
                          .n_train = written.n_train,
                          .n_valid = written.n_valid,
                          .train_hash = written.train_hash,
                          .valid_hash = written.valid_hash};
    memcpy(now.tiles, written.tiles, sizeof now.tiles);
    return now;
}

static void test_read_back(void **state) {
    (void)state;
    char host[] = "....";
    const dun_checkpoint_data data = {.host = host, .host_bytes = 4};
    dun_checkpoint found = running();
    assert_int_equal(dun_checkpoint_read(&found, &data, train_folder()), 1);
    assert_int_equal(found.config_hash_0_1, 0x77);
    found.config_hash_0_1 = 0;
    assert_memory_equal(&found, &written, sizeof found);
    assert_string_equal(host, "abcd");
    found = running();
    found.model_hash = 9;
    assert_int_equal(dun_checkpoint_read(&found, &data, train_folder()), DUN_BAD_INPUT);
    assert_non_null(strstr(dun_error_message(), "belongs to model"));
}

/* A team of devices that compute alike had a mark before its tiles, which any number of them may go on with.
 */
static void test_team(void **state) {
    (void)state;
    char host[] = "....";
    const dun_checkpoint_data data = {.host = host, .host_bytes = 4};
    dun_checkpoint team = written, found = running();
    snprintf(team.tiles, sizeof team.tiles, DUN_CHECKPOINT_TEAM "reg WG 64", 0x1234ULL);
    expect_ok(dun_checkpoint_write(&team, &data, train_folder()));
    assert_int_equal(dun_checkpoint_read(&found, &data, train_folder()), DUN_BAD_INPUT);
    assert_non_null(strstr(dun_error_message(), "belongs to tiles \"team 0000000000001234, reg WG 64\""));
    found = running();
    found.teams[3] = 0x1234;
    assert_int_equal(dun_checkpoint_read(&found, &data, train_folder()), 1);
    assert_string_equal(found.tiles, "reg WG 64"); /* it is none of a team any more */
    snprintf(team.tiles, sizeof team.tiles, DUN_CHECKPOINT_TEAM "reg WG 32", 0x1234ULL);
    expect_ok(dun_checkpoint_write(&team, &data, train_folder()));
    found = running();
    found.teams[3] = 0x1234;
    assert_int_equal(dun_checkpoint_read(&found, &data, train_folder()), DUN_BAD_INPUT);
    memcpy(host, "abcd", 4);
    expect_ok(dun_checkpoint_write(&written, &data, train_folder()));
}

/* Each member that says whose a checkpoint is, and the message where it is another. */
static void test_whose(void **state) {
    (void)state;
    static const struct {
        size_t offset;
        uint64_t value;
        const char *says;
    } rows[] = {
        {offsetof(dun_checkpoint, model_hash), 9,
         "belongs to model 0000000000000002, running 0000000000000009"},
        {offsetof(dun_checkpoint, config_hash), 9, "belongs to config 1122334455667788, running"},
        {offsetof(dun_checkpoint, n_train), 30,
         "it had 40 training texts (hash 000000000000000a), now 30 (000000000000000a);"},
        {offsetof(dun_checkpoint, n_valid), 9, "it had 8 validation texts (hash 000000000000000b), now 9 ("},
        {offsetof(dun_checkpoint, train_hash), 0xc,
         "40 training texts (hash 000000000000000a), now as many with other content or order (000000000000000c);"},
        {offsetof(dun_checkpoint, valid_hash), 0xc,
         "8 validation texts (hash 000000000000000b), now as many"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        dun_checkpoint now = running();
        char host[] = "....";
        const dun_checkpoint_data data = {.host = host, .host_bytes = 4};
        expect_ok(dun_checkpoint_look(&now, train_folder()));
        memcpy((char *)&now + rows[i].offset, &rows[i].value, sizeof rows[i].value);
        assert_int_equal(dun_checkpoint_look(&now, train_folder()), DUN_BAD_INPUT);
        if (!strstr(dun_error_message(), rows[i].says))
            fail_msg("%s: %s", rows[i].says, dun_error_message());
        assert_int_equal(dun_checkpoint_read(&now, &data, train_folder()), DUN_BAD_INPUT);
        assert_string_equal(host, "....");
    }
    /* The device is asked for later. */
    dun_checkpoint now = running();
    now.tiles[0] = 'x';
    expect_ok(dun_checkpoint_look(&now, train_folder()));
    expect_ok(dun_checkpoint_look(&now, "nowhere"));
}

static void hear(void *self, const char *message) {
    snprintf(self, 200, "%s", message);
}

/* One of version 0.1 does not know its data, and is taken; what is saved then knows them. */
static void test_of_0_1(void **state) {
    (void)state;
    dun_file file;
    char host[] = "....", warned[200] = "";
    const dun_checkpoint_data data = {.host = host, .host_bytes = 4};
    uint8_t bytes[32 + 312 + 4];
    const uint64_t version = 3, body = 312 + 4, config_then = 0x77;
    expect_ok(dun_file_map(&file, train_path("checkpoint")));
    memcpy(bytes, file.bytes, 344);
    memcpy(bytes + 344, "abcd", 4);
    memcpy(bytes + 32, &config_then, 8);
    dun_file_unmap(&file);
    const uint64_t checksum = dun_hash(DUN_HASH_START, bytes + 32, sizeof bytes - 32);
    memcpy(bytes + 8, &version, 8);
    memcpy(bytes + 16, &checksum, 8);
    memcpy(bytes + 24, &body, 8);
    expect_ok(dun_file_write(train_path("checkpoint"), bytes, sizeof bytes));
    dun_checkpoint now = running();
    dun_warn_listen(hear, warned);
    expect_ok(dun_checkpoint_look(&now, train_folder()));
    assert_non_null(strstr(warned, "checkpoint: comes from version 0.1 and does not know its data"));
    warned[0] = '\0';
    assert_int_equal(dun_checkpoint_read(&now, &data, train_folder()), 1);
    assert_string_equal(warned, ""); /* said once */
    dun_warn_ignore(warned);
    assert_string_equal(host, "abcd");
    now.config_hash_0_1 = 0;
    assert_memory_equal(&now, &written, sizeof now); /* with the config's hash of this version */
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
        cmocka_unit_test(test_layout), cmocka_unit_test(test_read_back), cmocka_unit_test(test_team),
        cmocka_unit_test(test_whose),  cmocka_unit_test(test_of_0_1),    cmocka_unit_test(test_watch),
        cmocka_unit_test(test_gaps),
    };
    return cmocka_run_group_tests(tests, NULL, clean);
}
