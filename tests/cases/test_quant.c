/* Block formats against their definitions in double, and the search for NaN and infinity. Every expected
 * value is exact: f16 scales times small integers, and their sums, fit a double. */
#include "base/rng.h"
#include "gguf_builder.h"
#include "model/quant.h"
#include "quant_values.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BLOCK = 32, N_BLOCKS = 67 };

/* y[j] = q_j d + m with q_j of `bits` bits, less `zero`; where the parts of a block lie. */
static const struct {
    uint32_t id;
    const char *name;
    size_t bytes, min_at, high_at, nibbles_at; /* 0: no such part */
    int zero;
} formats[] = {
    {2, "Q4_0", 18, 0, 0, 2, 8}, {3, "Q4_1", 20, 2, 0, 4, 0}, {6, "Q5_0", 22, 0, 2, 6, 16},
    {7, "Q5_1", 24, 2, 4, 8, 0}, {8, "Q8_0", 34, 0, 0, 0, 0},
};
enum { N_FORMATS = sizeof formats / sizeof formats[0] };

static double defined_value(size_t format, const uint8_t *block, unsigned j) {
    double d = half_in(block), m = formats[format].min_at ? half_in(block + formats[format].min_at) : 0;
    if (!formats[format].nibbles_at) {
        int q = block[2 + j];
        return (q < 128 ? q : q - 256) * d;
    }
    unsigned byte = block[formats[format].nibbles_at + j % 16];
    int q = (int)(j < 16 ? byte & 15 : byte >> 4);
    if (formats[format].high_at && block[formats[format].high_at + j / 8] >> j % 8 & 1)
        q += 16;
    return (q - formats[format].zero) * d + m;
}

static void test_half(void **state) {
    (void)state;
    for (unsigned bits = 0; bits < 0x10000; bits++) {
        double wanted = half_value(bits);
        float found = dun_half_to_f32((uint16_t)bits);
        if (isnan(wanted)) {
            assert_true(isnan(found));
            continue;
        }
        assert_true((double)found == wanted);
        assert_int_equal(!signbit(found), !signbit(wanted));
        assert_int_equal(gguf_builder_half(found), bits);
        assert_int_equal(dun_half_from_f32(found), bits);
    }
}

/* Between two neighbours the nearer one; in the middle the even one. */
static void test_half_rounds(void **state) {
    (void)state;
    for (unsigned bits = 0; bits < 0x7bff; bits++) {
        float low = dun_half_to_f32((uint16_t)bits), high = dun_half_to_f32((uint16_t)(bits + 1));
        float middle = low + (high - low) / 2;
        assert_int_equal(dun_half_from_f32(middle), bits + (bits & 1));
        assert_int_equal(dun_half_from_f32(nextafterf(middle, 0)), bits);
        assert_int_equal(dun_half_from_f32(-nextafterf(middle, INFINITY)), 0x8000 | (bits + 1));
    }
    assert_int_equal(dun_half_from_f32(65519.0f), 0x7bff);
    assert_int_equal(dun_half_from_f32(65520.0f), 0x7c00);
    assert_int_equal(dun_half_from_f32(1e30f), 0x7c00);
    assert_int_equal(dun_half_from_f32(1e-30f), 0);
}

static void test_random_blocks(void **state) {
    (void)state;
    uint64_t draw = 0;
    for (size_t f = 0; f < N_FORMATS; f++) {
        size_t bytes = formats[f].bytes * N_BLOCKS;
        uint8_t *data = calloc(bytes + 1, 1), *blocks = data + 1; /* no alignment */
        float *out = malloc(BLOCK * N_BLOCKS * sizeof *out);
        assert_true(data && out);
        for (size_t i = 0; i < bytes; i++)
            blocks[i] = (uint8_t)dun_random_u64(1, DUN_STREAM_TEST, draw++);
        for (size_t i = 0; i < N_BLOCKS; i++) /* even exponents: none is 31, so all is finite */
            for (size_t s = 0; s <= formats[f].min_at; s += 2)
                blocks[i * formats[f].bytes + s + 1] &= 0xfb;
        for (size_t n = 1; n <= N_BLOCKS; n += 33) {
            memset(out, 0xff, BLOCK * N_BLOCKS * sizeof *out);
            dun_quant_to_f32(out, formats[f].id, blocks, n * BLOCK);
            for (size_t i = 0; i < n * BLOCK; i++) {
                const uint8_t *block = blocks + i / BLOCK * formats[f].bytes;
                assert_true(out[i] == (float)defined_value(f, block, i % BLOCK));
            }
            assert_true(n == N_BLOCKS || isnan(out[n * BLOCK]));
            assert_true(dun_quant_finite(formats[f].id, blocks, n * BLOCK));
        }
        free(data);
        free(out);
    }
}

/* The formats whose values are defined one by one, and where their halves lie. */
static const struct {
    uint32_t id;
    const char *name;
    size_t bytes, values, halves[2];
    double (*value)(const uint8_t *block, unsigned e);
} defined[] = {
    {10, "Q2_K", 84, 256, {80, 82}, value_q2_k},    {11, "Q3_K", 110, 256, {108, 108}, value_q3_k},
    {12, "Q4_K", 144, 256, {0, 2}, value_q4_k},     {13, "Q5_K", 176, 256, {0, 2}, value_q5_k},
    {14, "Q6_K", 210, 256, {208, 208}, value_q6_k}, {20, "IQ4_NL", 18, 32, {0, 0}, value_iq4_nl},
    {23, "IQ4_XS", 136, 256, {0, 0}, value_iq4_xs},
};
enum { N_DEFINED = sizeof defined / sizeof defined[0] };

/* Every value is one rounding of an exact product or difference. */
static void test_defined_blocks(void **state) {
    (void)state;
    uint64_t draw = 1 << 20;
    uint8_t data[1 + 210], *block = data + 1; /* no alignment */
    float out[256];
    for (size_t f = 0; f < N_DEFINED; f++)
        for (size_t i = 0; i < N_BLOCKS; i++) {
            for (size_t j = 0; j < defined[f].bytes; j++)
                block[j] = (uint8_t)dun_random_u64(1, DUN_STREAM_TEST, draw++);
            for (size_t h = 0; h < 2; h++) /* an even exponent: none is 31, so all is finite */
                block[defined[f].halves[h] + 1] &= 0xfb;
            assert_true(dun_quant_finite(defined[f].id, block, defined[f].values));
            dun_quant_to_f32(out, defined[f].id, block, defined[f].values);
            for (unsigned e = 0; e < defined[f].values; e++)
                if (out[e] != (float)defined[f].value(block, e))
                    fail_msg("%s: value %u of block %zu is %a; expected %a", defined[f].name, e, i,
                             (double)out[e], defined[f].value(block, e));
        }
}

/* Blocks written out by hand: d = 0.5 (0x3800), m = -2 (0xc000). */
#define D 0x00, 0x38
#define M 0x00, 0xc0
static const struct {
    uint32_t id;
    uint8_t block[210];
    struct {
        unsigned j;
        double value;
    } wanted[4];
} known[] = {
    {2, {0x00, 0x38, 0xf0, 0x08}, {{0, -4}, {1, 0}, {16, 3.5}, {17, -4}}},
    {3, {0x00, 0x38, 0x00, 0xc0, 0xf0, 0x08}, {{0, -2}, {1, 2}, {16, 5.5}, {17, -2}}},
    {6, {0x00, 0x38, 0x01, 0x00, 0x02, 0x80, 0xf0, 0x08}, {{0, 0}, {1, -4}, {16, -0.5}, {17, 0}}},
    {7, {0x00, 0x38, 0x00, 0xc0, 0x01, 0x00, 0x02, 0x80, 0xf0, 0x08}, {{0, 6}, {1, 2}, {16, 5.5}, {17, 6}}},
    {8, {0x00, 0x38, 0x80, 0x7f, 0x01, 0xff}, {{0, -64}, {1, 63.5}, {2, 0.5}, {3, -0.5}}},
    /* scale 2 and minimum 1, scale 1 and minimum 3; codes 3 and 1 in byte 16: of 0 and 32 */
    {10,
     {[0] = 0x12, [2] = 0x31, [16] = 0x07, [80] = D, M},
     {{0, 3 + 2}, {1, 0 + 2}, {32, 0.5 + 6}, {33, 0 + 6}}},
    /* scales 33 - 32 and 0 - 32; the high bit of value 0 is set, that of 32 not */
    {11,
     {[0] = 0x01, [32] = 0x07, [96] = 0x01, [104] = 0x02, [108] = D},
     {{0, 1.5}, {1, -2}, {32, 48}, {33, 64}}},
    /* scales 2 and, with upper bits from byte 4, 0x23; minima 1 and 0x14 */
    {12,
     {D, M, 0x82, 0, 0, 0, 0x41, 0, 0, 0, 0x43, 0, 0, 0, 0x05, [80] = 0x0f},
     {{0, 5 + 2}, {1, 0 + 2}, {128, 0.5 * 0x23 * 15 + 2 * 0x14}, {160, 0}}},
    /* the same with codes of 5 bits: 0x15 and 0x1f */
    {13,
     {D, M, 0x82, 0, 0, 0, 0x41, 0, 0, 0, 0x43, 0, 0, 0, 0x11, [48] = 0x05, [112] = 0x0f},
     {{0, 0x15 + 2}, {1, 0 + 2}, {128, 0.5 * 0x23 * 0x1f + 2 * 0x14}, {160, 0}}},
    /* scales -1 and 2; codes 0x3f - 32 and 0x15 - 32, in byte 0: values 0 and 64 */
    {14,
     {[0] = 0x5f, [128] = 0x13, [192] = 0xff, [196] = 2, [208] = D},
     {{0, -15.5}, {1, 16}, {64, 0x15 - 32}, {65, -32}}},
    {20, {D, 0xf0, 0x08}, {{0, -63.5}, {1, 0.5}, {16, 56.5}, {17, -63.5}}},
    /* scales 33 - 32 and 0x1f - 32 */
    {23, {D, 0x06, 0x00, 0xf1, [8] = 0xf0, [24] = 0x08}, {{0, -63.5}, {16, 56.5}, {32, -0.5}, {48, 63.5}}},
};
#undef D
#undef M

static void test_known_blocks(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        float out[256];
        dun_quant_to_f32(out, known[i].id, known[i].block, dun_quant_find(known[i].id)->block_values);
        for (size_t k = 0; k < 4; k++) {
            const unsigned j = known[i].wanted[k].j;
            if ((double)out[j] != known[i].wanted[k].value)
                fail_msg("%s: value %u is %g; expected %g", dun_quant_find(known[i].id)->name, j,
                         (double)out[j], known[i].wanted[k].value);
        }
    }
}

static void test_floats(void **state) {
    (void)state;
    const float values[5] = {0, -1.5f, 3e-42f, 1e30f, -65504};
    uint8_t data[1 + sizeof values];
    float out[5];
    memcpy(data + 1, values, sizeof values);
    dun_quant_to_f32(out, DUN_QUANT_F32, data + 1, 5);
    assert_memory_equal(out, values, sizeof values);

    for (unsigned bits = 0; bits < 0x10000; bits++) {
        uint32_t wanted = bits << 16, found;
        uint16_t half = (uint16_t)bits;
        memcpy(data + 1, &half, sizeof half);
        dun_quant_to_f32(out, DUN_QUANT_BF16, data + 1, 1);
        memcpy(&found, out, sizeof found);
        assert_int_equal(found, wanted);
        dun_quant_to_f32(out, DUN_QUANT_F16, data + 1, 1);
        float single = dun_half_to_f32(half);
        assert_memory_equal(out, &single, sizeof single);
    }
}

/* Where the exponents of each type lie in a block, and 16 bits that are the largest finite, infinite, NaN. */
static const struct {
    uint32_t id;
    size_t at[2], n;
    uint16_t finite, infinite, nan;
} exponents[] = {
    {0, {2}, 1, 0xff7f, 0x7f80, 0xffc0},       {1, {0}, 1, 0x7bff, 0xfc00, 0x7e01},
    {30, {0}, 1, 0x7f7f, 0xff80, 0x7f81},      {2, {0}, 1, 0xfbff, 0x7c00, 0x7d00},
    {3, {0, 2}, 2, 0x7bff, 0xfc00, 0xfe00},    {6, {0}, 1, 0x7bff, 0x7c00, 0x7fff},
    {7, {0, 2}, 2, 0xfbff, 0xfc00, 0xffff},    {8, {0}, 1, 0x7bff, 0x7c00, 0x7c01},
    {10, {80, 82}, 2, 0x7bff, 0xfc00, 0xfe00}, {11, {108}, 1, 0xfbff, 0x7c00, 0x7d00},
    {12, {0, 2}, 2, 0x7bff, 0xfc00, 0xfe00},   {13, {0, 2}, 2, 0x7bff, 0xfc00, 0xfe00},
    {14, {208}, 1, 0xfbff, 0x7c00, 0x7d00},    {20, {0}, 1, 0x7bff, 0x7c00, 0x7c01},
    {23, {0}, 1, 0x7bff, 0x7c00, 0x7c01},
};

static void test_finite(void **state) {
    (void)state;
    enum { N = 21 };
    for (size_t t = 0; t < sizeof exponents / sizeof exponents[0]; t++) {
        const dun_quant_type *type = dun_quant_find(exponents[t].id);
        uint8_t blocks[N * 210];
        memset(blocks, 0xff, sizeof blocks); /* quants of all ones mean nothing */
        for (size_t i = 0; i < N; i++)
            for (size_t s = 0; s < exponents[t].n; s++)
                memcpy(blocks + i * type->block_bytes + exponents[t].at[s], &exponents[t].finite, 2);
        for (size_t n = 1; n <= N; n++)
            assert_true(dun_quant_finite(type->id, blocks, n * type->block_values));
        for (size_t i = 0; i < N; i++)
            for (size_t s = 0; s < exponents[t].n; s++) {
                uint8_t *at = blocks + i * type->block_bytes + exponents[t].at[s];
                memcpy(at, &exponents[t].infinite, 2);
                assert_false(dun_quant_finite(type->id, blocks, (i + 1) * type->block_values));
                assert_true(dun_quant_finite(type->id, blocks, i * type->block_values));
                memcpy(at, &exponents[t].nan, 2);
                assert_false(dun_quant_finite(type->id, blocks, N * type->block_values));
                memcpy(at, &exponents[t].finite, 2);
            }
    }
}

static void test_table(void **state) {
    (void)state;
    char text[160], cut[8];
    for (size_t f = 0; f < N_FORMATS; f++) {
        const dun_quant_type *type = dun_quant_find(formats[f].id);
        assert_string_equal(type->name, formats[f].name);
        assert_int_equal(type->block_bytes, formats[f].bytes);
        assert_int_equal(type->block_values, BLOCK);
    }
    for (size_t f = 0; f < N_DEFINED; f++) {
        const dun_quant_type *type = dun_quant_find(defined[f].id);
        assert_string_equal(type->name, defined[f].name);
        assert_int_equal(type->block_bytes, defined[f].bytes);
        assert_int_equal(type->block_values, defined[f].values);
    }
    assert_string_equal(dun_quant_find(39)->name, "MXFP4");
    assert_int_equal(dun_quant_find(39)->block_bytes, 0);
    for (uint32_t id = 0; id < 43; id++) { /* every id has a name, and a format to ask for or a decoder */
        const dun_quant_type *type = dun_quant_find(id);
        assert_non_null(type);
        assert_int_equal(type->id, id);
        assert_true(!type->instead == (type->block_bytes > 0));
    }
    assert_null(dun_quant_find(43));
    dun_quant_supported(text, sizeof text);
    assert_string_equal(text, "F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, "
                              "Q6_K, IQ4_NL, IQ4_XS");
    dun_quant_supported(cut, sizeof cut);
    assert_string_equal(cut, "F32, F1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_half),          cmocka_unit_test(test_half_rounds),
        cmocka_unit_test(test_random_blocks), cmocka_unit_test(test_defined_blocks),
        cmocka_unit_test(test_known_blocks),  cmocka_unit_test(test_floats),
        cmocka_unit_test(test_finite),        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
