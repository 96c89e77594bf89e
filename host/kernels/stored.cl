/* Weights as they lie in the model's file: rows one after another, in the formats of quant.cl. A matrix is one slot of
 * the model or two, the second one's rows below the first's; each has a format of its own. What a scale of the model
 * multiplies is multiplied here, as a loader of floats does it: the same bits. */

/* The arguments of a kernel that are a matrix; row_bytes from one row to the next. */
#define STORED_ARGUMENTS                                                                                     \
    STORED *w0, ulong at0, int row_bytes0, int format0, float scale0, int rows0, STORED *w1, ulong at1,      \
        int row_bytes1, int format1, float scale1
#define STORED_MATRIX                                                                                        \
    { w0 + at0, w1 + at1, (size_t)row_bytes0, (size_t)row_bytes1, format0, format1, rows0, scale0, scale1 }
typedef struct {
    STORED *first, *second;
    size_t first_bytes, second_bytes; /* of a row */
    int first_format, second_format, first_rows;
    float first_scale, second_scale;
} stored_matrix;

/* A row of it. */
typedef struct {
    STORED *at;
    int format;
    float scale;
} stored_row;

stored_row stored_row_of(const stored_matrix *w, int row) {
    stored_row out;
    int below = row - w->first_rows;
    out.at = below < 0 ? w->first + (size_t)row * w->first_bytes : w->second + (size_t)below * w->second_bytes;
    out.format = below < 0 ? w->first_format : w->second_format;
    out.scale = below < 0 ? w->first_scale : w->second_scale;
    return out;
}

/* Values first .. first + 15 of a row, `first` a multiple of 16; from n on, which only formats of single values know,
 * zeros. */
void stored_run(float *restrict out, const stored_row row, int first, int n) {
    switch (row.format) {
#define RUN_OF_BLOCK(name, values, bytes, form, id)                                                          \
    case id:                                                                                                 \
        run_##name(out, row.at + (size_t)(first / values) * bytes, first % values / 16);                     \
        break;
        EACH_BLOCK_FORMAT(RUN_OF_BLOCK)
#define RUN_OF_VALUES(name, bytes, id)                                                                       \
    case id:                                                                                                 \
        if (n >= 16)                                                                                         \
            for (int j = 0; j < 16; j++)                                                                     \
                out[j] = value_##name(row.at + (size_t)(first + j) * bytes);                                 \
        else                                                                                                 \
            for (int j = 0; j < 16; j++)                                                                     \
                out[j] = j < n ? value_##name(row.at + (size_t)(first + j) * bytes) : 0.0f;                  \
        break;
        EACH_VALUE_FORMAT(RUN_OF_VALUES)
    }
    if (row.scale != 1.0f)
        for (int j = 0; j < 16; j++)
            out[j] *= row.scale;
}

/* Value i of a row. */
float stored_value(const stored_row row, int i) {
    switch (row.format) {
#define VALUE_OF_BLOCK(name, values, bytes, form, id)                                                        \
    case id:                                                                                                 \
        return value_##name(row.at + (size_t)(i / values) * bytes, i % values) * row.scale;
        EACH_BLOCK_FORMAT(VALUE_OF_BLOCK)
#define VALUE_OF_VALUE(name, bytes, id)                                                                      \
    case id:                                                                                                 \
        return value_##name(row.at + (size_t)i * bytes) * row.scale;
        EACH_VALUE_FORMAT(VALUE_OF_VALUE)
    }
    return 0.0f;
}
