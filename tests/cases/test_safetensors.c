/* safetensors: every hostile header, the exact bytes that are written, and every allocation and write
 * failing. */
#include "base/json.h"
#include "base/leftovers.h"
#include "data_expect.h"
#include "io/store/safetensors.h"

#include <stdlib.h>
#include <unistd.h>

#define PATH BINARY_DIR "/test_safetensors.safetensors"

/* Parses a header with n_data bytes 0, 1, 2, ... after it, in a block of exactly the file's size. */
static int parse(dun_safetensors *file, uint8_t **bytes, const char *header, uint64_t claimed,
                 size_t n_data) {
    size_t n = strlen(header), length = 8 + n + n_data;
    *bytes = malloc(length);
    assert_non_null(*bytes);
    memcpy(*bytes, &claimed, 8);
    memcpy(*bytes + 8, header, n);
    for (size_t i = 0; i < n_data; i++)
        (*bytes)[8 + n + i] = (uint8_t)i;
    return dun_safetensors_parse(file, *bytes, length, "p.st");
}

#define ONE(rest) "{\"a\":{" rest "}}"
#define F32 "\"dtype\":\"F32\","
#define SHAPE2 "\"shape\":[2],"
#define AT(b, e) "\"data_offsets\":[" #b "," #e "]"
#define TENSOR(name, b, e, n) "\"" name "\":{" F32 "\"shape\":[" #n "]," AT(b, e) "}"

static const struct {
    const char *header;
    size_t n_data;
    const char *part;
} bad[] = {
    {"", 0, "no JSON object"},
    {"[1]", 0, "no JSON object"},
    {" {}", 0, "no JSON object"},
    {"{} x", 0, "end of file expected"},
    {"{\"a\":", 0, "p.st:1:"},
    {"{\"\xff\":1}", 0, "not UTF-8"},
    {"{" TENSOR("a", 0, 8, 2) "," TENSOR("a", 8, 16, 2) "}", 16, "duplicate object key"},
    {"{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", 0, "nested deeper"},
    {"{\"a\":1}", 0, "tensor 'a' has no string \"dtype\""},
    {ONE(""), 0, "tensor 'a' has no string \"dtype\""},
    {ONE("\"dtype\":32"), 0, "no string \"dtype\""},
    {ONE("\"dtype\":\"F65\"," SHAPE2 AT(0, 4)), 4, "has the type F65, which is not known; F32, F16"},
    {ONE("\"dtype\":\"F64\"," SHAPE2 AT(0, 4)), 4, "has 4 bytes of data; its shape and type need 16"},
    {ONE("\"dtype\":\"F4\"," SHAPE2 AT(0, 4)), 4, "has 4 bytes of data; its shape and type need 1"},
    {ONE("\"dtype\":\"\\n\"," SHAPE2 AT(0, 4)), 4, "has the type ,"},
    {ONE(F32 AT(0, 4)), 4, "tensor 'a' has no list \"shape\""},
    {ONE(F32 "\"shape\":8," AT(0, 8)), 8, "has no list \"shape\""},
    {ONE(F32 "\"shape\":[1,1,1,1,2]," AT(0, 8)), 8, "has 5 dimensions; at most 4"},
    {ONE(F32 "\"shape\":[-2]," AT(0, 8)), 8, "other things than whole numbers"},
    {ONE(F32 "\"shape\":[2.0]," AT(0, 8)), 8, "other things than whole numbers"},
    {ONE(F32 "\"shape\":[\"2\"]," AT(0, 8)), 8, "other things than whole numbers"},
    {ONE(F32 "\"shape\":[9007199254740993]," AT(0, 8)), 8, "beyond 2^53"},
    {ONE(F32 "\"shape\":[4294967296,4294967296]," AT(0, 8)), 8, "more bytes than 64 bits count"},
    {ONE(F32 "\"shape\":[4294967296,1073741824,1]," AT(0, 0)), 0, "more bytes than 64 bits count"},
    {ONE(F32 "\"shape\":[3]," AT(0, 8)), 8, "has 8 bytes of data; its shape and type need 12"},
    {ONE(F32 "\"shape\":[]," AT(0, 8)), 8, "has 8 bytes of data; its shape and type need 4"},
    {ONE("\"dtype\":\"I64\"," SHAPE2 AT(0, 8)), 8, "need 16"},
    {ONE(F32 SHAPE2 "\"data_offsets\":[0]"), 8, "no \"data_offsets\""},
    {ONE(F32 SHAPE2 "\"data_offsets\":[0,8,8]"), 8, "no \"data_offsets\""},
    {ONE(F32 SHAPE2 "\"data_offsets\":[0,8.0]"), 8, "no \"data_offsets\""},
    {ONE(F32 SHAPE2 "\"data_offsets\":{\"0\":8}"), 8, "no \"data_offsets\""},
    {ONE(F32 SHAPE2 AT(8, 0)), 8, "no \"data_offsets\""},
    {ONE(F32 SHAPE2 AT(-8, 0)), 8, "no \"data_offsets\""},
    {ONE(F32 SHAPE2 "\"x\":0"), 8, "no \"data_offsets\""},
    {ONE(F32 SHAPE2 AT(0, 8)), 7, "ends at byte 8 of the data, of which the file has 7 (truncated"},
    {ONE(F32 SHAPE2 AT(9007199254740984, 9007199254740992)), 8, "ends at byte 9007199254740992"},
    {ONE(F32 SHAPE2 AT(0, 8)), 9, "p.st: has 1 bytes after the last tensor, from byte 8"},
    {ONE(F32 SHAPE2 AT(4, 12)), 12, "tensor 'a' begins at byte 4 of the data, after a hole; byte 0"},
    {"{" TENSOR("a", 0, 8, 2) "," TENSOR("b", 12, 16, 1) "}", 16,
     "'b' begins at byte 12 of the data, after a"},
    {"{" TENSOR("b", 4, 8, 1) "," TENSOR("a", 0, 8, 2) "}", 8, "'b' begins at byte 4 of the data, inside"},
    {"{" TENSOR("b", 0, 8, 2) "," TENSOR("a", 0, 8, 2) "}", 8, "begins at byte 0 of the data, inside"},
    {"{}", 1, "has 1 bytes after the last tensor, from byte 0"},
    {"{\"__metadata__\":[]}", 0, "__metadata__ is not an object"},
    {"{\"__metadata__\":{\"a\":1}}", 0, "__metadata__ has a value that is not a string"},
    {"{\"a\\nb\":1}", 0, "tensor 'a?b' has"},
};

static void test_refuses(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        dun_safetensors file;
        uint8_t *bytes;
        int rc = parse(&file, &bytes, bad[i].header, strlen(bad[i].header), bad[i].n_data);
        assert_null(file.header);
        assert_null(file.tensors);
        expect_error(rc, DUN_BAD_INPUT, "p.st", bad[i].part);
        free(bytes);
    }
    assert_int_equal(dun_mem_live(), 0);
}

static void test_refuses_lengths(void **state) {
    (void)state;
    static const struct {
        uint64_t claimed;
        const char *part;
    } lengths[] = {
        {0, "no JSON object"},
        {3, "claims a header of 3 bytes, 2 bytes left"},
        {100000000, "claims a header of 100000000 bytes, 2 bytes left (truncated download?)"},
        {100000001, "claims a header of 100000001 bytes; a safetensors file has at most 100000000"},
        {UINT64_MAX, "claims a header of 18446744073709551615 bytes"},
        {1, "p.st:1:"},
    };
    dun_safetensors file;
    uint8_t *bytes;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        expect_error(parse(&file, &bytes, "{}", lengths[i].claimed, 0), DUN_BAD_INPUT, "p.st",
                     lengths[i].part);
        free(bytes);
    }
    for (size_t n = 0; n < 8; n++) {
        bytes = calloc(n + 1, 1);
        expect_error(dun_safetensors_parse(&file, bytes, n, "p.st"), DUN_BAD_INPUT, "p.st: has ",
                     "a safetensors file has at least 8");
        free(bytes);
    }
}

static void test_reads(void **state) {
    (void)state;
    dun_safetensors file;
    uint8_t *bytes;
    /* Out of order, with an empty tensor between, a single value, and unaligned by the header's length. */
    static const char header[] = "{" TENSOR(
        "late", 12, 20, 2) ",\"__metadata__\":{\"k\":\"v\"},"
                           "\"none\":{" F32 "\"shape\":[3,0]," AT(
                               12, 12) "},"
                                       "\"early\":{\"dtype\":\"I64\",\"shape\":[1],\"extra\":[1]," AT(
                                           0, 8) "},"
                                                 "\"one\":{" F32 "\"shape\":[]," AT(8, 12) "}}  ";
    expect_ok(parse(&file, &bytes, header, strlen(header), 20));
    static const char *const order[] = {"early", "one", "none", "late"};
    assert_int_equal(file.n_tensors, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(file.tensors[i].name, order[i]);
        assert_ptr_equal(dun_safetensors_find(&file, order[i]), &file.tensors[i]);
    }
    const dun_tensor *none = &file.tensors[2], *late = &file.tensors[3];
    assert_int_equal(file.tensors[0].dtype, DUN_I64);
    assert_int_equal(file.tensors[1].n_dims, 0);
    assert_int_equal(none->bytes, 0);
    assert_int_equal(none->n_dims, 2);
    assert_int_equal(none->dims[0], 3);
    assert_int_equal(none->dims[1], 0);
    assert_int_equal(none->dims[3], 1);
    assert_int_equal(late->dtype, DUN_F32);
    assert_int_equal(late->bytes, 8);
    assert_int_equal(((const uint8_t *)late->data)[0], 12);
    assert_string_equal(json_string_value(json_object_get(file.metadata, "k")), "v");
    assert_null(dun_safetensors_find(&file, "absent"));
    assert_null(dun_safetensors_find(&file, "__metadata__"));
    dun_safetensors_free(&file);
    free(bytes);
    expect_ok(parse(&file, &bytes, "{}", 2, 0));
    assert_int_equal(file.n_tensors, 0);
    assert_null(file.metadata);
    dun_safetensors_free(&file);
    free(bytes);
    assert_int_equal(dun_mem_live(), 0);
}

static const float rows[] = {1, 2, 3, 4, 5, 6};
static const int64_t labels[] = {0, -1, 2};
static const dun_tensor tensors[] = {
    {"points", DUN_F32, 2, {3, 2, 1, 1}, rows, sizeof rows},
    {"labels", DUN_I64, 1, {3, 1, 1, 1}, labels, sizeof labels},
    {"none", DUN_F32, 2, {0, 2, 1, 1}, NULL, 0},
};

static void test_writes_exactly(void **state) {
    (void)state;
    static const char header[] = "{\"__metadata__\":{\"z\":\"1\",\"a\":\"2\"},"
                                 "\"points\":{\"dtype\":\"F32\",\"shape\":[3,2],\"data_offsets\":[0,24]},"
                                 "\"labels\":{\"dtype\":\"I64\",\"shape\":[3],\"data_offsets\":[24,48]},"
                                 "\"none\":{\"dtype\":\"F32\",\"shape\":[0,2],\"data_offsets\":[48,48]}}";
    json_t *metadata = json_pack("{s:s, s:s}", "z", "1", "a", "2");
    dun_file file;
    expect_ok(dun_safetensors_write(PATH, tensors, 3, metadata));
    assert_int_equal(metadata->refcount, 1);
    expect_ok(dun_file_map(&file, PATH));
    uint64_t claimed;
    memcpy(&claimed, file.bytes, 8);
    const size_t n = strlen(header), padded = (n + 7) / 8 * 8;
    assert_int_equal(claimed, padded);
    assert_int_equal(file.length, 8 + padded + 48);
    assert_memory_equal(file.bytes + 8, header, n);
    for (size_t i = n; i < padded; i++)
        assert_int_equal(file.bytes[8 + i], ' ');
    assert_memory_equal(file.bytes + 8 + padded, rows, 24);
    assert_memory_equal(file.bytes + 8 + padded + 24, labels, 24);
    dun_file_unmap(&file);

    dun_safetensors back;
    expect_ok(dun_safetensors_open(&back, PATH));
    assert_int_equal(back.n_tensors, 3);
    assert_memory_equal(dun_safetensors_find(&back, "labels")->data, labels, sizeof labels);
    assert_int_equal(dun_safetensors_find(&back, "points")->dims[1], 2);
    assert_int_equal(json_object_size(back.metadata), 2);
    dun_safetensors_free(&back);
    json_decref(metadata);
    /* No metadata, no tensors. */
    expect_ok(dun_safetensors_write(PATH, NULL, 0, NULL));
    expect_ok(dun_safetensors_open(&back, PATH));
    assert_int_equal(back.file.length, 16);
    assert_null(back.metadata);
    dun_safetensors_free(&back);
    unlink(PATH);
    assert_int_equal(dun_mem_live(), 0);
}

static void test_refuses_to_write(void **state) {
    (void)state;
    static const struct {
        dun_tensor tensor;
        const char *part;
    } wrong[] = {
        {{"points", DUN_F32, 1, {6, 1, 1, 1}, rows, 24}, "the name points is taken"},
        {{"__metadata__", DUN_F32, 1, {6, 1, 1, 1}, rows, 24}, "the name __metadata__ is taken"},
        {{"x", DUN_F32, 1, {5, 1, 1, 1}, rows, 24}, "tensor x has 24 bytes"},
        {{"x", DUN_F32, 2, {(uint64_t)1 << 62, 4, 1, 1}, rows, 0}, "tensor x has 0 bytes"},
        {{"\xff", DUN_F32, 1, {6, 1, 1, 1}, rows, 24}, "UTF-8"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const dun_tensor both[] = {tensors[0], wrong[i].tensor};
        expect_error(dun_safetensors_write(PATH, both, 2, NULL), DUN_FAILED, "", wrong[i].part);
        assert_int_equal(access(PATH, F_OK), -1); /* nothing was left behind */
    }
    json_t *metadata = json_pack("{s:i}", "k", 1);
    expect_error(dun_safetensors_write(PATH, tensors, 1, metadata), DUN_FAILED, PATH, "k is not a string");
    json_decref(metadata);
    metadata = json_array();
    expect_error(dun_safetensors_write(PATH, tensors, 1, metadata), DUN_FAILED, PATH, "are no object");
    json_decref(metadata);
    expect_error(dun_safetensors_write(BINARY_DIR "/absent/x", tensors, 1, NULL), DUN_FAILED,
                 BINARY_DIR "/absent/x: ", "No such file");
    assert_int_equal(dun_mem_live(), 0);
}

static void test_refuses_paths(void **state) {
    (void)state;
    dun_safetensors file;
    expect_error(dun_safetensors_open(&file, BINARY_DIR), DUN_BAD_INPUT, BINARY_DIR ": ", "is a folder");
    expect_error(dun_safetensors_open(&file, "/dev/null"), DUN_BAD_INPUT, "/dev/null: ", "device");
    expect_error(dun_safetensors_open(&file, "absent"), DUN_BAD_INPUT, "absent: ", "No such file");
    dun_safetensors_free(&file);
}

static int write_and_read(void) {
    int rc;
    dun_safetensors file = {0};
    TRY(dun_safetensors_write(PATH, tensors, 3, NULL));
    TRY(dun_safetensors_open(&file, PATH));
    assert_int_equal(file.n_tensors, 3);
out:
    dun_safetensors_free(&file);
    char temp[200];
    assert_true(dun_leftover_name(temp, sizeof temp, PATH));
    assert_int_equal(access(temp, F_OK), -1);
    return rc;
}

static void test_failures(void **state) {
    (void)state;
    walk_failures(write_and_read);
    unlink(PATH);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_refuses_lengths),
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_writes_exactly),
        cmocka_unit_test(test_refuses_to_write),
        cmocka_unit_test(test_refuses_paths),
        cmocka_unit_test(test_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
