/* .npz files: the bytes of a stored zip archive of .npy files, checked field by field, and what fails. */
#include "base/leftovers.h"
#include "data_expect.h"
#include "io/npz.h"

#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define PATH BINARY_DIR "/test_npz.npz"

static const float points[] = {1.0f, -2.5f, 3.0f, 0.0f, 1e-3f, 7.0f};
static const int64_t labels[] = {1, -1};
static const dun_array arrays[] = {
    {"points", "<f4", 4, 2, {2, 3}, points},
    {"labels", "<i8", 8, 1, {2, 1}, labels},
    {"none", "<f4", 4, 2, {0, 3}, NULL},
};
enum { N_ARRAYS = sizeof arrays / sizeof *arrays };

static uint64_t number(const uint8_t *at, size_t n_bytes) {
    uint64_t value = 0;
    for (size_t i = 0; i < n_bytes; i++)
        value |= (uint64_t)at[i] << 8 * i;
    return value;
}

/* One entry of the directory at `entry`: its facts stand again in the local header, its bytes are the array.
 * Returns the next entry. */
static const uint8_t *check_entry(const dun_file *file, const uint8_t *entry, const dun_array *array) {
    static const char *const shapes[] = {"(2, 3)", "(2,)", "(0, 3)"};
    char name[32], facts[128];
    size_t length = strlen(array->name) + 4, data = array->item_bytes * array->dims[0] * array->dims[1];
    snprintf(name, sizeof name, "%s.npy", array->name);
    assert_int_equal(number(entry, 4), 0x02014b50);
    assert_memory_equal(entry + 46, name, length);
    const uint8_t *local = file->bytes + number(entry + 42, 4);
    assert_int_equal(number(local, 4), 0x04034b50);
    assert_memory_equal(local + 4, entry + 6, 26); /* version .. extra length */
    assert_int_equal(number(local + 8, 2), 0);     /* stored */
    assert_int_equal(number(local + 26, 2), length);
    assert_memory_equal(local + 30, name, length);
    const uint8_t *npy = local + 30 + length;
    uint64_t bytes = number(local + 18, 4), header = number(npy + 8, 2);
    assert_int_equal(number(local + 22, 4), bytes);
    assert_int_equal(number(local + 14, 4), crc32(0, npy, (uInt)bytes));
    assert_memory_equal(npy, "\x93NUMPY\x01\x00", 8);
    assert_int_equal((10 + header) % 64, 0);
    assert_int_equal(bytes, 10 + header + data);
    snprintf(facts, sizeof facts, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", array->descr,
             shapes[array - arrays]);
    assert_memory_equal(npy + 10, facts, strlen(facts));
    assert_int_equal(npy[10 + header - 1], '\n');
    if (data)
        assert_memory_equal(npy + 10 + header, array->data, data);
    return entry + 46 + length;
}

static void test_bytes(void **state) {
    (void)state;
    dun_file file;
    expect_ok(dun_npz_write(PATH, arrays, N_ARRAYS));
    expect_ok(dun_file_map(&file, PATH));
    const uint8_t *end = file.bytes + file.length - 22;
    assert_int_equal(number(end, 4), 0x06054b50);
    assert_int_equal(number(end + 8, 2), N_ARRAYS);
    assert_int_equal(number(end + 10, 2), N_ARRAYS);
    const uint8_t *entry = file.bytes + number(end + 16, 4);
    assert_int_equal(number(end + 12, 4), end - entry);
    for (size_t i = 0; i < N_ARRAYS; i++)
        entry = check_entry(&file, entry, &arrays[i]);
    assert_true(entry == end);
    dun_file_unmap(&file);
    assert_int_equal(dun_mem_live(), 0);
}

static void test_strings(void **state) {
    (void)state;
    char *names[] = {"bad", "sehr gut", ""}, descr[24], *data = NULL;
    dun_array array = {.name = "classes"};
    expect_ok(dun_npz_strings(&array, descr, &data, names, 3));
    assert_string_equal(array.name, "classes");
    assert_string_equal(array.descr, "|S8");
    assert_int_equal(array.dims[0], 3);
    assert_memory_equal(array.data, "bad\0\0\0\0\0sehr gut\0\0\0\0\0\0\0\0", 24);
    dun_free(data);
}

static void test_refuses(void **state) {
    (void)state;
    expect_error(dun_npz_write(BINARY_DIR "/absent/x.npz", arrays, 1), DUN_FAILED,
                 BINARY_DIR "/absent/x.npz: ", "No such file");
    const dun_array large = {"x", "<f4", 4, 2, {1 << 20, 1 << 10}, points};
    expect_error(dun_npz_write(PATH, &large, 1), DUN_FAILED, PATH, "4 GiB");
}

static int write_all(void) {
    int rc = dun_npz_write(PATH, arrays, N_ARRAYS);
    char temp[200];
    assert_true(dun_leftover_name(temp, sizeof temp, PATH));
    assert_int_equal(access(temp, F_OK), -1);
    return rc;
}

static void test_failures(void **state) {
    (void)state;
    walk_failures(write_all);
    unlink(PATH);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
