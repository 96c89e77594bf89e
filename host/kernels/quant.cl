/* Blocks of stored weights as floats: one text for both sides, in what OpenCL C and the host's C share.
 * host/model/quant.c includes it as C, and programs of a device as it is. Each decoder turns the block at `at`
 * (little-endian bytes without alignment) into its values.
 *
 * A block of 32 stores value j in the low nibble of byte j and value j + 16 in the high nibble. The arithmetic is
 * ggml's, rounding included: one multiplication, then one addition where the format has a minimum. So a value costs
 * 1 or 2 flops and some shifts, its share of the block's bytes read and 4 bytes written: bound by memory.
 *
 * A block of 256, Q2_K to Q6_K and IQ4_XS, is one of sub-blocks of 16 or 32 values: each has a small integer that the
 * block's d makes its scale, and in some formats another that dmin makes its minimum.
 *
 * The host defines for itself what OpenCL C has: uchar, ushort, uint, as_float, as_uint, and besides
 *   STORED    const bytes where weights lie
 *   DECODER   how a function is declared
 *   TABLE     how a table of constants is
 *   load_16, load_32   a number from its bytes */
#ifdef __OPENCL_VERSION__
#    pragma OPENCL FP_CONTRACT OFF
#    define STORED __global const uchar
#    define DECODER
#    define TABLE __constant
DECODER uint load_16(STORED *at) {
    return at[0] | (uint)at[1] << 8;
}
DECODER uint load_32(STORED *at) {
    return load_16(at) | load_16(at + 2) << 16;
}
#endif

/* A half's 16 bits as a float. */
DECODER float float_of_half(uint bits) {
    const uint exponent_mask = 0x7c00u << 13;
    uint sign = (bits & 0x8000u) << 16;
    uint magnitude = (bits & 0x7fffu) << 13;
    uint exponent = magnitude & exponent_mask;
    magnitude += (127u - 15u) << 23;
    if (exponent == exponent_mask) {
        magnitude += (128u - 16u) << 23; /* infinity or NaN */
    } else if (exponent == 0) {
        /* A subnormal m * 2^-24 read as 2^-14 * (1 + m / 1024), less 2^-14; no subnormal float occurs, so
         * flush-to-zero modes do no harm. */
        magnitude = as_uint(as_float(magnitude + (1u << 23)) - 0x1p-14f);
    }
    return as_float(sign | magnitude);
}

DECODER float half_at(STORED *at) {
    return float_of_half(load_16(at));
}

/* f32 value. */
DECODER void decode_f32(float *restrict out, STORED *restrict at) {
    out[0] = as_float(load_32(at));
}

/* f16 value. */
DECODER void decode_f16(float *restrict out, STORED *restrict at) {
    out[0] = half_at(at);
}

/* The upper half of an f32. */
DECODER void decode_bf16(float *restrict out, STORED *restrict at) {
    out[0] = as_float(load_16(at) << 16);
}

/* f16 d; u4 q[32]. y = (q - 8) d */
DECODER void decode_q4_0(float *restrict out, STORED *restrict at) {
    const float d = half_at(at);
    for (int j = 0; j < 16; j++)
        out[j] = (float)((at[2 + j] & 15) - 8) * d;
    for (int j = 0; j < 16; j++)
        out[16 + j] = (float)((at[2 + j] >> 4) - 8) * d;
}

/* f16 d, m; u4 q[32]. y = q d + m */
DECODER void decode_q4_1(float *restrict out, STORED *restrict at) {
    const float d = half_at(at), m = half_at(at + 2);
    for (int j = 0; j < 16; j++)
        out[j] = (float)(at[4 + j] & 15) * d + m;
    for (int j = 0; j < 16; j++)
        out[16 + j] = (float)(at[4 + j] >> 4) * d + m;
}

/* q[32] of 5 bits: low nibbles from `nibbles`, bit 4 of value j is bit j of `high`. */
DECODER void unpack_5_bits(int *restrict q, uint high, STORED *restrict nibbles) {
    for (int j = 0; j < 16; j++)
        q[j] = (nibbles[j] & 15) | (int)(high >> j & 1u) << 4;
    for (int j = 0; j < 16; j++)
        q[16 + j] = (nibbles[j] >> 4) | (int)(high >> (16 + j) & 1u) << 4;
}

/* f16 d; u32 high bits; u4 q[32]. y = (q - 16) d */
DECODER void decode_q5_0(float *restrict out, STORED *restrict at) {
    const float d = half_at(at);
    int q[32];
    unpack_5_bits(q, load_32(at + 2), at + 6);
    for (int j = 0; j < 32; j++)
        out[j] = (float)(q[j] - 16) * d;
}

/* f16 d, m; u32 high bits; u4 q[32]. y = q d + m */
DECODER void decode_q5_1(float *restrict out, STORED *restrict at) {
    const float d = half_at(at), m = half_at(at + 2);
    int q[32];
    unpack_5_bits(q, load_32(at + 4), at + 8);
    for (int j = 0; j < 32; j++)
        out[j] = (float)q[j] * d + m;
}

/* f16 d; i8 q[32]. y = q d */
DECODER void decode_q8_0(float *restrict out, STORED *restrict at) {
    const float d = half_at(at);
    for (int j = 0; j < 32; j++)
        out[j] = (float)(int)((at[2 + j] ^ 128u) - 128u) * d;
}

/* u8 m_s[16]; u2 q[256]; f16 d, dmin. In sub-block b of 16: y = q (d s) - dmin m, s the low and m the high nibble of
 * m_s[b]. A byte of q holds values that are 32 apart. */
DECODER void decode_q2_k(float *restrict out, STORED *restrict at) {
    const float d = half_at(at + 80), dmin = half_at(at + 82);
    for (int b = 0; b < 16; b++) {
        const float scale = d * (float)(at[b] & 15), least = dmin * (float)(at[b] >> 4);
        const int first = 16 + 32 * (b / 8) + 16 * (b % 2), shift = b % 8 / 2 * 2;
        for (int j = 0; j < 16; j++)
            out[16 * b + j] = scale * (float)(at[first + j] >> shift & 3) - least;
    }
}

/* The 6 bits of scale b of 16 in Q3_K: the lower four in the nibbles of 8 bytes, the upper two in 4 bytes more. */
DECODER int scale_of_q3_k(STORED *s, int b) {
    const int low = b < 8 ? s[b] & 15 : s[b - 8] >> 4;
    return low | (s[8 + b % 4] >> b / 4 * 2 & 3) << 4;
}

/* bits high[256]; u2 q[256]; u6 s[16]; f16 d. In sub-block b of 16: y = (q - (high ? 0 : 4)) d (s - 32). */
DECODER void decode_q3_k(float *restrict out, STORED *restrict at) {
    const float d = half_at(at + 108);
    for (int b = 0; b < 16; b++) {
        const float scale = d * (float)(scale_of_q3_k(at + 96, b) - 32);
        const int part = 16 * (b % 2), first = 32 + 32 * (b / 8) + part, shift = b % 8 / 2 * 2;
        for (int j = 0; j < 16; j++) {
            const int high = at[part + j] >> b / 2 & 1;
            out[16 * b + j] = scale * (float)((at[first + j] >> shift & 3) - (high ? 0 : 4));
        }
    }
}

/* The 6 bits of scale, and of minimum, b of 8 in Q4_K and Q5_K: of the first four the lower bits of a byte, of the
 * others a nibble and the upper two bits of the first ones' bytes. */
DECODER int scale_of_k(STORED *s, int b) {
    return b < 4 ? s[b] & 63 : (s[b + 4] & 15) | s[b - 4] >> 6 << 4;
}

DECODER int minimum_of_k(STORED *s, int b) {
    return b < 4 ? s[b + 4] & 63 : s[b + 4] >> 4 | s[b] >> 6 << 4;
}

/* f16 d, dmin; u6 s[8], m[8]; u4 q[256]. In sub-block b of 32: y = q (d s) - dmin m, two sub-blocks in the low and
 * high nibbles of 32 bytes. */
DECODER void decode_q4_k(float *restrict out, STORED *restrict at) {
    const float d = half_at(at), dmin = half_at(at + 2);
    for (int b = 0; b < 8; b++) {
        const float scale = d * (float)scale_of_k(at + 4, b), least = dmin * (float)minimum_of_k(at + 4, b);
        const int first = 16 + 32 * (b / 2), shift = b % 2 * 4;
        for (int j = 0; j < 32; j++)
            out[32 * b + j] = scale * (float)(at[first + j] >> shift & 15) - least;
    }
}

/* f16 d, dmin; u6 s[8], m[8]; bits high[256]; u4 q[256]. As Q4_K with bit 4 of q in `high`. */
DECODER void decode_q5_k(float *restrict out, STORED *restrict at) {
    const float d = half_at(at), dmin = half_at(at + 2);
    for (int b = 0; b < 8; b++) {
        const float scale = d * (float)scale_of_k(at + 4, b), least = dmin * (float)minimum_of_k(at + 4, b);
        const int first = 48 + 32 * (b / 2), shift = b % 2 * 4;
        for (int j = 0; j < 32; j++) {
            const int q = (at[first + j] >> shift & 15) | (at[16 + j] >> b & 1) << 4;
            out[32 * b + j] = scale * (float)q - least;
        }
    }
}

/* u4 low[256]; u2 high[256]; i8 s[16]; f16 d. In sub-block b of 16: y = (q - 32) (d s), q of 6 bits. Each half of the
 * block lies by itself: values that are 64 apart share a byte of `low`, those that are 32 apart one of `high`. */
DECODER void decode_q6_k(float *restrict out, STORED *restrict at) {
    const float d = half_at(at + 208);
    for (int b = 0; b < 16; b++) {
        const float scale = d * (float)((at[192 + b] ^ 128) - 128);
        const int half_block = b / 8, quarter = b % 8 / 2, part = 16 * (b % 2);
        const int low = 64 * half_block + 32 * (quarter % 2) + part, shift = quarter / 2 * 4;
        const int high = 128 + 32 * half_block + part;
        for (int j = 0; j < 16; j++) {
            const int q = (at[low + j] >> shift & 15) | (at[high + j] >> 2 * quarter & 3) << 4;
            out[16 * b + j] = scale * (float)(q - 32);
        }
    }
}

/* What a code of IQ4_NL and IQ4_XS stands for: finer steps near 0, where most weights are. */
TABLE int iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

/* 32 codes: value j in the low nibble of byte j and value j + 16 in the high nibble. */
DECODER void decode_iq4_codes(float *restrict out, STORED *restrict codes, float scale) {
    for (int j = 0; j < 16; j++)
        out[j] = scale * (float)iq4_values[codes[j] & 15];
    for (int j = 0; j < 16; j++)
        out[16 + j] = scale * (float)iq4_values[codes[j] >> 4];
}

/* f16 d; u4 code[32]. y = d T[code] */
DECODER void decode_iq4_nl(float *restrict out, STORED *restrict at) {
    decode_iq4_codes(out, at + 2, half_at(at));
}

/* f16 d; u2 high[8]; u4 low[8]; u4 code[256]. In sub-block b of 32: y = d (s - 32) T[code], s of 6 bits. */
DECODER void decode_iq4_xs(float *restrict out, STORED *restrict at) {
    const float d = half_at(at);
    const uint high = load_16(at + 2);
    for (int b = 0; b < 8; b++) {
        const int s = (at[4 + b / 2] >> b % 2 * 4 & 15) | (int)(high >> 2 * b & 3u) << 4;
        decode_iq4_codes(out + 32 * b, at + 8 + 16 * b, d * (float)(s - 32));
    }
}
