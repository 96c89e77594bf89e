/* What is done to points before they are compared, in place, and its way back. One work-group a point (see
 * preface.cl). Flops a number: affine 2 and back 1, unit 1 and back 5; bytes 8, unit's way back 12: bound by memory. */

/* affine_fwd: points[i] = (points[i] - shift) * scale, with constants fitted on the training points. Range: B
 * groups. */
__kernel void affine_fwd(__global float *points,          /* (B, D) */
                         __global const float *constants, /* (2, D): shift, scale */
                         int D) {
    points += get_group_id(0) * (size_t)D;
    __global const float *scale = constants + D;
    FOR_VECTORS(i, D)
        vec_store((vec_load(i, points) - vec_load(i, constants)) * vec_load(i, scale), i, points);
    FOR_REST(j, D)
        points[j] = (points[j] - constants[j]) * scale[j];
}

/* affine_bwd: d_points[i] *= scale. Range: B groups. */
__kernel void affine_bwd(__global float *d_points,        /* (B, D) */
                         __global const float *constants, /* (2, D) */
                         int D) {
    d_points += get_group_id(0) * (size_t)D;
    __global const float *scale = constants + D;
    FOR_VECTORS(i, D)
        vec_store(vec_load(i, d_points) * vec_load(i, scale), i, d_points);
    FOR_REST(j, D)
        d_points[j] *= scale[j];
}

/* unit_fwd: points[i] *= inverse[i], 1 over its length from inverse_norm. Range: B groups. */
__kernel void unit_fwd(__global float *points,        /* (B, D) */
                       __global const float *inverse, /* (B) */
                       int D) {
    float r = inverse[get_group_id(0)];
    points += get_group_id(0) * (size_t)D;
    FOR_VECTORS(i, D)
        vec_store(r * vec_load(i, points), i, points);
    FOR_REST(j, D)
        points[j] *= r;
}

/* unit_bwd, with y the points that unit_fwd made: d_points[i] = inverse[i] (d_i - y_i (y_i . d_i)).
 * Range: B groups. */
__kernel void unit_bwd(__global float *d_points, __global const float *y, /* (B, D) */
                       __global const float *inverse,                    /* (B) */
                       int D) {
    __local float scratch[WG];
    float r = inverse[get_group_id(0)], rest = 0.0f;
    d_points += get_group_id(0) * (size_t)D;
    y += get_group_id(0) * (size_t)D;
    vec along = 0.0f;
    FOR_VECTORS(i, D)
        along = fma(vec_load(i, y), vec_load(i, d_points), along);
    FOR_REST(j, D)
        rest = fma(y[j], d_points[j], rest);
    rest = group_sum(vec_sum(along) + rest, scratch);
    FOR_VECTORS(i, D)
        vec_store(r * (vec_load(i, d_points) - rest * vec_load(i, y)), i, d_points);
    FOR_REST(j, D)
        d_points[j] = r * (d_points[j] - rest * y[j]);
}
