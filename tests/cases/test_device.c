/* Devices: what there is, buffers, programs, launches; what fails and with which words; and that every error
 * path gives back what it took. */
#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "dev/buffer.h"
#include "dev/kernel_text.h"
#include "dev/program.h"
#include "device_check.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_list(void **state) {
    dun_device_info *infos;
    size_t n;
    (void)state;
    check_ok(dun_device_list(&infos, &n));
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++) {
        assert_true(infos[i].platform[0] != '\0');
        if (infos[i].error[0])
            continue;
        assert_true(infos[i].name[0] != '\0' && infos[i].driver[0] != '\0');
        assert_true(infos[i].memory_bytes >= infos[i].largest_buffer_bytes);
        assert_true(infos[i].largest_buffer_bytes > 1u << 20);
        assert_true(infos[i].compute_units > 0 && infos[i].max_group_size > 0);
        assert_true(infos[i].vector_width > 0);
    }
    /* every usable one can be opened by its index */
    for (size_t i = 0; i < n; i++) {
        char index[24];
        dun_device *device;
        if (infos[i].error[0])
            continue;
        snprintf(index, sizeof index, "%zu", i);
        check_ok(dun_device_open(&device, index));
        assert_string_equal(dun_device_describe(device)->name, infos[i].name);
        dun_device_close(device);
    }
    dun_free(infos);
    assert_string_equal(dun_device_type_name(DUN_DEVICE_CPU), "CPU");
}

static void test_open_errors(void **state) {
    dun_device *device;
    dun_device_info *infos;
    size_t n;
    (void)state;
    check_ok(dun_device_list(&infos, &n));
    assert_int_equal(dun_device_open(&device, "no such device"), DUN_BAD_DEVICE);
    assert_null(device);
    check_said("no such device", (const char *const[]){"\"no such device\"", infos[0].name, NULL});
    if (n > 1) {
        assert_int_equal(dun_device_open(&device, "all"), DUN_BAD_DEVICE);
        check_said("all", (const char *const[]){"\"all\"", "one is needed", NULL});
    }
    dun_free(infos);
    dun_device_close(NULL);
}

static void test_buffers(void **state) {
    dun_device *device = check_open_device();
    dun_buffer a, b, none = {0};
    unsigned char bytes[100], back[100] = {0};
    void *mapped;
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 7);
    uint64_t live = dun_buffer_live_bytes();
    check_ok(dun_buffer_create(&a, device, 100, "a"));
    check_ok(dun_buffer_create(&b, device, 100, "b"));
    assert_int_equal(dun_buffer_live_bytes(), live + 200);
    assert_true(dun_buffer_peak_bytes() >= live + 200);
    check_ok(dun_buffer_fill(&a, 0xA5));
    check_ok(dun_buffer_write(&a, 10, bytes, 50));
    check_ok(dun_buffer_write(&a, 0, NULL, 0));
    check_ok(dun_buffer_fill(&b, 0));
    check_ok(dun_buffer_copy(&b, 20, &a, 5, 60));
    check_ok(dun_buffer_read(back, &b, 0, 100));
    for (size_t i = 0; i < 100; i++) {
        size_t from = i - 15; /* index in `a`, from 5 on */
        unsigned char want = i < 20 || i >= 80 ? 0 : from >= 10 && from < 60 ? bytes[from - 10] : 0xA5;
        assert_int_equal(back[i], want);
    }
    check_ok(dun_buffer_map(&mapped, &a));
    memcpy(mapped, bytes, 100);
    check_ok(dun_buffer_unmap(&a, mapped));
    check_ok(dun_buffer_read(back, &a, 0, 100));
    assert_memory_equal(back, bytes, 100);
    dun_buffer_free(&b);
    check_ok(dun_buffer_create(&b, device, 0, "an empty tensor"));
    assert_non_null(b.mem);
    dun_buffer_free(&a);
    dun_buffer_free(&a);
    dun_buffer_free(&b);
    dun_buffer_free(&none);
    assert_int_equal(dun_buffer_live_bytes(), live);
    dun_device_close(device);
}

/* A part is the whole's bytes: what is written to one is read from the other. */
static void test_buffer_parts(void **state) {
    dun_device *device = check_open_device();
    size_t from = 2 * dun_device_describe(device)->part_alignment;
    unsigned char *bytes = calloc(1, from + 64), back[40] = {0};
    dun_buffer whole, part, none = {0};
    (void)state;
    assert_non_null(bytes);
    for (size_t i = 0; i < from + 64; i++)
        bytes[i] = (unsigned char)(i * 7);
    uint64_t live = dun_buffer_live_bytes();
    check_ok(dun_buffer_create(&whole, device, from + 64, "a whole"));
    check_ok(dun_buffer_create_part(&part, &whole, from, 40, "a part"));
    assert_int_equal(dun_buffer_live_bytes(), live + from + 64);
    check_ok(dun_buffer_write(&whole, 0, bytes, from + 64));
    check_ok(dun_buffer_read(back, &part, 0, 40));
    assert_memory_equal(back, bytes + from, 40);
    memset(back, 0xA5, sizeof back);
    check_ok(dun_buffer_write(&part, 0, back, 40));
    memcpy(bytes + from, back, sizeof back);
    unsigned char *all = calloc(1, from + 64);
    assert_non_null(all);
    check_ok(dun_buffer_read(all, &whole, 0, from + 64));
    assert_memory_equal(all, bytes, from + 64);
    assert_int_equal(dun_buffer_read(back, &part, 8, 40), DUN_BAD_DEVICE);
    dun_error_clear();
    dun_buffer_free(&part);
    dun_buffer_free(&none);
    assert_int_equal(dun_buffer_live_bytes(), live + from + 64);
    dun_buffer_free(&whole);
    assert_int_equal(dun_buffer_live_bytes(), live);
    free(all);
    free(bytes);
    dun_device_close(device);
    assert_int_equal(dun_device_live_objects(), 0);
}

static void test_buffer_errors(void **state) {
    dun_device *device = check_open_device();
    dun_buffer a;
    char byte = 0;
    (void)state;
    assert_int_equal(dun_buffer_create(&a, device, SIZE_MAX / 2, "the whole world"), DUN_BAD_DEVICE);
    assert_null(a.mem);
    check_said("a huge buffer",
               (const char *const[]){"the whole world", dun_device_describe(device)->name, "at most", NULL});
    check_ok(dun_buffer_create(&a, device, 100, "a"));
    assert_int_equal(dun_buffer_write(&a, 100, &byte, 1), DUN_BAD_DEVICE);
    check_said("a write beyond the end", (const char *const[]){"CL_INVALID_VALUE", NULL});
    dun_buffer_free(&a);
    dun_device_close(device);
    assert_int_equal(dun_device_live_objects(), 0);
}

static const char small_program[] =
    "__kernel void add(__global float *out, ulong at, __global const float *x, int n, float y) {\n"
    "    size_t i = get_global_id(0) + 10 * get_global_id(1);\n"
    "    if ((int)get_global_id(0) < n)\n"
    "        out[at + i] = x[i] + y * SCALE;\n"
    "}\n";

/* Opens a device, builds the small program and runs it: 2 by 7 items in groups of 2, the eighth stays out. */
static int add_on_device(float *out) {
    int rc = DUN_OK;
    dun_device *device = NULL;
    dun_program *program = NULL;
    dun_kernel *kernel = NULL;
    dun_buffer x = {0}, y = {0};
    float numbers[20];
    const char *selector = getenv("DUNLIN_TEST_DEVICE");
    for (int i = 0; i < 20; i++)
        numbers[i] = (float)i;
    TRY(dun_device_open(&device, selector ? selector : "cpu"));
    TRY(dun_buffer_create(&x, device, sizeof numbers, "x"));
    TRY(dun_buffer_create(&y, device, 24 * sizeof(float), "y"));
    TRY(dun_buffer_write(&x, 0, numbers, sizeof numbers));
    TRY(dun_buffer_fill(&y, 0));
    TRY(dun_program_build_text(&program, device, small_program, "-DSCALE=3"));
    TRY(dun_kernel_create(&kernel, program, "add"));
    TRY(DUN_LAUNCH(kernel, ((dun_range){{4, 2}, 2}), DUN_BUF(y), DUN_OFFSET(4), DUN_BUF(x), DUN_INT(7),
                   DUN_FLOAT(0.5)));
    TRY(DUN_LAUNCH(kernel, ((dun_range){{0, 2}, 2}), DUN_INT(0))); /* nothing to do, nothing looked at */
    TRY(dun_device_finish(device));
    TRY(dun_buffer_read(out, &y, 0, 24 * sizeof(float)));
out:
    dun_kernel_free(kernel);
    dun_program_free(program);
    dun_buffer_free(&x);
    dun_buffer_free(&y);
    dun_device_close(device);
    return rc;
}

static void test_launch(void **state) {
    float out[24];
    (void)state;
    check_ok(add_on_device(out));
    for (int i = 0; i < 24; i++) {
        int at = i - 4;
        bool written = at >= 0 && at % 10 < 7;
        assert_true(out[i] == (written ? (float)at + 1.5f : 0.0f));
    }
}

/* Makes the first, second, third ... fallible operation fail until a run gets through. */
static void test_faults(void **state) {
    float out[24];
    unsigned long n = 0;
    int rc;
    (void)state;
    do {
        dun_error_clear();
        dun_fault_set(++n);
        rc = add_on_device(out);
        dun_fault_set(0);
        assert_int_equal(dun_device_live_objects(), 0);
        assert_int_equal(dun_buffer_live_bytes(), 0);
        assert_int_equal(dun_mem_live(), 0);
        if (rc != DUN_OK && !dun_error_message()[0])
            fail_msg("operation %lu fails without a message", n);
    } while (rc != DUN_OK && n < 200);
    assert_true(n > 20 && n < 200);
}

/* A GPU's queue is kept short. The device's description is changed for a moment, the device behind it is not.
 */
static void test_queue(void **state) {
    enum { LAUNCHES = 1100 };
    dun_device *device = check_open_device();
    dun_device_info *info = (dun_device_info *)(uintptr_t)dun_device_describe(device);
    static const char count[] = "__kernel void count(__global int *n) { n[0]++; }";
    dun_program *program;
    dun_kernel *kernel;
    dun_buffer buffer;
    int32_t n = 0;
    (void)state;
    info->type = DUN_DEVICE_GPU;
    check_ok(dun_program_build_text(&program, device, count, ""));
    check_ok(dun_kernel_create(&kernel, program, "count"));
    check_ok(dun_buffer_create(&buffer, device, sizeof n, "a count"));
    check_ok(dun_buffer_write(&buffer, 0, &n, sizeof n));
    for (int i = 0; i < LAUNCHES; i++)
        check_ok(DUN_LAUNCH(kernel, ((dun_range){{1, 1}, 1}), DUN_BUF(buffer)));
    check_ok(dun_buffer_read(&n, &buffer, 0, sizeof n));
    assert_int_equal(n, LAUNCHES);
    dun_buffer_free(&buffer);
    dun_kernel_free(kernel);
    dun_program_free(program);
    dun_device_close(device);
    assert_int_equal(dun_device_live_objects(), 0);
}

static void test_program_errors(void **state) {
    dun_device *device = check_open_device();
    dun_program *program;
    dun_kernel *kernel;
    (void)state;
    assert_int_equal(dun_program_build_text(&program, device,
                                            "__kernel void f(int x) { undeclared_thing(x) }", "-DUNUSUAL=1"),
                     DUN_BAD_DEVICE);
    assert_null(program);
    check_said("a program that does not compile",
               (const char *const[]){"do not compile", "CL_BUILD_PROGRAM_FAILURE", "-DUNUSUAL=1",
                                     dun_device_describe(device)->name, "undeclared_thing", NULL});
    check_ok(dun_program_build_text(&program, device, small_program, "-DSCALE=1"));
    assert_int_equal(dun_kernel_create(&kernel, program, "subtract"), DUN_BAD_DEVICE);
    assert_null(kernel);
    check_said("a missing kernel", (const char *const[]){"subtract", "CL_INVALID_KERNEL_NAME", NULL});
    check_ok(dun_kernel_create(&kernel, program, "add"));
    assert_int_equal(DUN_LAUNCH(kernel, ((dun_range){{1, 1}, 1}), DUN_INT(1)), DUN_BAD_DEVICE);
    check_said("a launch with a wrong argument", (const char *const[]){"add", "CL_INVALID", NULL});
    dun_kernel_free(kernel);
    dun_program_free(program);
    dun_kernel_free(NULL);
    dun_program_free(NULL);
    dun_device_close(device);
    assert_int_equal(dun_device_live_objects(), 0);
}

/* DUNLIN_KERNELS reads the kernels from disk instead. */
static void test_kernels_from_disk(void **state) {
    dun_device *device = check_open_device();
    const dun_tiles tiles = dun_tiles_default(dun_device_describe(device), 64);
    const dun_topic topic = {"no-such-topic", DUN_CUT_ROWS};
    dun_programs *programs;
    dun_program *program;
    (void)state;
    setenv("DUNLIN_KERNELS", SOURCE_DIR "/no-such-file.cl", 1);
    assert_int_equal(dun_programs_create(&programs, device, NULL, &tiles), DUN_BAD_INPUT);
    assert_null(programs);
    check_said("a missing kernel file", (const char *const[]){"no-such-file.cl", NULL});
    unsetenv("DUNLIN_KERNELS");
    assert_non_null(strstr(dun_kernel_text(), "__kernel void rmsnorm_fwd"));
    assert_non_null(strstr(dun_kernel_text(), "#line"));
    check_ok(dun_programs_create(&programs, device, NULL, &tiles));
    assert_int_equal(dun_programs_topic(&program, programs, &topic), DUN_BAD_INPUT);
    check_said("a missing topic", (const char *const[]){"#pragma topic no-such-topic", NULL});
    dun_programs_free(programs);
    dun_device_close(device);
}

/* Vectors no wider than the device's, heads cut without a rest, groups within the device's limit. */
static void test_tiles(void **state) {
    static const struct {
        enum dun_device_type type;
        uint32_t vector_width, max_group, head_dim, group, vector, reg_rows;
        const char *defines;
    } rows[] = {
        {DUN_DEVICE_CPU, 16, 4096, 64, 1, 16, 12, "-DHEAD_DIM=64 -DHEAD_VW=16"},
        {DUN_DEVICE_CPU, 8, 4096, 64, 1, 8, 6, "-DHEAD_DIM=64 -DHEAD_VW=8"},
        {DUN_DEVICE_CPU, 4, 4096, 8, 1, 4, 4, "-DHEAD_DIM=8 -DHEAD_VW=4"},
        {DUN_DEVICE_CPU, 1, 4096, 80, 1, 4, 4, "-DHEAD_DIM=80 -DHEAD_VW=4"},
        {DUN_DEVICE_CPU, 16, 4096, 12, 1, 16, 12, "-DHEAD_DIM=12 -DHEAD_VW=4"},
        {DUN_DEVICE_CPU, 16, 4096, 7, 1, 16, 12, "-DHEAD_DIM=7 -DHEAD_VW=1"},
        {DUN_DEVICE_GPU, 1, 1024, 64, 64, 4, 4, "-DWG=64 -DVW=4"},
        {DUN_DEVICE_GPU, 1, 20, 64, 16, 4, 4, "-DWG=16 -DVW=4"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        dun_device_info info = {
            .type = rows[i].type, .vector_width = rows[i].vector_width, .max_group_size = rows[i].max_group};
        dun_tiles tiles = dun_tiles_default(&info, rows[i].head_dim);
        dun_str defines = {0};
        check_ok(dun_tiles_defines(&defines, &tiles, DUN_CUT_ALL));
        if (tiles.group != rows[i].group || tiles.vector != rows[i].vector ||
            tiles.reg_rows != rows[i].reg_rows || !strstr(defines.bytes, rows[i].defines))
            fail_msg("row %zu: %s", i, defines.bytes);
        dun_str_free(&defines);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_open_errors),
        cmocka_unit_test(test_buffers),
        cmocka_unit_test(test_buffer_parts),
        cmocka_unit_test(test_buffer_errors),
        cmocka_unit_test(test_launch),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_program_errors),
        cmocka_unit_test(test_kernels_from_disk),
        cmocka_unit_test(test_tiles),
        cmocka_unit_test(test_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
