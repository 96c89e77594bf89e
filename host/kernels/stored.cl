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
    size_t row_bytes; /* to the next, in the same slot */
    int format;
    float scale;
} stored_row;

stored_row stored_row_of(const stored_matrix *w, int row) {
    stored_row out;
    int below = row - w->first_rows;
    out.row_bytes = below < 0 ? w->first_bytes : w->second_bytes;
    out.at = below < 0 ? w->first + (size_t)row * w->first_bytes : w->second + (size_t)below * w->second_bytes;
    out.format = below < 0 ? w->first_format : w->second_format;
    out.scale = below < 0 ? w->first_scale : w->second_scale;
    return out;
}

/* Asks for bytes that are decoded soon, as gemm_reg_tile.cl asks for panels: compilers that know the builtin may stumble
 * over it all the same, so that REG_AHEAD says where it is good. */
#define STORED_AHEAD(at)
#if REG_AHEAD && defined(__has_builtin)
#    if __has_builtin(__builtin_prefetch)
#        undef STORED_AHEAD
#        define STORED_AHEAD(at) __builtin_prefetch((const void *)(size_t)(at), 0, 3)
#    endif
#endif

/* How far ahead, in bytes of a row and in rows. */
enum { AHEAD_LINES = 128, AHEAD_ROWS = 12 };

/* Runs of 32 values, from `first` on, a multiple of 32, of n_rows rows of a slot from `row` on: out (n_rows, 32). Of n
 * values in all, which only formats of single values cut within a run; the rest is zeros. `ahead`: where what is decoded
 * soon lies, in bytes from each run. */
void stored_runs(DECODED float *restrict out, const stored_row row, int n_rows, int first, int n, size_t ahead) {
    STORED *at = row.at;
    switch (row.format) {
#define RUNS_OF_BLOCK(name, values, bytes, form, id)                                                         \
    case id:                                                                                                 \
        at += (size_t)(first / values) * bytes;                                                              \
        for (int r = 0; r < n_rows; r++, at += row.row_bytes) {                                              \
            for (int line = 0; line < bytes; line += 64)                                                     \
                STORED_AHEAD(at + ahead + line);                                                             \
            run_##name(out + 32 * r, at, (uint)first % values / 32);                                         \
        }                                                                                                    \
        break;
        EACH_BLOCK_FORMAT(RUNS_OF_BLOCK)
#define RUNS_OF_VALUES(name, bytes, id)                                                                      \
    case id:                                                                                                 \
        at += (size_t)first * bytes;                                                                         \
        for (int r = 0; r < n_rows; r++, at += row.row_bytes)                                                \
            if (n - first >= 32)                                                                             \
                for (int j = 0; j < 32; j++)                                                                 \
                    out[32 * r + j] = value_##name(at + (size_t)j * bytes);                                  \
            else                                                                                             \
                for (int j = 0; j < 32; j++)                                                                 \
                    out[32 * r + j] = j < n - first ? value_##name(at + (size_t)j * bytes) : 0.0f;           \
        break;
        EACH_VALUE_FORMAT(RUNS_OF_VALUES)
    }
    if (row.scale != 1.0f)
        for (int j = 0; j < 32 * n_rows; j++)
            out[j] *= row.scale;
}

/* What makes values of codes in each half of run b of n rows from `at` on: scale (2, n) and least (2, n), 0 in formats
 * without a minimum. By themselves, so that compilers take many rows at once. */
#define LEAST_OF_PLAIN(name, at, h) 0.0f
#define LEAST_OF_LEAST(name, at, h) least_##name(at, h)
#define CONSTANTS_OF_ROWS(name, form, n)                                                                     \
    for (int i = 0; i < n; i++) {                                                                            \
        STORED *block = at + i * row.row_bytes;                                                              \
        scale[i] = scale_##name(block, 2 * b);                                                               \
        scale[n + i] = scale_##name(block, 2 * b + 1);                                                       \
        least[i] = LEAST_OF_##form(name, block, 2 * b);                                                      \
        least[n + i] = LEAST_OF_##form(name, block, 2 * b + 1);                                              \
    }

/* A run of each of n rows of a slot that lies in blocks, as whole numbers: codes (n, 32) as signed bytes, and what makes
 * values of them, scale and least (2, n): y = scale * code - least, which is the value of stored_runs to the bit. */
DECODER void stored_codes(char *restrict codes, float *restrict scale, float *restrict least, const stored_row row,
                          int n, int first, size_t ahead) {
    STORED *at = row.at;
    switch (row.format) {
#define CODES_OF_BLOCK(name, values, bytes, form, id)                                                        \
    case id: {                                                                                               \
        const uint b = (uint)first % values / 32;                                                            \
        at += (size_t)(first / values) * bytes;                                                              \
        for (int r = 0; r < n; r++) {                                                                        \
            STORED *block = at + r * row.row_bytes;                                                          \
            STORED_AHEAD(block + ahead);                                                                     \
            for (uint j = 0; j < 16; j++)                                                                    \
                codes[32 * r + j] = (char)code_##name(block, 2 * b, j);                                      \
            for (uint j = 0; j < 16; j++)                                                                    \
                codes[32 * r + 16 + j] = (char)code_##name(block, 2 * b + 1, j);                             \
        }                                                                                                    \
        CONSTANTS_OF_ROWS(name, form, n)                                                                     \
        break;                                                                                               \
    }
        EACH_BLOCK_FORMAT(CODES_OF_BLOCK)
    }
}

/* Whether rows row .. row + n - 1 can be taken so: of one slot, in blocks, without a scale of the model's. */
bool stored_in_codes(const stored_matrix *w, int row, int n) {
    const stored_row first = stored_row_of(w, row);
    bool blocks = false;
#define IS_BLOCK(name, values, bytes, form, id) blocks |= first.format == id;
    EACH_BLOCK_FORMAT(IS_BLOCK)
    return blocks && first.scale == 1.0f && (row >= w->first_rows || row + n <= w->first_rows);
}

/* The same of rows row .. row + n_rows - 1 of the matrix, of one slot or of both; the next runs wanted lie along the
 * rows, or below. */
void stored_tile(DECODED float *restrict out, const stored_matrix *w, int row, int n_rows, int first, int n,
                 bool along) {
    const int of_first = clamp(w->first_rows - row, 0, n_rows);
    if (of_first > 0)
        stored_runs(out, stored_row_of(w, row), of_first, first, n, along ? AHEAD_LINES : AHEAD_ROWS * w->first_bytes);
    if (of_first < n_rows)
        stored_runs(out + 32 * of_first, stored_row_of(w, row + of_first), n_rows - of_first, first, n,
                    along ? AHEAD_LINES : AHEAD_ROWS * w->second_bytes);
}

/* Values i .. i + 3 of a row of n, i a multiple of 4; zeros beyond. */
float4 stored_four(const stored_row row, int i, int n) {
    float four[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    if (i >= n)
        return (float4)(0.0f);
    switch (row.format) {
#define FOUR_OF_BLOCK(name, values, bytes, form, id)                                                         \
    case id:                                                                                                 \
        four_##name(four, row.at + (size_t)(i / values) * bytes, (uint)i % values);                          \
        break;
        EACH_BLOCK_FORMAT(FOUR_OF_BLOCK)
#define FOUR_OF_VALUES(name, bytes, id)                                                                      \
    case id:                                                                                                 \
        for (int j = 0; j < min(4, n - i); j++)                                                              \
            four[j] = value_##name(row.at + (size_t)(i + j) * bytes);                                        \
        break;
        EACH_VALUE_FORMAT(FOUR_OF_VALUES)
    }
    return vload4(0, four) * row.scale;
}

/* Value i of a row. */
float stored_value(const stored_row row, int i) {
    switch (row.format) {
#define VALUE_OF_BLOCK(name, values, bytes, form, id)                                                        \
    case id:                                                                                                 \
        return value_##name(row.at + (size_t)(i / values) * bytes, (uint)i % values) * row.scale;
        EACH_BLOCK_FORMAT(VALUE_OF_BLOCK)
#define VALUE_OF_VALUE(name, bytes, id)                                                                      \
    case id:                                                                                                 \
        return value_##name(row.at + (size_t)i * bytes) * row.scale;
        EACH_VALUE_FORMAT(VALUE_OF_VALUE)
    }
    return 0.0f;
}
