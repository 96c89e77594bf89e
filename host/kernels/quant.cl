/* Blocks of stored weights as floats: one text for both sides, in what OpenCL C and the host's C share.
 * host/model/quant.c includes it as C, and programs of a device as it is. A block lies at `at`, little-endian bytes
 * without alignment.
 *
 * A format is a row of EACH_BLOCK_FORMAT and says of the sixteen values number h of a block, the most that share a
 * scale in every format, scale_NAME(at, h), perhaps least_NAME(at, h), and of value j of them its integer
 * code_NAME(at, h, j):
 *   y = scale * code [- least]
 * The arithmetic is ggml's, rounding included: one multiplication, then one addition where the format has a minimum.
 * So a value costs 1 or 2 flops and some shifts, its share of the block's bytes read and 4 bytes written. From these
 * three follow run_NAME(out, at, b), run b of 32 values, which every block has whole; four_NAME(out, at, i), the
 * four values from i on, a multiple of 4; value_NAME(at, i), one; and decode_NAME(out, at), a block.
 *
 * A block of 32 stores value j in the low nibble of byte j and value j + 16 in the high nibble. A block of 256, Q2_K to
 * Q6_K and IQ4_XS, is one of sub-blocks of 16 or 32 values: each has a small integer that the block's d makes its
 * scale, and in some formats another that dmin makes its minimum.
 *
 * The host defines for itself what OpenCL C has: uchar, ushort, uint, as_float, as_uint, and besides
 *   STORED    const bytes where weights lie
 *   DECODED   where floats go: memory of the work-item's own, if nothing else was said
 *   DECODER   how a function is declared
 *   TABLE     how a table of constants is
 *   load_16, load_32   a number from its bytes
 *   value_16, value_32   the same from where a value of a format of single values lies, aligned to its size */
#ifdef __OPENCL_VERSION__
#    pragma OPENCL FP_CONTRACT OFF
#    define STORED __global const uchar
#    ifndef DECODED
#        define DECODED __private
#    endif
#    define DECODER __attribute__((always_inline))
#    define TABLE __constant
DECODER uint load_16(STORED *at) {
    return at[0] | (uint)at[1] << 8;
}
DECODER uint load_32(STORED *at) {
    return load_16(at) | load_16(at + 2) << 16;
}
#    define value_16(at) (*(__global const ushort *)(at))
#    define value_32(at) (*(__global const uint *)(at))
#endif

/* A half's 16 bits as a float, without a branch. A subnormal m * 2^-24 is read as 2^-14 * (1 + m / 1024), less 2^-14;
 * no subnormal float occurs, so flush-to-zero modes do no harm. */
DECODER float float_of_half(uint bits) {
    const uint exponent_mask = 0x7c00u << 13, magnitude = (bits & 0x7fffu) << 13;
    const uint exponent = magnitude & exponent_mask, rebased = magnitude + ((127u - 15u) << 23);
    const uint not_finite = rebased + ((128u - 16u) << 23);
    const uint subnormal = as_uint(as_float(rebased + (1u << 23)) - 0x1p-14f);
    const uint positive = exponent == exponent_mask ? not_finite : exponent == 0 ? subnormal : rebased;
    return as_float(positive | (bits & 0x8000u) << 16);
}

DECODER float half_at(STORED *at) {
    return float_of_half(load_16(at));
}

/* f32 value. */
DECODER float value_f32(STORED *at) {
    return as_float(value_32(at));
}

/* f16 value. */
DECODER float value_f16(STORED *at) {
    return float_of_half(value_16(at));
}

/* The upper half of an f32. */
DECODER float value_bf16(STORED *at) {
    return as_float((uint)value_16(at) << 16);
}

/* Parts of a byte, chosen without a shift by a number that is known only then: CPUs have none for bytes. */
DECODER int nibble(uint byte, uint upper) {
    return (int)(upper ? byte >> 4 : byte & 15);
}
DECODER int crumb(uint byte, uint i) { /* 2 bits, i of 4 */
    const uint half_byte = (uint)nibble(byte, i / 2);
    return (int)(i % 2 ? half_byte >> 2 : half_byte & 3);
}

/* f16 d; u4 q[32]. y = (q - 8) d */
DECODER float scale_q4_0(STORED *at, uint h) {
    return (void)h, half_at(at);
}
DECODER int code_q4_0(STORED *at, uint h, uint j) {
    return nibble(at[2 + j], h) - 8;
}

/* f16 d, m; u4 q[32]. y = q d + m */
DECODER float scale_q4_1(STORED *at, uint h) {
    return (void)h, half_at(at);
}
DECODER float least_q4_1(STORED *at, uint h) {
    return (void)h, -half_at(at + 2);
}
DECODER int code_q4_1(STORED *at, uint h, uint j) {
    return nibble(at[4 + j], h);
}

/* f16 d; u32 high bits; u4 q[32]. y = (q - 16) d, bit 4 of value j is bit j of `high` */
DECODER float scale_q5_0(STORED *at, uint h) {
    return (void)h, half_at(at);
}
DECODER int code_q5_0(STORED *at, uint h, uint j) {
    return (nibble(at[6 + j], h) | (int)(load_16(at + 2 + 2 * h) >> j & 1u) << 4) - 16;
}

/* f16 d, m; u32 high bits; u4 q[32]. y = q d + m */
DECODER float scale_q5_1(STORED *at, uint h) {
    return (void)h, half_at(at);
}
DECODER float least_q5_1(STORED *at, uint h) {
    return (void)h, -half_at(at + 2);
}
DECODER int code_q5_1(STORED *at, uint h, uint j) {
    return nibble(at[8 + j], h) | (int)(load_16(at + 4 + 2 * h) >> j & 1u) << 4;
}

/* f16 d; i8 q[32]. y = q d */
DECODER float scale_q8_0(STORED *at, uint h) {
    return (void)h, half_at(at);
}
DECODER int code_q8_0(STORED *at, uint h, uint j) {
    return (at[2 + 16 * h + j] ^ 128) - 128;
}

/* u8 m_s[16]; u2 q[256]; f16 d, dmin. In sub-block h: y = q (d s) - dmin m, s the low and m the high nibble of m_s[h].
 * A byte of q holds values that are 32 apart. */
DECODER float scale_q2_k(STORED *at, uint h) {
    return half_at(at + 80) * (float)(at[h] & 15);
}
DECODER float least_q2_k(STORED *at, uint h) {
    return half_at(at + 82) * (float)(at[h] >> 4);
}
DECODER int code_q2_k(STORED *at, uint h, uint j) {
    return crumb(at[16 + 32 * (h / 8) + 16 * (h % 2) + j], h % 8 / 2);
}

/* bits high[256]; u2 q[256]; u6 s[16]; f16 d. In sub-block h: y = (q - (high ? 0 : 4)) d (s - 32). Of the 6 bits of
 * s[h] the lower four lie in the nibbles of 8 bytes, the upper two in 4 bytes more. */
DECODER float scale_q3_k(STORED *at, uint h) {
    STORED *s = at + 96;
    const int low = h < 8 ? s[h] & 15 : s[h - 8] >> 4;
    return half_at(at + 108) * (float)((low | (s[8 + h % 4] >> h / 4 * 2 & 3) << 4) - 32);
}
DECODER int code_q3_k(STORED *at, uint h, uint j) {
    const uint part = 16 * (h % 2);
    return crumb(at[32 + 32 * (h / 8) + part + j], h % 8 / 2) - (at[part + j] & 1u << h / 2 ? 0 : 4);
}

/* The 6 bits of scale, and of minimum, b of 8 in Q4_K and Q5_K: of the first four the lower bits of a byte, of the
 * others a nibble and the upper two bits of the first ones' bytes. */
DECODER int scale_of_k(STORED *s, uint b) {
    const int low = s[b % 4], high = s[b + 4];
    return b < 4 ? low & 63 : (high & 15) | low >> 6 << 4;
}
DECODER int minimum_of_k(STORED *s, uint b) {
    const int low = s[b], high = s[b + 4];
    return b < 4 ? high & 63 : high >> 4 | low >> 6 << 4;
}

/* f16 d, dmin; u6 s[8], m[8]; u4 q[256]. In sub-block b of 32: y = q (d s) - dmin m, two sub-blocks in the low and
 * high nibbles of 32 bytes. */
DECODER float scale_q4_k(STORED *at, uint h) {
    return half_at(at) * (float)scale_of_k(at + 4, h / 2);
}
DECODER float least_q4_k(STORED *at, uint h) {
    return half_at(at + 2) * (float)minimum_of_k(at + 4, h / 2);
}
DECODER int code_q4_k(STORED *at, uint h, uint j) {
    return nibble(at[16 + 32 * (h / 4) + 16 * (h % 2) + j], h / 2 % 2);
}

/* f16 d, dmin; u6 s[8], m[8]; bits high[256]; u4 q[256]. As Q4_K with bit 4 of q in `high`. */
#define scale_q5_k scale_q4_k
#define least_q5_k least_q4_k
DECODER int code_q5_k(STORED *at, uint h, uint j) {
    const uint part = 16 * (h % 2);
    return nibble(at[48 + 32 * (h / 4) + part + j], h / 2 % 2) | (at[16 + part + j] & 1u << h / 2 ? 16 : 0);
}

/* u4 low[256]; u2 high[256]; i8 s[16]; f16 d. In sub-block h of 16: y = (q - 32) (d s), q of 6 bits. Each half of the
 * block lies by itself: values that are 64 apart share a byte of `low`, those that are 32 apart one of `high`. */
DECODER float scale_q6_k(STORED *at, uint h) {
    return half_at(at + 208) * (float)((at[192 + h] ^ 128) - 128);
}
DECODER int code_q6_k(STORED *at, uint h, uint j) {
    const uint half_block = h / 8, quarter = h % 8 / 2, part = 16 * (h % 2);
    const uint low = 64 * half_block + 32 * (quarter % 2) + part, high = 128 + 32 * half_block + part;
    return (nibble(at[low + j], quarter / 2) | crumb(at[high + j], quarter) << 4) - 32;
}

/* What a code of IQ4_NL and IQ4_XS stands for: finer steps near 0, where most weights are. */
TABLE int iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

/* f16 d; u4 code[32]. y = d T[code] */
DECODER float scale_iq4_nl(STORED *at, uint h) {
    return (void)h, half_at(at);
}
DECODER int code_iq4_nl(STORED *at, uint h, uint j) {
    return iq4_values[nibble(at[2 + j], h)];
}

/* f16 d; u2 high[8]; u4 low[8]; u4 code[256]. In sub-block b of 32: y = d (s - 32) T[code], s of 6 bits. */
DECODER float scale_iq4_xs(STORED *at, uint h) {
    const uint b = h / 2;
    return half_at(at) *
           (float)((at[4 + b / 2] >> b % 2 * 4 & 15) + ((int)(load_16(at + 2) >> 2 * b & 3u) << 4) - 32);
}
DECODER int code_iq4_xs(STORED *at, uint h, uint j) {
    return iq4_values[nibble(at[8 + 16 * (h / 2) + j], h % 2)];
}

/* X(name, values and bytes of a block, a minimum or not, ggml's id), as in host/model/quant.def. */
#define EACH_BLOCK_FORMAT(X)                                                                                 \
    X(q4_0, 32, 18, PLAIN, 2)                                                                                \
    X(q4_1, 32, 20, LEAST, 3)                                                                                \
    X(q5_0, 32, 22, PLAIN, 6)                                                                                \
    X(q5_1, 32, 24, LEAST, 7)                                                                                \
    X(q8_0, 32, 34, PLAIN, 8)                                                                                \
    X(q2_k, 256, 84, LEAST, 10)                                                                              \
    X(q3_k, 256, 110, PLAIN, 11)                                                                             \
    X(q4_k, 256, 144, LEAST, 12)                                                                             \
    X(q5_k, 256, 176, LEAST, 13)                                                                             \
    X(q6_k, 256, 210, PLAIN, 14)                                                                             \
    X(iq4_nl, 32, 18, PLAIN, 20)                                                                             \
    X(iq4_xs, 256, 136, PLAIN, 23)
/* Y(name, bytes, ggml's id): a value is a block. */
#define EACH_VALUE_FORMAT(Y) Y(f32, 4, 0) Y(f16, 2, 1) Y(bf16, 2, 30)

#define PLAIN(name)                                                                                          \
    DECODER void sixteen_##name(DECODED float *restrict out, STORED *restrict at, uint h) {                          \
        const float scale = scale_##name(at, h);                                                             \
        for (uint j = 0; j < 16; j++)                                                                        \
            out[j] = scale * (float)code_##name(at, h, j);                                                   \
    }                                                                                                        \
    DECODER void four_##name(float *restrict out, STORED *restrict at, uint i) {                             \
        const float scale = scale_##name(at, i / 16);                                                        \
        for (uint j = 0; j < 4; j++)                                                                         \
            out[j] = scale * (float)code_##name(at, i / 16, i % 16 + j);                                     \
    }                                                                                                        \
    DECODER float value_##name(STORED *at, uint i) {                                                         \
        return scale_##name(at, i / 16) * (float)code_##name(at, i / 16, i % 16);                            \
    }
#define LEAST(name)                                                                                          \
    DECODER void sixteen_##name(DECODED float *restrict out, STORED *restrict at, uint h) {                          \
        const float scale = scale_##name(at, h), least = least_##name(at, h);                                \
        for (uint j = 0; j < 16; j++)                                                                        \
            out[j] = scale * (float)code_##name(at, h, j) - least;                                           \
    }                                                                                                        \
    DECODER void four_##name(float *restrict out, STORED *restrict at, uint i) {                             \
        const float scale = scale_##name(at, i / 16), least = least_##name(at, i / 16);                      \
        for (uint j = 0; j < 4; j++)                                                                         \
            out[j] = scale * (float)code_##name(at, i / 16, i % 16 + j) - least;                             \
    }                                                                                                        \
    DECODER float value_##name(STORED *at, uint i) {                                                         \
        return scale_##name(at, i / 16) * (float)code_##name(at, i / 16, i % 16) - least_##name(at, i / 16); \
    }
#define DECODE_BLOCK(name, values, bytes, form, id)                                                          \
    form(name) DECODER void run_##name(DECODED float *restrict out, STORED *restrict at, uint b) {                   \
        sixteen_##name(out, at, 2 * b);                                                                      \
        sixteen_##name(out + 16, at, 2 * b + 1);                                                             \
    }                                                                                                        \
    DECODER void decode_##name(DECODED float *restrict out, STORED *restrict at) {                                   \
        for (uint b = 0; b < values / 32; b++)                                                               \
            run_##name(out + 32 * b, at, b);                                                                 \
    }
EACH_BLOCK_FORMAT(DECODE_BLOCK)

#define DECODE_VALUE(name, bytes, id)                                                                        \
    DECODER void decode_##name(DECODED float *restrict out, STORED *restrict at) {                                   \
        out[0] = value_##name(at);                                                                           \
    }
EACH_VALUE_FORMAT(DECODE_VALUE)
