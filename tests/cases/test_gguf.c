/* GGUF files that are right: keys, tensors, typed access and its refusals, files, no memory. */
#include "base/fault.h"
#include "base/file.h"
#include "gguf_sample.h"

#include <unistd.h>

static void test_values(void **state) {
    (void)state;
    gguf_builder b;
    dun_gguf *file;
    dun_str bytes = {0};
    for (uint32_t version = 2; version <= 3; version++) {
        build_sample(&b);
        b.version = version;
        assert_int_equal(parse(&file, &bytes, &b), DUN_OK);
        uint32_t u32 = 0;
        float f32 = 0;
        int flag = 0;
        dun_gguf_string text = {0}, *strings = NULL;
        int32_t *integers = NULL;
        size_t n = 0;
        assert_int_equal(dun_gguf_get_u32(&u32, file, "u32"), DUN_OK);
        assert_int_equal(u32, 4000000000u);
        assert_int_equal(dun_gguf_get_u32(&u32, file, "i64"), DUN_OK);
        assert_int_equal(u32, 77);
        assert_int_equal(dun_gguf_get_f32(&f32, file, "f32"), DUN_OK);
        assert_true(f32 == 0.25f);
        assert_int_equal(dun_gguf_get_bool(&flag, file, "flag"), DUN_OK);
        assert_int_equal(flag, 1);
        assert_int_equal(dun_gguf_get_string(&text, file, "text"), DUN_OK);
        assert_int_equal(text.length, 5);
        assert_memory_equal(text.bytes, "hello", 5);
        assert_int_equal(dun_gguf_array_strings(&strings, &n, file, "strings"), DUN_OK);
        assert_int_equal(n, 3);
        assert_int_equal(strings[1].length, 0);
        assert_int_equal(strings[2].length, 5);
        assert_memory_equal(strings[2].bytes, "three", 5);
        assert_int_equal(dun_gguf_array_i32(&integers, &n, file, "integers"), DUN_OK);
        assert_int_equal(n, 3);
        assert_int_equal(integers[0], -7);
        assert_int_equal(integers[2], 7);
        assert_int_equal(dun_gguf_array_length(&n, file, "reals"), DUN_OK);
        assert_int_equal(n, 2);
        assert_true(dun_gguf_has(file, "wide") && !dun_gguf_has(file, "wid") && !dun_gguf_has(file, ""));
        dun_free(strings);
        dun_free(integers);
        dun_gguf_free(file);
        gguf_builder_free(&b);
    }
    dun_str_free(&bytes);
}

static void test_tensors(void **state) {
    (void)state;
    gguf_builder b;
    dun_gguf *file;
    dun_str bytes = {0};
    for (uint32_t alignment = 1; alignment <= 64; alignment *= 8) {
        build_sample(&b);
        gguf_builder_drop(&b, "c");
        b.alignment = alignment;
        gguf_builder_u32(&b, "general.alignment", alignment);
        gguf_builder_add_tensor(&b, "d", DUN_QUANT_F16, 1, (uint64_t[]){5}, "0123456789", 10);
        gguf_builder_find_tensor(&b, "b")->offset = 64; /* placed with alignment 32 */
        assert_int_equal(parse(&file, &bytes, &b), DUN_OK);
        assert_int_equal(dun_gguf_n_tensors(file), 3);
        assert_string_equal(dun_gguf_name(file), "dir/m.gguf");
        const dun_gguf_tensor *tensor = dun_gguf_find_tensor(file, "b");
        assert_ptr_equal(tensor, dun_gguf_tensor_at(file, 1));
        assert_string_equal(tensor->name, "b");
        assert_int_equal(tensor->type, DUN_QUANT_Q8_0);
        assert_int_equal(tensor->n_dims, 2);
        assert_int_equal(tensor->dims[0], 32);
        assert_int_equal(tensor->dims[1], 2);
        assert_int_equal(tensor->dims[2], 1);
        assert_int_equal(tensor->bytes, 68);
        assert_int_equal(tensor->data[0], 1);
        assert_int_equal(tensor->data[67], 68);
        tensor = dun_gguf_find_tensor(file, "d");
        assert_memory_equal(tensor->data, "0123456789", 10);
        assert_null(dun_gguf_find_tensor(file, "c"));
        assert_null(dun_gguf_find_tensor(file, "bb"));
        size_t head;
        assert_ptr_equal(dun_gguf_head(file, 0, &head), bytes.bytes);
        assert_in_range((size_t)(dun_gguf_tensor_at(file, 0)->data - (const uint8_t *)bytes.bytes), head,
                        head + alignment - 1);
        dun_gguf_free(file);
        gguf_builder_free(&b);
    }
    dun_str_free(&bytes);
}

/* A file with nothing in it is a right one. */
static void test_nothing(void **state) {
    (void)state;
    gguf_builder b;
    dun_gguf *file;
    dun_str bytes = {0};
    gguf_builder_init(&b);
    assert_int_equal(parse(&file, &bytes, &b), DUN_OK);
    assert_int_equal(dun_gguf_n_tensors(file), 0);
    assert_false(dun_gguf_has(file, "general.architecture"));
    dun_gguf_free(file);
    dun_str_free(&bytes);
    gguf_builder_free(&b);
}

enum getter { U32, F32, BOOL, STRING, LENGTH, STRINGS, INTEGERS };
static const struct {
    enum getter getter;
    const char *key, *message, *also;
} wrong_gets[] = {
    {U32, "none", "key 'none' is missing", "expected an integer"},
    {F32, "none", "key 'none' is missing", "expected f32"},
    {STRINGS, "none", "key 'none' is missing", "expected an array of string"},
    {U32, "text", "key 'text' is string", "expected an integer"},
    {U32, "f32", "is f32", "expected an integer"},
    {U32, "flag", "is bool", "expected an integer"},
    {U32, "integers", "is an array of i32", "expected an integer"},
    {U32, "i8", "key 'i8' is -3", "expected 0 to 4294967295"},
    {U32, "u64", "key 'u64' is 9223372036854775807", "expected 0 to 4294967295"},
    {F32, "u32", "is u32", "expected f32"},
    {F32, "f64", "is f64", "expected f32"},
    {F32, "reals", "is an array of f32", "expected f32"},
    {BOOL, "i8", "is i8", "expected bool"},
    {STRING, "strings", "is an array of string", "expected string"},
    {STRING, "u32", "is u32", "expected string"},
    {LENGTH, "text", "is string", "expected an array"},
    {STRINGS, "text", "is string", "expected an array of string"},
    {STRINGS, "integers", "is an array of i32", "expected an array of string"},
    {INTEGERS, "strings", "is an array of string", "expected an array of integers"},
    {INTEGERS, "u32", "is u32", "expected an array of integers"},
    {INTEGERS, "reals", "is an array of f32", "expected an array of integers"},
    {INTEGERS, "wide", "holds 1099511627776 at index 1", "expected -2147483648 to 2147483647"},
};

static int get(const dun_gguf *file, enum getter getter, const char *key) {
    size_t n;
    switch (getter) {
    case U32:
        return dun_gguf_get_u32(&(uint32_t){0}, file, key);
    case F32:
        return dun_gguf_get_f32(&(float){0}, file, key);
    case BOOL:
        return dun_gguf_get_bool(&(int){0}, file, key);
    case STRING:
        return dun_gguf_get_string(&(dun_gguf_string){0}, file, key);
    case LENGTH:
        return dun_gguf_array_length(&n, file, key);
    case STRINGS:
        return dun_gguf_array_strings(&(dun_gguf_string *){NULL}, &n, file, key);
    case INTEGERS:
        break;
    }
    return dun_gguf_array_i32(&(int32_t *){NULL}, &n, file, key);
}

static void test_wrong_gets(void **state) {
    (void)state;
    gguf_builder b;
    dun_gguf *file;
    dun_str bytes = {0};
    build_sample(&b);
    assert_int_equal(parse(&file, &bytes, &b), DUN_OK);
    size_t live = dun_mem_live();
    for (size_t i = 0; i < sizeof wrong_gets / sizeof wrong_gets[0]; i++)
        expect_refused(get(file, wrong_gets[i].getter, wrong_gets[i].key), wrong_gets[i].message,
                       wrong_gets[i].also);
    assert_int_equal(dun_mem_live(), live);
    dun_gguf_free(file);
    dun_str_free(&bytes);
    gguf_builder_free(&b);
}

static void test_files(void **state) {
    (void)state;
    gguf_builder b;
    dun_gguf *file = NULL;
    dun_str bytes = {0};
    const char *path = BINARY_DIR "/test_gguf.gguf";
    build_sample(&b);
    assert_int_equal(gguf_builder_finish(&bytes, &b), DUN_OK);
    assert_int_equal(dun_file_write(path, bytes.bytes, bytes.length), DUN_OK);
    assert_int_equal(dun_gguf_open(&file, path), DUN_OK);
    assert_string_equal(dun_gguf_name(file), path);
    assert_memory_equal(dun_gguf_find_tensor(file, "c")->data, gguf_builder_data_of(&b, "c"), 10);
    dun_gguf_free(file);
    assert_int_equal(dun_file_write(path, bytes.bytes, bytes.length - 40), DUN_OK);
    assert_int_equal(dun_gguf_open(&file, path), DUN_BAD_INPUT);
    assert_non_null(strstr(dun_error_message(), "truncated"));
    unlink(path);
    assert_int_equal(dun_gguf_open(&file, path), DUN_BAD_INPUT);
    assert_int_equal(dun_gguf_open(&file, BINARY_DIR), DUN_BAD_INPUT);
    dun_gguf_free(NULL);
    gguf_builder_free(&b);
    dun_str_free(&bytes);
}

/* Each allocation in turn fails: the error comes back and nothing stays allocated. */
static void test_no_memory(void **state) {
    (void)state;
    gguf_builder b;
    dun_gguf *file = NULL;
    dun_str bytes = {0};
    build_sample(&b);
    assert_int_equal(gguf_builder_finish(&bytes, &b), DUN_OK);
    size_t live = dun_mem_live();
    unsigned long n = 1;
    for (int rc = DUN_FAILED; rc < 0; n++) {
        dun_fault_set(n);
        rc = dun_gguf_parse(&file, (const uint8_t *)bytes.bytes, bytes.length, "dir/m.gguf");
        dun_fault_set(0);
        assert_true(rc == DUN_OK || rc == DUN_FAILED);
        assert_true(rc == DUN_OK || dun_mem_live() == live);
    }
    assert_true(n > 6);
    live = dun_mem_live();
    dun_fault_set(1);
    assert_int_equal(get(file, INTEGERS, "integers"), DUN_FAILED);
    dun_fault_set(1);
    assert_int_equal(get(file, STRINGS, "strings"), DUN_FAILED);
    dun_fault_set(0);
    assert_int_equal(dun_mem_live(), live);
    dun_gguf_free(file);
    gguf_builder_free(&b);
    dun_str_free(&bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),     cmocka_unit_test(test_tensors), cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_wrong_gets), cmocka_unit_test(test_files),   cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
