/* Shared vocabulary, compiled into every topic of kernels.cl: vectors of VW floats, the sum over a work-group, 1/d
 * and exp. A row kernel gives each row to one work-group whose WG items walk the row in strides of WG vectors; with
 * WG = 1 (CPUs) no barrier remains. */
#ifndef WG
#    define WG 1
#endif
#ifndef VW
#    define VW 4
#endif
#ifndef SUB_GROUPS
#    define SUB_GROUPS 0
#endif
#if SUB_GROUPS && defined(cl_khr_subgroups)
#    pragma OPENCL EXTENSION cl_khr_subgroups : enable
#endif
/* Helpers are inlined: how CPUs with narrower vectors would be handed a float16 is no matter. */
#ifdef __clang__
#    pragma clang diagnostic ignored "-Wpsabi"
#endif
#ifndef HEAD_DIM
#    define HEAD_DIM 64
#endif
#ifndef HEAD_VW
#    define HEAD_VW 4
#endif

/* What is summed over the texts of a batch is summed in blocks of so many in the batch's order, the last may be
 * short, and the blocks' sums are added in order: whoever computes a block, the sum is the same. */
#define BLOCK_TEXTS 8

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

/* vec: VW floats; vec_load(i, p) reads p[i*VW ...]. */
#define vec JOIN(float, VW)
#define vec_load JOIN(vload, VW)
#define vec_store JOIN(vstore, VW)

/* Sums of a vector's lanes, always in the same tree. */
float sum2(float2 v) {
    return v.x + v.y;
}
float sum4(float4 v) {
    return sum2(v.lo + v.hi);
}
float sum8(float8 v) {
    return sum4(v.lo + v.hi);
}
float sum16(float16 v) {
    return sum8(v.lo + v.hi);
}
float sum1(float v) {
    return v;
}
#define vec_sum JOIN(sum, VW)

/* Sum of x over the work-group, given to every item. `scratch` holds WG floats; calls may follow each other. */
float group_sum(float x, __local float *scratch) {
#if WG > 1 && SUB_GROUPS
    x = sub_group_reduce_add(x);
    if (get_sub_group_local_id() == 0)
        scratch[get_sub_group_id()] = x;
    barrier(CLK_LOCAL_MEM_FENCE);
    x = scratch[0];
    for (uint i = 1; i < get_num_sub_groups(); i++)
        x += scratch[i];
    barrier(CLK_LOCAL_MEM_FENCE);
#elif WG > 1
    int lid = (int)get_local_id(0);
    scratch[lid] = x;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int half_ = WG / 2; half_ > 0; half_ /= 2) {
        if (lid < half_)
            scratch[lid] += scratch[lid + half_];
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    x = scratch[0];
    barrier(CLK_LOCAL_MEM_FENCE);
#endif
    return x;
}

/* `for` headers that share a row of n floats among the items of a group: whole vectors i (of VW floats),
 * then the single floats j after them. */
#define FOR_VECTORS(i, n) for (int i = (int)get_local_id(0); i < (n) / VW; i += WG)
#define FOR_REST(j, n) for (int j = (n) / VW * VW + (int)get_local_id(0); j < (n); j += WG)

/* exp(x) for x <= 0 that gives 0 instead of a denormal, which CPUs take a hundred times longer to multiply. An
 * x that is positive by rounding alone (a score computed twice, in another order) counts as 0; a NaN stays one. */
float exp_negative(float x) {
    return x <= -80.0f ? 0.0f : exp(x > 0.0f ? 0.0f : x);
}
float16 exp_negative16(float16 x) {
    return select(exp(x), (float16)(0.0f), x <= -80.0f);
}

/* 1/d, and 0 for the identical pair, whose gradient PyTorch also takes as finite. */
float inverse_distance(float d) {
    return d <= 0.0f ? 0.0f : 1.0f / d; /* of a NaN a NaN */
}
