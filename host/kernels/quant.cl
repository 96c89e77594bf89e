/* Blocks of stored weights as floats: one text for both sides, in what OpenCL C and the host's C share.
 * host/model/quant.c includes it as C, and programs of a device as it is. Each decoder turns the block at `at`
 * (little-endian bytes without alignment) into its values.
 *
 * A block of 32 stores value j in the low nibble of byte j and value j + 16 in the high nibble. The arithmetic is
 * ggml's, rounding included: one multiplication, then one addition where the format has a minimum. So a value costs
 * 1 or 2 flops and some shifts, its share of the block's bytes read and 4 bytes written: bound by memory.
 *
 * The host defines for itself what OpenCL C has: uchar, ushort, uint, as_float, as_uint, and besides
 *   STORED    const bytes where weights lie
 *   DECODER   how a function is declared
 *   load_16, load_32   a number from its bytes */
#ifdef __OPENCL_VERSION__
#    pragma OPENCL FP_CONTRACT OFF
#    define STORED __global const uchar
#    define DECODER
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
