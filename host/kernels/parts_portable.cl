/* Products of parts in plain OpenCL C, the variant `portable`: a bfloat16 number is the upper half of a float, and is
 * widened on the way. Eight rows and 32 columns stay in 16 vector accumulators; a product of two parts is a pass. */
#define PARTS_BEGIN
#define PARTS_END

#define EACH_PART_ROW(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define START(r)                                                                                             \
    float16 left##r = more ? vload16(2 * r, c) : (float16)(0.0f),                                            \
            right##r = more ? vload16(2 * r + 1, c) : (float16)(0.0f);
#define STEP(r)                                                                                              \
    {                                                                                                        \
        const uint pair = a[16 * r + p];                                                                     \
        const float16 even = as_float(pair << 16), odd = as_float(pair & 0xffff0000u);                       \
        left##r = fma(odd, left_odd, fma(even, left_even, left##r));                                         \
        right##r = fma(odd, right_odd, fma(even, right_even, right##r));                                     \
    }
#define KEEP(r)                                                                                              \
    vstore16(left##r, 2 * r, c);                                                                             \
    vstore16(right##r, 2 * r + 1, c);

/* c (8, 32) = one part of a times one of b, of which pairs of k are uints, `more`: added to what is there; a_step and
 * b_step from step to step. */
void parts_pass(float *c, __global const uint *a, __global const uint *b, int steps, int a_step, int b_step,
                bool more) {
    EACH_PART_ROW(START)
    for (int s = 0; s < steps; s++) {
        for (int p = 0; p < 16; p++) {
            const uint16 left = vload16(p, b), right = vload16(16 + p, b);
            const float16 left_even = as_float16(left << 16), left_odd = as_float16(left & 0xffff0000u);
            const float16 right_even = as_float16(right << 16), right_odd = as_float16(right & 0xffff0000u);
            EACH_PART_ROW(STEP)
        }
        a += a_step;
        b += b_step;
    }
    EACH_PART_ROW(KEEP)
}
#undef START
#undef STEP
#undef KEEP
