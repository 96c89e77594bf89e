/* Cases of kernels that read weights as they lie in a model's file: products, for whichever provider the
 * check carries, and the embedding table. */
#include "check/check_topics.h"
#include "check/product_case.h"
#include "check/reference_ops.h"
#include "model/quant.h"

#include "base/rng.h"

#include <math.h>
#include <string.h>

/* The formats, and where a block's exponents lie (quant.def). */
static const struct {
    uint32_t id;
    size_t scales;
    uint64_t exponents;
} formats[] = {
#define STORED(name, id, values, bytes, decoder, scales, exponents) {id, scales, exponents},
#define NAMED(name, id, instead)
#include "model/quant.def"
#undef STORED
#undef NAMED
};
enum { N_FORMATS = sizeof formats / sizeof *formats, WORD = sizeof(uint32_t) };

/* Rows of two slots, the second one's below the first's; columns of formats of blocks, a multiple of 32 that
 * grows to whole blocks, and of single values. Rows stand around runs of 32 and register tiles. */
static const struct {
    int rows[DUN_MATRIX_SLOTS], blocked, single;
    float scale[DUN_MATRIX_SLOTS];
} shapes[] = {
    {{33, 0}, 32, 33, {1.0f}},   {{7, 5}, 96, 577, {1.0f, 0.37f}},  {{31, 66}, 544, 1, {2.5f, 1.0f}},
    {{64, 0}, 64, 64, {0.125f}}, {{1, 96}, 288, 127, {1.0f, 1.0f}}, {{3, 0}, 256, 6, {-1.5f}},
    {{40, 29}, 320, 32, {3, 7}},
};
static const int batches[] = {1, 3, 12, 13, 160};
enum {
    N_SHAPES = sizeof shapes / sizeof *shapes,
    N_BATCHES = sizeof batches / sizeof *batches,
    N_KINDS = DUN_N_PRODUCT_KINDS
};

static int columns_of(size_t format, size_t shape) {
    const int values = (int)dun_quant_find(formats[format].id)->block_values;
    return values == 1 ? shapes[shape].single : (shapes[shape].blocked + values - 1) / values * values;
}

/* Another format that rows of so many columns can have: the next one of the table. */
static size_t other_format(size_t format, int columns) {
    do
        format = (format + 1) % N_FORMATS;
    while (columns % (int)dun_quant_find(formats[format].id)->block_values);
    return format;
}

/* Exponents a little below that of 1, so that no value drowns the others; `fields` as in quant.def. */
static void tame(uint8_t *at, uint32_t fields, uint32_t draw) {
    const uint32_t one = fields & fields >> 1, lowest = fields & ~(fields << 1);
    uint32_t word;
    memcpy(&word, at, sizeof word);
    word = (word & ~fields) | (one - lowest * (draw % 4));
    memcpy(at, &word, sizeof word);
}

/* Random rows of a slot behind `lead` bytes that are no part of it, on the device in *out; appends their
 * values times the scale. Returns how many. */
static size_t make_slot(dun_stored_rows *out, double *w, dun_check *c, size_t format, int rows, int columns,
                        float scale, size_t lead) {
    const dun_quant_type *type = dun_quant_find(formats[format].id);
    const size_t n = (size_t)(rows * columns), bytes = n / type->block_values * type->block_bytes;
    const size_t words = (lead + bytes + WORD - 1) / WORD,
                 step = type->block_values > 1 ? type->block_bytes : WORD;
    int32_t *memory = dun_check_ints(c, words);
    double *values = dun_check_doubles(c, (n + 1) / 2); /* as floats */
    if (c->stopped)
        return 0;
    for (size_t i = 0; i < words; i++)
        memory[i] = (int32_t)dun_random_u64(0, DUN_STREAM_TEST, c->draws++);
    uint8_t *at = (uint8_t *)memory + lead;
    for (size_t i = 0; i + step <= words * WORD - lead; i += step)
        tame(at + i + formats[format].scales, (uint32_t)formats[format].exponents,
             (uint32_t)dun_random_u64(0, DUN_STREAM_TEST, c->draws++));
    dun_quant_to_f32((float *)values, type->id, at, n);
    for (size_t i = 0; i < n; i++)
        w[i] = (double)(((const float *)values)[i] * scale);
    dun_check_tensor *tensor = dun_check_input_ints(c, "stored rows", memory, words);
    *out = (dun_stored_rows){.offset = lead,
                             .rows = (uint32_t)rows,
                             .row_bytes = (uint32_t)(bytes / (size_t)rows),
                             .format = type->id,
                             .scale = scale};
    DUN_CHECK_TRY(c, dun_buffer_create_part(&out->buffer, &tensor->buffer, 0, words * WORD, "stored rows"));
    return n;
}

/* The weight of a case, of one slot or two; its values in w. */
static void load(dun_matrix *matrix, double *w, dun_check *c, size_t format, size_t shape) {
    const int columns = columns_of(format, shape);
    dun_stored_rows slots[DUN_MATRIX_SLOTS];
    size_t done = 0;
    memset(slots, 0, sizeof slots);
    for (size_t i = 0; i < DUN_MATRIX_SLOTS && shapes[shape].rows[i]; i++) {
        done += make_slot(&slots[i], w + done, c, format, shapes[shape].rows[i], columns,
                          shapes[shape].scale[i], (shape % 2 + i) * 2 * WORD);
        format = other_format(format, columns);
    }
    DUN_CHECK_TRY(c, dun_matrix_append_stored(matrix, c->gemm, slots, (uint32_t)columns));
    for (size_t i = 0; i < DUN_MATRIX_SLOTS; i++) /* of a stopped case */
        dun_stored_rows_free(&slots[i]);
}

/* What the same weight gives as floats must be what it gave as it is stored: `out`, to the bit. */
static void compare_bits(dun_check *c, const dun_check_tensor *out, const dun_product_kind *kind,
                         const dun_matrix *stored, const double *w, int M) {
    dun_matrix *matrix = dun_check_matrix(c);
    dun_check_tensor *staging = dun_check_input(c, "w", w, (size_t)stored->rows * stored->columns);
    DUN_CHECK_TRY(c, dun_matrix_load(matrix, c->gemm, &staging->buffer, stored->rows, stored->columns,
                                     kind->backward ? DUN_BACKWARD : DUN_FORWARD));
    const dun_check_tensor *floats = dun_check_product(c, kind, matrix, w, M);
    double *want = floats ? dun_check_read(c, floats) : NULL;
    if (want)
        dun_check_close(c, out, want, 0.0);
}

/* Every format in every kind, the shapes and batches in turn. */
static void product(dun_check *c, size_t index, bool bits) {
    const size_t format = index % N_FORMATS, k = index / N_FORMATS % N_KINDS,
                 round = index / N_FORMATS / N_KINDS;
    const size_t shape = (format + k + 2 * round) % N_SHAPES, batch = (format + 3 * k + round) % N_BATCHES;
    const int *rows = shapes[shape].rows, columns = columns_of(format, shape), M = batches[batch];
    const dun_product_kind *kind = &dun_product_kinds[k];
    dun_check_begin(c, index, "stored %s, gemm %s, %s, %d rows, weight (%d + %d, %d)",
                    dun_quant_find(formats[format].id)->name, dun_check_products(c), kind->name, M, rows[0],
                    rows[1], columns);
    double *w = dun_check_doubles(c, (size_t)((rows[0] + rows[1]) * columns));
    dun_matrix *matrix = dun_check_matrix(c);
    if (c->stopped)
        return;
    load(matrix, w, c, format, shape);
    const uint64_t draws = c->draws;
    const dun_check_tensor *out = dun_check_product(c, kind, matrix, w, M);
    c->draws = draws;
    if (out && bits)
        compare_bits(c, out, kind, matrix, w, M);
}

static void run_product(dun_check *c, size_t index) {
    product(c, index, false);
}

static void run_bits(dun_check *c, size_t index) {
    product(c, index, true);
}

/* The table in two parts, ids of both and of a prompt; what is decoded on both sides is equal to the bit. */
static void embed(dun_check *c, int N, size_t format, size_t shape) {
    enum { V = 11, P = 5 };
    const int C = columns_of(format, shape), parts[] = {0, 6, V};
    const float scale = shapes[shape].scale[0];
    double *prompt = dun_check_random(c, (size_t)(P * C), 1.0),
           *table = dun_check_doubles(c, (size_t)(V * C));
    double *want = dun_check_doubles(c, (size_t)(N * C));
    int32_t *ids = dun_check_ints(c, (size_t)N);
    if (c->stopped)
        return;
    for (int n = 0; n < N; n++)
        ids[n] = n % 3 == 2 ? -1 - n % P : (n * 7) % V;
    dun_check_tensor *ids_in = dun_check_input_ints(c, "ids", ids, (size_t)N);
    dun_check_tensor *prompt_in = dun_check_input(c, "prompt", prompt, (size_t)(P * C));
    dun_check_tensor *out = dun_check_output(c, "out", (size_t)(N * C));
    for (int i = 0; i < 2; i++) {
        const int first = parts[i], rows = parts[i + 1] - first;
        dun_stored_rows part = {.rows = 0};
        make_slot(&part, table + first * C, c, format, rows, C, scale, (size_t)i * 2 * WORD);
        DUN_CHECK_LAUNCH(c, nn, embed_stored, DUN_CHECK_ROWS(c, N), DUN_BUF(out->buffer),
                         DUN_BUF(ids_in->buffer), DUN_BUF(part.buffer), DUN_OFFSET(part.offset),
                         DUN_INT(part.row_bytes), DUN_INT(part.format), DUN_FLOAT(part.scale),
                         DUN_BUF(prompt_in->buffer), DUN_INT(first), DUN_INT(rows), DUN_INT(C));
        dun_stored_rows_free(&part);
    }
    if (c->stopped)
        return;
    dun_ref_embed_fwd(want, ids, table, prompt, N, C);
    dun_check_close(c, out, want, 0.0);
}

static void run_rows(dun_check *c, size_t index) {
    static const int rows[] = {1, 40};
    const size_t format = index % N_FORMATS, shape = index / N_FORMATS % N_SHAPES;
    const int N = rows[index / N_FORMATS / N_SHAPES];
    dun_check_begin(c, index, "embed_stored, %s, %d rows of %d", dun_quant_find(formats[format].id)->name, N,
                    columns_of(format, shape));
    embed(c, N, format, shape);
}

const dun_check_topic dun_check_stored = {"stored", (size_t)N_FORMATS *N_KINDS *N_BATCHES, run_product,
                                          false};
const dun_check_topic dun_check_stored_bits = {"stored_bits", (size_t)N_FORMATS *N_KINDS *N_BATCHES, run_bits,
                                               false};
const dun_check_topic dun_check_stored_rows = {"stored_rows", (size_t)2 * N_FORMATS *N_SHAPES, run_rows,
                                               false};
