/* GGUF files that are wrong: one change each, another format, cut short, bytes flipped. */
#include "gguf_sample.h"

#include <stdlib.h>

/* One change to the sample. VALUE_4 and VALUE_8 overwrite bytes of a key's value from `at` on: a string
 * begins with its length, an array with its element type and, at 4, its count. */
enum change {
    VERSION,
    TENSORS,
    KEYS,
    KEY_LENGTH,
    KEY_TYPE,
    VALUE_1,
    VALUE_4,
    VALUE_8,
    KEY_AGAIN,
    KEY_NAMED, /* `at` bytes of 'n', the last one replaced by `value` if that is not 0 */
    TENSOR_LENGTH,
    TENSOR_NAMED,
    DIMS,
    DIM,
    TYPE,
    OFFSET,
    ALIGNMENT,
    TENSOR_AGAIN
};
static const struct {
    enum change change;
    const char *name;
    size_t at;
    uint64_t value;
    const char *message, *also;
} corruptions[] = {
    {VERSION, 0, 0, 0, "GGUF version 0", "expected version 2 or 3"},
    {VERSION, 0, 0, 1, "GGUF version 1", "expected version 2 or 3"},
    {VERSION, 0, 0, 4, "GGUF version 4", "expected version 2 or 3"},
    {VERSION, 0, 0, 0x03000000, "GGUF version 3 in big-endian", "expected little-endian"},
    {TENSORS, 0, 0, UINT64_MAX, "claims 18446744073709551615 tensors, ", " bytes left"},
    {TENSORS, 0, 0, (uint64_t)1 << 40, "claims 1099511627776 tensors, ", " bytes left"},
    {TENSORS, 0, 0, 1000, "claims 1000 tensors, ", " bytes left"},
    {TENSORS, 0, 0, 4, "tensor 3", ""},
    {KEYS, 0, 0, UINT64_MAX, "claims 18446744073709551615 keys, ", " bytes left"},
    {KEYS, 0, 0, 1000, "claims 1000 keys, ", " bytes left"},
    {KEYS, 0, 0, 13, "tensor 0 has a string of ", "at most 63"}, /* a tensor was read as a key */
    {KEYS, 0, 0, 11, "tensor 'reals' has 9 dimensions", "1 to 4"},
    {KEY_LENGTH, "text", 0, 0, "key 0 has an empty name", ""},
    {KEY_LENGTH, "u32", 0, 65536, "key 1 has a string of 65536 bytes", "at most 65535"},
    {KEY_LENGTH, "u32", 0, UINT64_MAX, "key 1 has a string of 18446744073709551615 bytes", ""},
    {KEY_LENGTH, "u32", 0, 60000, "key 1 needs 60000 bytes", "bytes left (truncated download?)"},
    {KEY_TYPE, "u32", 0, 13, "key 'u32' has value type 13", "the known types are 0 to 12"},
    {KEY_TYPE, "u32", 0, UINT32_MAX, "key 'u32' has value type 4294967295", ""},
    {KEY_TYPE, "u32", 0, GGUF_STRING, "key 'u32' has a string of ", "expected at most 67108864"},
    {VALUE_1, "flag", 0, 2, "key 'flag' is a bool of value 2", "expected 0 or 1"},
    {VALUE_8, "text", 0, 60000, "key 'text' needs 60000 bytes", "truncated"},
    {VALUE_8, "text", 0, UINT64_MAX, "key 'text' has a string of 18446744073709551615", "at most 67108864"},
    {VALUE_8, "text", 0, (64 << 20) + 1, "key 'text' has a string of 67108865 bytes", "at most 67108864"},
    {VALUE_8, "strings", 12, 60000, "key 'strings' needs 60000 bytes", "truncated"},
    {VALUE_4, "strings", 0, GGUF_ARRAY, "key 'strings' is an array of arrays", "array of single values"},
    {VALUE_4, "strings", 0, 99, "key 'strings' has value type 99", "0 to 12"},
    {VALUE_8, "strings", 4, UINT64_MAX, "key 'strings' claims 18446744073709551615 values", "bytes left"},
    {VALUE_8, "strings", 4, 5000, "key 'strings' claims 5000 values of type string, ", "bytes left"},
    {VALUE_8, "integers", 4, (1 << 26) + 1, "key 'integers' claims 67108865 values", "bytes left"},
    {VALUE_8, "wide", 4, (uint64_t)1 << 61, "key 'wide' claims 2305843009213693952 values", "bytes left"},
    {KEY_AGAIN, "i8", 0, 0, "key 'i8' appears twice, as number 2 and 12", "expected once"},
    {KEY_NAMED, 0, 9, '\n', "key 12 has a control character at byte 8", "printable"},
    {KEY_NAMED, 0, 1, 0x7f, "key 12 has a control character at byte 0", "printable"},
    {KEY_NAMED, 0, 65536, 0, "key 12 has a string of 65536 bytes", "at most 65535"},
    {TENSOR_LENGTH, "a", 0, 0, "tensor 0 has an empty name", "1 to 63"},
    {TENSOR_LENGTH, "a", 0, 64, "tensor 0 has a string of 64 bytes", "at most 63"},
    {TENSOR_NAMED, "a", 64, 0, "tensor 0 has a string of 64 bytes", "at most 63"},
    {TENSOR_NAMED, "a", 5, 27, "tensor 0 has a control character at byte 4", "printable"},
    {TENSOR_AGAIN, "b", 0, 0, "tensor 'b' appears twice, as number 1 and 3", "expected once"},
    {DIMS, "a", 0, 0, "tensor 'a' has 0 dimensions", "1 to 4"},
    {DIMS, "a", 0, 5, "tensor 'a' has 5 dimensions", "1 to 4"},
    {DIMS, "a", 0, UINT32_MAX, "tensor 'a' has 4294967295 dimensions", "1 to 4"},
    {DIM, "a", 0, 0, "tensor 'a' has shape (0, 3)", "at least 1"},
    {DIM, "a", 1, UINT64_MAX, "tensor 'a' has shape (4, -1)", "at least 1"},
    {DIM, "a", 1, (uint64_t)1 << 62, "tensor 'a' has shape (4, 4611686018427387904)", "at most 2^48"},
    {DIM, "a", 1, (uint64_t)1 << 46, "tensor 'a' ends at byte 1125899906", "truncated"},
    {DIM, "a", 1, ((uint64_t)1 << 46) + 1, "tensor 'a' has shape", "at most 2^48"},
    {DIM, "b", 0, 33, "tensor 'b' has shape (33, 2)", "rows of type Q8_0 must be a multiple of 32"},
    {TYPE, "a", 0, 39, "tensor 'a' has type MXFP4 (39)",
     "a file in Q4_K_M is needed (supported: F32, F16, BF16"},
    {TYPE, "a", 0, 26, "tensor 'a' has type I32 (26)", "IQ4_XS"},
    {TYPE, "a", 0, 1000, "tensor 'a' has type unknown (1000)", "supported: F32"},
    {TYPE, "a", 0, UINT32_MAX, "tensor 'a' has type unknown (4294967295)", "supported: F32"},
    {OFFSET, "b", 0, 65, "tensor 'b' has offset 65", "a multiple of the alignment 32"},
    {OFFSET, "b", 0, 1 << 20, "tensor 'b' ends at byte ", " bytes (truncated download?)"},
    {OFFSET, "b", 0, (uint64_t)1 << 63, "tensor 'b' has offset 9223372036854775808", ""},
    {OFFSET, "b", 0, UINT64_MAX - 31, "tensor 'b' has offset 18446744073709551584", ""},
    {OFFSET, "b", 0, 0, "tensors 'a' and 'b' overlap at byte ", ""},
    {OFFSET, "c", 0, 128, "tensors 'b' and 'c' overlap at byte ", "expected each its own bytes"},
    {OFFSET, "a", 0, 96, "tensors 'b' and 'a' overlap at byte ", ""},
    {ALIGNMENT, 0, 0, 0, "'general.alignment' is 0", "expected a power of two up to 1048576"},
    {ALIGNMENT, 0, 0, 48, "'general.alignment' is 48", "power of two"},
    {ALIGNMENT, 0, 0, 1 << 21, "'general.alignment' is 2097152", "power of two"},
    {ALIGNMENT, 0, 0, 256, "tensor 'b' has offset 64", "a multiple of the alignment 256"},
};

static void rename_to(dun_str *name, uint64_t *length, size_t n, uint64_t last) {
    dun_str_clear(name);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(dun_str_add(name, i + 1 == n && last ? (char[]){(char)last} : "n", 1), DUN_OK);
    *length = n;
}

static void corrupt(gguf_builder *b, enum change change, const char *name, size_t at, uint64_t value) {
    gguf_builder_key *key = name ? gguf_builder_find_key(b, name) : NULL;
    gguf_builder_tensor *tensor = name ? gguf_builder_find_tensor(b, name) : NULL;
    switch (change) {
    case VERSION:
        b->version = (uint32_t)value;
        break;
    case TENSORS:
        b->claimed_tensors = value;
        break;
    case KEYS:
        b->claimed_keys = value;
        break;
    case KEY_LENGTH:
        key->name_length = value;
        break;
    case KEY_TYPE:
        key->type = (uint32_t)value;
        break;
    case VALUE_1:
        memcpy(key->value.bytes + at, &value, 1);
        break;
    case VALUE_4:
        memcpy(key->value.bytes + at, &value, 4);
        break;
    case VALUE_8:
        memcpy(key->value.bytes + at, &value, 8);
        break;
    case KEY_AGAIN:
        gguf_builder_append_key(b, name, GGUF_U8, "", 1);
        break;
    case KEY_NAMED:
        gguf_builder_append_key(b, "x", GGUF_U8, "", 1);
        key = gguf_builder_find_key(b, "x");
        rename_to(&key->name, &key->name_length, at, value);
        break;
    case TENSOR_LENGTH:
        tensor->name_length = value;
        break;
    case TENSOR_NAMED:
        rename_to(&tensor->name, &tensor->name_length, at, value);
        break;
    case TENSOR_AGAIN:
        gguf_builder_add_tensor(b, name, DUN_QUANT_F32, 1, (uint64_t[]){1}, "1234", 4);
        break;
    case DIMS:
        tensor->n_dims = (uint32_t)value;
        break;
    case DIM:
        tensor->dims[at] = value;
        break;
    case TYPE:
        tensor->type = (uint32_t)value;
        break;
    case OFFSET:
        tensor->offset = value;
        break;
    case ALIGNMENT:
        gguf_builder_u32(b, "general.alignment", (uint32_t)value);
        break;
    }
}

static void test_corruptions(void **state) {
    (void)state;
    size_t live = dun_mem_live();
    gguf_builder b;
    dun_gguf *file;
    dun_str bytes = {0};
    for (size_t i = 0; i < sizeof corruptions / sizeof corruptions[0]; i++) {
        build_sample(&b);
        corrupt(&b, corruptions[i].change, corruptions[i].name, corruptions[i].at, corruptions[i].value);
        int rc = parse(&file, &bytes, &b);
        expect_refused(rc, corruptions[i].message, corruptions[i].also);
        gguf_builder_free(&b);
    }
    build_sample(&b);
    gguf_builder_f32(&b, "general.alignment", 32);
    expect_refused(parse(&file, &bytes, &b), "key 'general.alignment' is f32", "expected an integer");
    gguf_builder_free(&b);
    dun_str_free(&bytes);
    assert_int_equal(dun_mem_live(), live);
}

/* Caps hold where the bytes would be there: an array of 2^26 elements and a string of 64 MiB pass, one more
 * does not. The long values are zeros nobody touches. */
static void test_caps(void **state) {
    (void)state;
    const size_t cap = (size_t)1 << 26;
    uint8_t *bytes = calloc(cap + 4096, 1);
    assert_non_null(bytes);
    for (int array = 0; array < 2; array++)
        for (uint64_t length = cap; length <= cap + 1; length++) {
            gguf_builder b;
            dun_gguf *file = NULL;
            dun_str head = {0};
            gguf_builder_init(&b);
            if (array)
                gguf_builder_numbers(&b, "long", GGUF_U8, "", 0);
            else
                gguf_builder_string(&b, "long", "");
            memcpy(gguf_builder_find_key(&b, "long")->value.bytes + (array ? 4 : 0), &length, 8);
            b.alignment = 1;
            assert_int_equal(gguf_builder_finish(&head, &b), DUN_OK);
            memcpy(bytes, head.bytes, head.length);
            int rc = dun_gguf_parse(&file, bytes, cap + 4096, "dir/m.gguf");
            if (length == cap)
                assert_int_equal(rc, DUN_OK);
            else
                expect_refused(rc, "67108865", "expected at most 67108864");
            dun_gguf_free(file);
            dun_str_free(&head);
            gguf_builder_free(&b);
        }
    free(bytes);
}

/* Tensors may touch but not share one byte. */
static void test_neighbours(void **state) {
    (void)state;
    for (uint64_t offset = 64 + 68 - 1; offset <= 64 + 68; offset++) {
        gguf_builder b;
        dun_gguf *file = NULL;
        dun_str bytes = {0};
        build_sample(&b);
        gguf_builder_u32(&b, "general.alignment", 1);
        b.alignment = 1;
        gguf_builder_find_tensor(&b, "c")->offset = offset;
        int rc = parse(&file, &bytes, &b);
        if (offset == 64 + 68)
            assert_int_equal(rc, DUN_OK);
        else
            expect_refused(rc, "tensors 'b' and 'c' overlap", "");
        dun_gguf_free(file);
        dun_str_free(&bytes);
        gguf_builder_free(&b);
    }
}

static const struct {
    const char *start, *what;
} impostors[] = {
    {"", "is empty"},
    {"GGU", "is not a GGUF file"},
    {"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "is a Git LFS pointer"},
    {"<!DOCTYPE html><html>Not found</html>", "is an HTML or XML page"},
    {"PK\x03\x04zipzipzip", "zip archive or PyTorch"},
    {"\x1f\x8b\x08", "gzip"},
    {"tjgg\x03\x01", "before GGUF"},
    {"FUGG\x01\x01\x01\x03", "big-endian"},
    {"\x10\x01\x01\x01\x01\x01\x01\x01{\"a\":1}", "safetensors"},
    {"text,label\nfine,1\n", "is not a GGUF file; expected a model file that begins with \"GGUF\""},
};

static void test_impostors(void **state) {
    (void)state;
    dun_gguf *file = NULL;
    for (size_t i = 0; i < sizeof impostors / sizeof impostors[0]; i++) {
        const uint8_t *bytes = (const uint8_t *)impostors[i].start;
        size_t length = strlen(impostors[i].start);
        expect_refused(dun_gguf_parse(&file, length ? bytes : NULL, length, "dir/m.gguf"), impostors[i].what,
                       "");
    }
    expect_refused(dun_gguf_parse(&file, (const uint8_t *)"GGUF\3\0\0\0\0\0", 10, "dir/m.gguf"),
                   "has 10 bytes; a GGUF header alone takes 24", "truncated");
}

/* Every shorter file is refused; the copy has its exact size, so that reading past it would be noticed. */
static void test_truncations(void **state) {
    (void)state;
    size_t live = dun_mem_live();
    gguf_builder b;
    dun_str bytes = {0};
    build_sample(&b);
    assert_int_equal(gguf_builder_finish(&bytes, &b), DUN_OK);
    for (size_t length = 0; length < bytes.length; length++) {
        dun_gguf *file = NULL;
        uint8_t *copy = malloc(length ? length : 1);
        assert_non_null(copy);
        memcpy(copy, bytes.bytes, length);
        expect_refused(dun_gguf_parse(&file, copy, length, "dir/m.gguf"), "", "");
        free(copy);
    }
    gguf_builder_free(&b);
    dun_str_free(&bytes);
    assert_int_equal(dun_mem_live(), live);
}

/* Every byte of the file in turn made something else: refused with a message, or read without harm. */
static void test_flipped_bytes(void **state) {
    (void)state;
    size_t live = dun_mem_live();
    static const uint8_t flips[] = {0x01, 0x80, 0xff, 0x20};
    gguf_builder b;
    dun_str bytes = {0};
    build_sample(&b);
    assert_int_equal(gguf_builder_finish(&bytes, &b), DUN_OK);
    size_t n_refused = 0;
    for (size_t at = 0; at < bytes.length; at++)
        for (size_t f = 0; f < sizeof flips; f++) {
            dun_gguf *file = NULL;
            bytes.bytes[at] = (char)(bytes.bytes[at] ^ flips[f]);
            int rc = dun_gguf_parse(&file, (const uint8_t *)bytes.bytes, bytes.length, "dir/m.gguf");
            if (rc < 0)
                expect_refused(rc, "", "");
            n_refused += rc < 0;
            dun_gguf_free(file);
            bytes.bytes[at] = (char)(bytes.bytes[at] ^ flips[f]);
        }
    assert_true(n_refused > 500);
    gguf_builder_free(&b);
    dun_str_free(&bytes);
    assert_int_equal(dun_mem_live(), live);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_corruptions), cmocka_unit_test(test_impostors),
        cmocka_unit_test(test_caps),        cmocka_unit_test(test_neighbours),
        cmocka_unit_test(test_truncations), cmocka_unit_test(test_flipped_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
