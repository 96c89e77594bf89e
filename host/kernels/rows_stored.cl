/* embed_stored: embed_fwd of rows.cl from a table as it lies in the file. Range: N groups; bytes a row 4*C and the
 * stored row's. Its backward is embed_bwd: the table is frozen. */
__kernel void embed_stored(__global float *out,          /* (N, C) */
                           __global const int *ids,      /* (N) */
                           STORED *table, ulong at, int row_bytes, int format, float scale, /* (n_table, C) */
                           __global const float *prompt, /* (P, C) */
                           int first, int n_table, int C) {
    size_t n = get_group_id(0);
    int id = ids[n];
    if (id >= 0 ? id < first || id - first >= n_table : first > 0)
        return;
    out += n * (size_t)C;
    if (id < 0) {
        prompt += (size_t)(-1 - id) * (size_t)C;
        for (int j = (int)get_local_id(0); j < C; j += WG)
            out[j] = prompt[j];
        return;
    }
    stored_row row;
    row.at = table + at + (size_t)(id - first) * (size_t)row_bytes;
    row.row_bytes = (size_t)row_bytes;
    row.format = format;
    row.scale = scale;
    for (int i = (int)get_local_id(0) * 32; i < C; i += WG * 32) {
        float run[32];
        stored_runs(run, row, 1, i, C, 64);
        for (int j = 0; j < min(32, C - i); j++)
            out[i + j] = run[j];
    }
}
