/* What a device can do at most, for `dunlin bench`: kernels that do one thing, and nothing that a model needs.
 *   roof_fma ROOF_CHAINS*VW multiply-adds a round and item   roof_read reads a vector, roof_copy reads and writes one
 *   roof_nothing is a launch
 *
 * Defines: ROOF_HALF 0 | 1 (1: half precision, where the device has it), ROOF_CHAINS: so many sums that do not wait
 * for each other hide the time that one operation takes. */
#ifndef ROOF_CHAINS
#    define ROOF_CHAINS 12
#endif
#ifndef ROOF_HALF
#    define ROOF_HALF 0
#endif
#if ROOF_HALF
#    pragma OPENCL EXTENSION cl_khr_fp16 : enable
#    define roof_number half
#else
#    define roof_number float
#endif
#define roof_vec JOIN(roof_number, VW)

/* x = x * by + more, n times; every value tends to 1 where both are one half. Range: items that fill the device. */
__kernel void roof_fma(__global roof_number *out, /* (items) */
                       float by, float more, int n) {
    roof_vec x[ROOF_CHAINS], m = (roof_vec)((roof_number)by), c = (roof_vec)((roof_number)more);
    const size_t item = get_global_id(0);
    __attribute__((opencl_unroll_hint)) for (int k = 0; k < ROOF_CHAINS; k++)
        x[k] = (roof_vec)((roof_number)(float)(k + 1));
    for (int i = 0; i < n; i++)
        __attribute__((opencl_unroll_hint)) for (int k = 0; k < ROOF_CHAINS; k++)
            x[k] = fma(x[k], m, c);
    roof_vec sum = x[0];
    __attribute__((opencl_unroll_hint)) for (int k = 1; k < ROOF_CHAINS; k++)
        sum += x[k];
    out[item] = sum.s0 + sum.s1;
}

/* Item i takes `each` vectors: from i * each on one after another, or every items-th. */
#define ROOF_FIRST (item * (size_t)(apart ? 1 : each))
#define ROOF_STEP (apart ? get_global_size(0) : 1)

/* The sum of what there is, in fours. */
__kernel void roof_read(__global roof_number *out,     /* (items) */
                        __global const roof_vec *in,   /* (items, each) */
                        int each, int apart) {
    const size_t item = get_global_id(0), step = ROOF_STEP;
    __global const roof_vec *at = in + ROOF_FIRST;
    roof_vec a = (roof_vec)((roof_number)0), b = a, c = a, d = a;
    for (int i = 0; i < each; i += 4, at += 4 * step) {
        a += at[0];
        b += at[step];
        c += at[2 * step];
        d += at[3 * step];
    }
    a += b + c + d;
    out[item] = a.s0 + a.s1;
}

__kernel void roof_copy(__global roof_vec *out,        /* (items, each) */
                        __global const roof_vec *in,   /* (items, each) */
                        int each, int apart) {
    const size_t item = get_global_id(0), step = ROOF_STEP, first = ROOF_FIRST;
    for (int i = 0; i < each; i++)
        out[first + i * step] = in[first + i * step];
}

__kernel void roof_nothing(__global roof_number *out, int n) {
    if (n > 0)
        out[0] = (roof_number)n;
}
