/* Rotary positions (Su et al. 2021), half-split order, in place: for the first `rope_dim` components of each
 * of `heads` heads, with h = rope_dim / 2 and the angle of component i at this row's position,
 *   (x[i], x[i+h]) <- (x[i] cos - x[i+h] sin, x[i] sin + x[i+h] cos).
 * The backward rotates the gradient by the opposite angle. The table comes from the host, computed in double:
 * cos, then sin, of position * base^(-2i / rope_dim). Rows are `row_floats` long; only their first heads*D
 * floats turn, so that the keys of a key/value row turn and its values stay. Range: Nq groups.
 * 7 flops and 16 bytes a pair of components, (rope_dim / 2) * heads pairs a row; the table's row is in cache. */
void rope_rotate(__global float *x, ulong x_offset, __global const float *table, __global const int *position,
                 __global const int *row_of, int heads, int rope_dim, int row_floats, float direction) {
    size_t q = get_group_id(0);
    int h = rope_dim / 2;
    __global const float *cosine = table + (size_t)position[row_of[q]] * (size_t)rope_dim, *sine = cosine + h;
    x += x_offset + q * (size_t)row_floats;
    for (int pair = (int)get_local_id(0); pair < heads * h; pair += WG) {
        int head = pair / h, i = pair - head * h;
        __global float *at = x + head * HEAD_DIM + i;
        float c = cosine[i], s = sine[i] * direction, a = at[0], b = at[h];
        at[0] = a * c - b * s;
        at[h] = a * s + b * c;
    }
}

__kernel void rope_fwd(__global float *x, ulong x_offset,    /* (Nq, row_floats) */
                       __global const float *table,          /* (positions, rope_dim) */
                       __global const int *position,         /* (N) position of a row */
                       __global const int *row_of,           /* (Nq) row of a query row */
                       int heads, int rope_dim, int row_floats) {
    rope_rotate(x, x_offset, table, position, row_of, heads, rope_dim, row_floats, 1.0f);
}

__kernel void rope_bwd(__global float *dx, ulong dx_offset, __global const float *table,
                       __global const int *position, __global const int *row_of, int heads, int rope_dim,
                       int row_floats) {
    rope_rotate(dx, dx_offset, table, position, row_of, heads, rope_dim, row_floats, -1.0f);
}
