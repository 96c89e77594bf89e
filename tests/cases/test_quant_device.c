/* Decoders of stored weights on a device: every format's blocks must come out with the host's bits. */
#include "base/mem.h"
#include "base/rng.h"
#include "base/source.h"
#include "dev/buffer.h"
#include "dev/program.h"
#include "device_check.h"
#include "model/quant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A kernel for each format, an item a block. */
#define STORED(name, id, values, bytes, decoder, scales, exponents)                                          \
    "__kernel void decode_all_" #decoder "(__global const uchar *in, __global float *out, int n) {\n"        \
    "    size_t i = get_global_id(0);\n"                                                                     \
    "    float value[" #values "];\n"                                                                        \
    "    if (i >= (size_t)n)\n"                                                                              \
    "        return;\n"                                                                                      \
    "    decode_" #decoder "(value, in + i * " #bytes ");\n"                                                 \
    "    for (int j = 0; j < " #values "; j++)\n"                                                            \
    "        out[i * " #values " + j] = value[j];\n"                                                         \
    "}\n"
#define NAMED(name, id, instead)
static const char kernels[] =
#include "model/quant.def"
    ;
#undef STORED

/* A kernel for each format of blocks, an item a block: which of a value, four, and a run are not the whole
 * block's. */
static const char forms[] =
    "#define FORMS(name, values, bytes, form, id) \\\n"
    "    __kernel void forms_##name(__global const uchar *in, __global int *out, int n) { \\\n"
    "        size_t i = get_global_id(0); \\\n"
    "        __global const uchar *at = in + i * bytes; \\\n"
    "        float whole[values], part[32]; \\\n"
    "        int differ = 0; \\\n"
    "        if (i >= (size_t)n) \\\n"
    "            return; \\\n"
    "        decode_##name(whole, at); \\\n"
    "        for (uint j = 0; j < values; j++) \\\n"
    "            differ |= as_uint(value_##name(at, j)) != as_uint(whole[j]) ? 1 : 0; \\\n"
    "        for (uint j = 0; j < values; j++) { \\\n"
    "            if (j % 4 == 0) \\\n"
    "                four_##name(part, at, j); \\\n"
    "            differ |= as_uint(part[j % 4]) != as_uint(whole[j]) ? 2 : 0; \\\n"
    "        } \\\n"
    "        for (uint j = 0; j < values; j++) { \\\n"
    "            if (j % 32 == 0) \\\n"
    "                run_##name(part, at, j / 32); \\\n"
    "            differ |= as_uint(part[j % 32]) != as_uint(whole[j]) ? 4 : 0; \\\n"
    "        } \\\n"
    "        out[i] = differ; \\\n"
    "    }\n"
    "EACH_BLOCK_FORMAT(FORMS)\n";

#define STORED(name, id, values, bytes, decoder, scales, exponents)                                          \
    {id, "decode_all_" #decoder, "forms_" #decoder, scales},
static const struct {
    uint32_t id;
    const char *kernel, *forms;
    size_t scales; /* where the 32 bits with the exponents begin */
} formats[] = {
#include "model/quant.def"
};
#undef STORED
#undef NAMED
enum { N_FORMATS = sizeof formats / sizeof *formats, N_VALUES = 1 << 21, GROUP = 8 };

static dun_device *device;
static dun_program *program;

/* Bytes that mean finite numbers: random ones, but every half in turn (of blocks of 256, every eighth) where
 * the scale is one; in plain formats the 16 bits of each value run through all patterns, and what is not
 * finite becomes 0. */
static uint8_t *make_blocks(const dun_quant_type *type, size_t n_blocks, size_t scales) {
    size_t bytes = type->block_bytes, step = n_blocks < 0x10000 ? 0x10000 / n_blocks : 1;
    uint8_t *blocks = dun_calloc(n_blocks, bytes);
    assert_non_null(blocks);
    for (size_t i = 0; i < n_blocks * bytes; i++)
        blocks[i] = (uint8_t)dun_random_u64(2, DUN_STREAM_TEST, i);
    for (size_t i = 0; i < n_blocks; i++) {
        uint8_t *block = blocks + i * bytes,
                *last = type->block_values > 1 ? block + scales : block + bytes - 2;
        last[0] = (uint8_t)(i * step);
        last[1] = (uint8_t)(i * step >> 8);
        if (type->block_values > 1)
            last[3] &= 0xfb; /* perhaps of a minimum, or of the scale itself */
        if (!dun_quant_finite(type->id, block, type->block_values))
            memset(block, 0, bytes);
    }
    return blocks;
}

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static void check_format(const dun_quant_type *type, const char *name, size_t scales) {
    size_t n_blocks = N_VALUES / type->block_values, n = N_VALUES, bytes = n_blocks * type->block_bytes;
    uint8_t *blocks = make_blocks(type, n_blocks, scales);
    float *wanted = dun_calloc(n, sizeof *wanted), *found = dun_calloc(n, sizeof *found);
    dun_buffer in = {0}, out = {0};
    dun_kernel *kernel = NULL;
    assert_true(wanted && found);
    dun_quant_to_f32(wanted, type->id, blocks, n);
    check_ok(dun_buffer_create(&in, device, bytes, "blocks"));
    check_ok(dun_buffer_create(&out, device, n * sizeof *found, "values"));
    check_ok(dun_buffer_write(&in, 0, blocks, bytes));
    check_ok(dun_kernel_create(&kernel, program, name));
    check_ok(DUN_LAUNCH(kernel, ((dun_range){{n_blocks / GROUP, 1}, GROUP}), DUN_BUF(in), DUN_BUF(out),
                        DUN_INT(n_blocks)));
    check_ok(dun_buffer_read(found, &out, 0, n * sizeof *found));
    for (size_t i = 0; i < n; i++)
        if (bits_of(found[i]) != bits_of(wanted[i]))
            fail_msg("%s: value %zu is %a; expected the host's %a", type->name, i, (double)found[i],
                     (double)wanted[i]);
    dun_kernel_free(kernel);
    dun_buffer_free(&in);
    dun_buffer_free(&out);
    dun_free(blocks);
    dun_free(wanted);
    dun_free(found);
}

static void test_bits(void **state) {
    (void)state;
    for (size_t f = 0; f < N_FORMATS; f++)
        check_format(dun_quant_find(formats[f].id), formats[f].kernel, formats[f].scales);
}

static void check_forms(const dun_quant_type *type, const char *name, size_t scales) {
    static const char *const form[] = {"value_", "four_", "run_"};
    size_t n_blocks = N_VALUES / type->block_values, bytes = n_blocks * type->block_bytes;
    uint8_t *blocks = make_blocks(type, n_blocks, scales);
    int32_t *differ = dun_calloc(n_blocks, sizeof *differ);
    dun_buffer in = {0}, out = {0};
    dun_kernel *kernel = NULL;
    assert_non_null(differ);
    check_ok(dun_buffer_create(&in, device, bytes, "blocks"));
    check_ok(dun_buffer_create(&out, device, n_blocks * sizeof *differ, "differences"));
    check_ok(dun_buffer_write(&in, 0, blocks, bytes));
    check_ok(dun_kernel_create(&kernel, program, name));
    check_ok(DUN_LAUNCH(kernel, ((dun_range){{n_blocks / GROUP, 1}, GROUP}), DUN_BUF(in), DUN_BUF(out),
                        DUN_INT(n_blocks)));
    check_ok(dun_buffer_read(differ, &out, 0, n_blocks * sizeof *differ));
    for (size_t i = 0; i < n_blocks; i++)
        for (int k = 0; k < 3; k++)
            if (differ[i] & 1 << k)
                fail_msg("%s: block %zu is other numbers to %s than to decode_", type->name, i, form[k]);
    dun_kernel_free(kernel);
    dun_buffer_free(&in);
    dun_buffer_free(&out);
    dun_free(blocks);
    dun_free(differ);
}

static void test_forms(void **state) {
    (void)state;
    for (size_t f = 0; f < N_FORMATS; f++)
        if (dun_quant_find(formats[f].id)->block_values > 1)
            check_forms(dun_quant_find(formats[f].id), formats[f].forms, formats[f].scales);
}

static int open_all(void **state) {
    (void)state;
    dun_str text = {0};
    device = check_open_device();
    check_ok(dun_source_read(&text, SOURCE_DIR "/host/kernels/quant.cl"));
    check_ok(dun_str_addf(&text, "%s%s", kernels, forms));
    check_ok(dun_program_build_text(&program, device, text.bytes, ""));
    dun_str_free(&text);
    return 0;
}

static int close_all(void **state) {
    (void)state;
    dun_program_free(program);
    dun_device_close(device);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bits), cmocka_unit_test(test_forms)};
    return cmocka_run_group_tests(tests, open_all, close_all);
}
