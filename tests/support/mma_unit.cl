/* The instruction of host/kernels/parts_mma.cl in plain OpenCL C (mma_unit.h): every lane lays its numbers where the PTX
 * ISA says that they belong, "Matrix Fragments for mma.m16n8k16 with floating point type", as its formulas have them for
 * element i of lane 4 * group + thread; then it computes its own outputs from the matrices. All items of the work-group
 * must come here together.
 * A sum is that of a poor unit: eight products and what is there are aligned to the largest of them, and what lies below
 * its 24 bits is cut off, of each and of the sum. */
MMA_INLINE float mma_unit_sum(float c, __local const float *a, __local const float *b) {
#pragma nounroll
    for (int k = 0; k < 16; k += 8) {
        float most = fabs(c), plain = c;
        for (int i = k; i < k + 8; i++) {
            most = fmax(most, fabs(a[i] * b[8 * i]));
            plain += a[i] * b[8 * i];
        }
        if (!isfinite(plain))
            return plain;
        const int exponent = max((int)(as_uint(most) >> 23), 30); /* with its bias, as in a float */
        const float up = as_float((uint)(277 - exponent) << 23), down = as_float((uint)(exponent - 23) << 23);
        int sum = convert_int_rtz(c * up);
        for (int i = k; i < k + 8; i++)
            sum += convert_int_rtz(a[i] * b[8 * i] * up);
        c = convert_float_rtz(sum) * down;
    }
    return c;
}

MMA_INLINE float4 parts_mma(__local float *unit, float4 c, uint4 a, uint2 b) {
    const int lane = (int)get_local_id(0) % 32, group = lane >> 2, thread = lane % 4;
    __local float *A = unit + (int)get_local_id(0) / 32 * (16 * 16 + 16 * 8), *B = A + 16 * 16;
    const uint of_a[] = {a.x, a.y, a.z, a.w}, of_b[] = {b.x, b.y};
    const float of_c[] = {c.x, c.y, c.z, c.w};
    float d[4];
#pragma nounroll
    for (int i = 0; i < 8; i++) {
        const int row = i < 2 || (4 <= i && i < 6) ? group : group + 8;
        const int column = i < 4 ? thread * 2 + (i & 1) : thread * 2 + (i & 1) + 8;
        A[16 * row + column] = as_float(of_a[i / 2] >> 16 * (i & 1) << 16);
    }
#pragma nounroll
    for (int i = 0; i < 4; i++) {
        const int row = i < 2 ? thread * 2 + (i & 1) : thread * 2 + (i & 1) + 8;
        B[8 * row + group] = as_float(of_b[i / 2] >> 16 * (i & 1) << 16);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
#pragma nounroll
    for (int i = 0; i < 4; i++) {
        const int row = i < 2 ? group : group + 8, column = thread * 2 + (i & 1);
        d[i] = mma_unit_sum(of_c[i], A + 16 * row, B + column);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    return (float4)(d[0], d[1], d[2], d[3]);
}
