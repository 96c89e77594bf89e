/* Models in several GGUF files: any part opens all; parts that are missing, out of place, or of other models
 * are named. */
#include "base/fault.h"
#include "base/file.h"
#include "gguf_sample.h"

#include <stdio.h>
#include <unistd.h>

enum { N_PARTS = 3, N_TENSORS = 4, PATH_BYTES = 512 };

static void part_path(char *out, unsigned index) {
    snprintf(out, PATH_BYTES, BINARY_DIR "/test_parts-%05u-of-00003.gguf", index + 1);
}

/* What a part says of itself and holds. */
typedef struct {
    uint16_t no, count;
    int32_t n_tensors;
    const char *model; /* NULL: not said */
    const char *tensors[2];
} part_plan;

static const part_plan right[N_PARTS] = {
    {0, 3, N_TENSORS, "llama", {"a", "b"}},
    {1, 3, N_TENSORS, NULL, {"c", NULL}},
    {2, 3, N_TENSORS, NULL, {"d", NULL}},
};

static void build_part(gguf_builder *b, const part_plan *plan) {
    gguf_builder_init(b);
    if (plan->model)
        gguf_builder_string(b, "general.architecture", plan->model);
    gguf_builder_number(b, "split.no", GGUF_U16, &plan->no);
    gguf_builder_number(b, "split.count", GGUF_U16, &plan->count);
    gguf_builder_number(b, "split.tensors.count", GGUF_I32, &plan->n_tensors);
    for (size_t i = 0; i < 2 && plan->tensors[i]; i++) {
        const float values[2] = {(float)plan->no, (float)i};
        gguf_builder_add_tensor(b, plan->tensors[i], DUN_QUANT_F32, 1, (uint64_t[]){2}, values,
                                sizeof values);
    }
}

static void write_part(unsigned index, const part_plan *plan) {
    gguf_builder b;
    dun_str bytes = {0};
    char path[PATH_BYTES];
    build_part(&b, plan);
    assert_int_equal(gguf_builder_finish(&bytes, &b), DUN_OK);
    part_path(path, index);
    assert_int_equal(dun_file_write(path, bytes.bytes, bytes.length), DUN_OK);
    dun_str_free(&bytes);
    gguf_builder_free(&b);
}

static void write_all(void) {
    for (unsigned i = 0; i < N_PARTS; i++)
        write_part(i, &right[i]);
}

static int remove_all(void **state) {
    (void)state;
    char path[PATH_BYTES];
    for (unsigned i = 0; i < N_PARTS; i++) {
        part_path(path, i);
        unlink(path);
    }
    return 0;
}

static void expect_whole(const dun_gguf *file) {
    static const struct {
        const char *name;
        float part, index;
    } tensors[N_TENSORS] = {{"a", 0, 0}, {"b", 0, 1}, {"c", 1, 0}, {"d", 2, 0}};
    assert_int_equal(dun_gguf_n_tensors(file), N_TENSORS);
    assert_int_equal(dun_gguf_n_parts(file), N_PARTS);
    assert_true(dun_gguf_has(file, "general.architecture"));
    for (size_t i = 0; i < N_TENSORS; i++) {
        const dun_gguf_tensor *tensor = dun_gguf_find_tensor(file, tensors[i].name);
        float values[2];
        assert_ptr_equal(tensor, dun_gguf_tensor_at(file, i));
        assert_string_equal(tensor->name, tensors[i].name);
        memcpy(values, tensor->data, sizeof values);
        assert_true(values[0] == tensors[i].part && values[1] == tensors[i].index);
    }
    for (size_t p = 0; p < N_PARTS; p++) {
        size_t length = 0;
        assert_memory_equal(dun_gguf_head(file, p, &length), "GGUF", 4);
        assert_true(length > 24);
    }
}

/* Whichever part is named. */
static void test_any_part(void **state) {
    (void)state;
    size_t live = dun_mem_live();
    write_all();
    for (unsigned i = 0; i < N_PARTS; i++) {
        dun_gguf *file = NULL;
        char path[PATH_BYTES];
        part_path(path, i);
        if (dun_gguf_open(&file, path) < 0)
            fail_msg("%s", dun_error_message());
        expect_whole(file);
        dun_gguf_free(file);
    }
    assert_int_equal(dun_mem_live(), live);
}

/* One part written otherwise, or not at all, and what is said of it. */
static const struct {
    unsigned index;
    part_plan plan;
    const char *file, *message, *also;
} wrong[] = {
    {1,
     {2, 3, 4, NULL, {"c"}},
     "00002-of",
     "is part 3 of 3 by its 'split.no'",
     "expected part 2 in its place"},
    {0, {1, 3, 4, "llama", {"a", "b"}}, "00001-of", "is part 2 of 3", "expected part 1"},
    {1, {1, 4, 4, NULL, {"c"}}, "00002-of", "is of a model of 4 parts", "expected 3"},
    {2, {2, 3, 7, NULL, {"d"}}, "00003-of", "is of a model of 7 tensors", "expected 4"},
    {2,
     {2, 3, 4, NULL, {"d", "e"}},
     "00001-of",
     "'split.tensors.count' is 4",
     "expected 5, the tensors of all 3 parts"},
    {1,
     {1, 3, 4, "gpt2", {"c"}},
     "00002-of",
     "'general.architecture' is 'gpt2'",
     "expected 'llama', of the model in "},
    {2, {2, 3, 4, NULL, {"b"}}, "00003-of", "tensor 'b' is in ", "00001-of-00003.gguf too"},
    {1, {5, 3, 4, NULL, {"c"}}, "00002-of", "'split.no' is 5", "expected 0 to 2"},
    {2, {2, 1, 4, NULL, {"d"}}, "00003-of", "is of a model of 1 parts", "expected 3"},
    {1, {0, 0, 0, NULL, {NULL}}, "00002-of", "is not there", "expected part 2 of 3 of the model beside"},
};

static void expect_wrong(const char *path, const char *file, const char *message, const char *also) {
    dun_gguf *opened = NULL;
    assert_int_equal(dun_gguf_open(&opened, path), DUN_BAD_INPUT);
    assert_null(opened);
    const char *found = dun_error_message(), *colon = strchr(found, ':');
    if (!colon || !strstr(found, file) || strstr(found, file) > colon || !strstr(found, message) ||
        !strstr(found, also))
        fail_msg("message: %s\nlacks: %s: %s ... %s", found, file, message, also);
}

static void test_wrong_parts(void **state) {
    (void)state;
    char named[PATH_BYTES], path[PATH_BYTES];
    size_t live = dun_mem_live();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        write_all();
        part_path(path, wrong[i].index);
        if (wrong[i].plan.count)
            write_part(wrong[i].index, &wrong[i].plan);
        else
            unlink(path);
        part_path(named, wrong[i].index == 0 ? 1 : 0);
        expect_wrong(named, wrong[i].file, wrong[i].message, wrong[i].also);
        assert_int_equal(dun_mem_live(), live);
    }
}

/* A part whose name does not lead to the others. */
static void test_other_names(void **state) {
    (void)state;
    static const char *const names[] = {"/test_part.gguf", "/-00001-of-00004.gguf", "/x-0001-of-00003.gguf",
                                        "/x-0000a-of-00003.gguf", "/x_00001-of-00003.gguf"};
    gguf_builder b;
    dun_str bytes = {0};
    build_part(&b, &right[0]);
    assert_int_equal(gguf_builder_finish(&bytes, &b), DUN_OK);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[PATH_BYTES];
        snprintf(path, sizeof path, BINARY_DIR "%s", names[i]);
        assert_int_equal(dun_file_write(path, bytes.bytes, bytes.length), DUN_OK);
        expect_wrong(path, names[i], "is one of 3 parts of a model",
                     "a name that ends in -00001-of-00003.gguf");
        unlink(path);
    }
    gguf_builder_u32(&b, "split.count", UINT32_MAX);
    dun_str_clear(&bytes);
    assert_int_equal(gguf_builder_finish(&bytes, &b), DUN_OK);
    assert_int_equal(dun_file_write(BINARY_DIR "/x-00001-of-4294967295.gguf", bytes.bytes, bytes.length),
                     DUN_OK);
    expect_wrong(BINARY_DIR "/x-00001-of-4294967295.gguf", "x-00001", "is one of 4294967295 parts", "");
    unlink(BINARY_DIR "/x-00001-of-4294967295.gguf");
    dun_str_free(&bytes);
    gguf_builder_free(&b);
}

static void test_no_memory(void **state) {
    (void)state;
    char path[PATH_BYTES];
    size_t live = dun_mem_live();
    unsigned long n = 1;
    write_all();
    part_path(path, 1);
    for (int rc = DUN_FAILED; rc < 0; n++) {
        dun_gguf *file = NULL;
        dun_fault_set(n);
        rc = dun_gguf_open(&file, path);
        dun_fault_set(0);
        assert_true(rc == DUN_OK || rc == DUN_FAILED);
        dun_gguf_free(file);
        assert_int_equal(dun_mem_live(), live);
    }
    assert_true(n > 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_any_part, remove_all),
        cmocka_unit_test_teardown(test_wrong_parts, remove_all),
        cmocka_unit_test_teardown(test_other_names, remove_all),
        cmocka_unit_test_teardown(test_no_memory, remove_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
