/* Block formats against their definitions in double, and the search for NaN and infinity. Every expected
 * value is exact: f16 scales times small integers, and their sums, fit a double. */
#include "base/rng.h"
#include "gguf_builder.h"
#include "model/quant.h"

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

/* (-1)^s 2^(e-15) (1 + f/1024), 2^-14 f/1024 for e = 0. */
static double half_value(unsigned bits) {
    unsigned exponent = bits >> 10 & 31, fraction = bits & 1023;
    double size = exponent ? ldexp(1024 + fraction, (int)exponent - 25) : ldexp(fraction, -24);
    if (exponent == 31)
        size = fraction ? (double)NAN : (double)INFINITY;
    return bits & 0x8000 ? -size : size;
}

static unsigned half_bits(const uint8_t *at) {
    return at[0] | (unsigned)at[1] << 8;
}

static double defined_value(size_t format, const uint8_t *block, unsigned j) {
    double d = half_value(half_bits(block));
    double m = formats[format].min_at ? half_value(half_bits(block + formats[format].min_at)) : 0;
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

/* Blocks written out by hand: d = 0.5 (0x3800), m = -2 (0xc000). */
static const struct {
    uint32_t id;
    uint8_t block[34];
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
};

static void test_known_blocks(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        float out[BLOCK];
        dun_quant_to_f32(out, known[i].id, known[i].block, BLOCK);
        for (size_t k = 0; k < 4; k++)
            assert_true((double)out[known[i].wanted[k].j] == known[i].wanted[k].value);
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
    {0, {2}, 1, 0xff7f, 0x7f80, 0xffc0},    {1, {0}, 1, 0x7bff, 0xfc00, 0x7e01},
    {30, {0}, 1, 0x7f7f, 0xff80, 0x7f81},   {2, {0}, 1, 0xfbff, 0x7c00, 0x7d00},
    {3, {0, 2}, 2, 0x7bff, 0xfc00, 0xfe00}, {6, {0}, 1, 0x7bff, 0x7c00, 0x7fff},
    {7, {0, 2}, 2, 0xfbff, 0xfc00, 0xffff}, {8, {0}, 1, 0x7bff, 0x7c00, 0x7c01},
};

static void test_finite(void **state) {
    (void)state;
    enum { N = 21 };
    for (size_t t = 0; t < sizeof exponents / sizeof exponents[0]; t++) {
        const dun_quant_type *type = dun_quant_find(exponents[t].id);
        uint8_t blocks[N * 34];
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
    char text[128], cut[8];
    for (size_t f = 0; f < N_FORMATS; f++) {
        const dun_quant_type *type = dun_quant_find(formats[f].id);
        assert_string_equal(type->name, formats[f].name);
        assert_int_equal(type->block_bytes, formats[f].bytes);
        assert_int_equal(type->block_values, BLOCK);
    }
    assert_string_equal(dun_quant_find(12)->name, "Q4_K");
    assert_int_equal(dun_quant_find(12)->block_bytes, 0);
    for (uint32_t id = 0; id < 43; id++) { /* every id has a name, and a format to ask for or a decoder */
        const dun_quant_type *type = dun_quant_find(id);
        assert_non_null(type);
        assert_int_equal(type->id, id);
        assert_true(!type->instead == (type->block_bytes > 0));
    }
    assert_null(dun_quant_find(43));
    dun_quant_supported(text, sizeof text);
    assert_string_equal(text, "F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0");
    dun_quant_supported(cut, sizeof cut);
    assert_string_equal(cut, "F32, F1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_half),          cmocka_unit_test(test_half_rounds),
        cmocka_unit_test(test_random_blocks), cmocka_unit_test(test_known_blocks),
        cmocka_unit_test(test_floats),        cmocka_unit_test(test_finite),
        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
