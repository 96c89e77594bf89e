/* Cases of host/kernels/rope.cl. */
#include "check/check_topics.h"
#include "check/reference_ops.h"

#include <math.h>

/* The table is rounded to float once (6e-8); a turn is two products and a sum. */
static const double tolerance = 3e-7;

/* Rows of q (all of a row turns) and of keys and values (keys turn, values stay), heads of which all or only
 * the first half turns, offsets as in the cache, every row or only some of them. */
static const struct {
    int heads, key_value, half_turns, offset_rows, picked;
} kinds[] = {
    {1, 0, 0, 0, 0}, {4, 0, 0, 0, 0}, {3, 0, 0, 0, 1}, {9, 0, 1, 0, 1},
    {1, 1, 0, 0, 0}, {3, 1, 0, 5, 0}, {2, 1, 1, 3, 0}, {4, 1, 0, 0, 1},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds, N_ROW_COUNTS = 3 };

static void fill_table(double *table, int positions, const dun_ref_rope_shape *shape) {
    int half = shape->rope_dim / 2;
    for (int p = 0; p < positions; p++)
        for (int i = 0; i < half; i++) {
            double angle = p * pow(shape->base, -2.0 * i / shape->rope_dim);
            table[p * shape->rope_dim + i] = cos(angle);
            table[p * shape->rope_dim + half + i] = sin(angle);
        }
}

/* N rows in the batch, of which the first, third, ... ask when `picked`, at scattered positions. */
static void turn(dun_check *c, size_t kind, int N, bool backward) {
    enum { POSITIONS = 64 };
    int D = (int)c->compute->tiles.head_dim, heads = kinds[kind].heads;
    int row_floats = heads * D * (kinds[kind].key_value ? 2 : 1), step = kinds[kind].picked ? 2 : 1;
    dun_ref_rope_shape shape = {
        heads, D, kinds[kind].half_turns ? D / 4 * 2 : D / 2 * 2, row_floats, 10000.0, 0.0, NULL};
    int Nq = (N + step - 1) / step;
    size_t offset = (size_t)(kinds[kind].offset_rows * row_floats), n = offset + (size_t)(Nq * row_floats);
    double *table = dun_check_doubles(c, (size_t)(POSITIONS * shape.rope_dim)),
           *x = dun_check_random(c, n, 1.0);
    int32_t *position = dun_check_ints(c, (size_t)N), *row_of = dun_check_ints(c, (size_t)Nq);
    int32_t *query_position = dun_check_ints(c, (size_t)Nq);
    if (c->stopped)
        return;
    fill_table(table, POSITIONS, &shape);
    for (int i = 0; i < N; i++)
        position[i] = i == 0 ? 0 : (i * 29 + 13) % POSITIONS;
    for (int q = 0; q < Nq; q++) {
        row_of[q] = q * step;
        query_position[q] = position[q * step];
    }
    dun_check_tensor *table_in = dun_check_input(c, "table", table, (size_t)(POSITIONS * shape.rope_dim));
    dun_check_tensor *position_in = dun_check_input_ints(c, "position", position, (size_t)N);
    dun_check_tensor *row_in = dun_check_input_ints(c, "row_of", row_of, (size_t)Nq);
    dun_check_tensor *turned = dun_check_in_out(c, backward ? "dx" : "x", x, n);
    dun_arg args[] = {DUN_BUF(turned->buffer),      DUN_OFFSET(offset),      DUN_BUF(table_in->buffer),
                      DUN_BUF(position_in->buffer), DUN_BUF(row_in->buffer), DUN_INT(heads),
                      DUN_INT(shape.rope_dim),      DUN_INT(row_floats)};
    dun_check_launch(c, &dun_nn_kernels, backward ? DUN_K_rope_bwd : DUN_K_rope_fwd, DUN_CHECK_ROWS(c, Nq),
                     args, sizeof args / sizeof *args);
    dun_ref_rope(x + offset, query_position, Nq, &shape, backward ? -1.0 : 1.0);
    for (size_t i = 0; i < n; i++) {
        int column = (int)((i - offset) % (size_t)row_floats);
        if (i < offset || column >= heads * D || column % D >= shape.rope_dim)
            x[i] = NAN; /* must keep its bits */
    }
    dun_check_close(c, turned, x, tolerance);
}

static void run(dun_check *c, size_t index) {
    static const int rows[N_ROW_COUNTS] = {1, 5, 37};
    size_t kind = index % N_KINDS, count = index / N_KINDS % N_ROW_COUNTS;
    bool backward = index / N_KINDS / N_ROW_COUNTS;
    dun_check_begin(c, index, "rope_%s, heads of %u, kind %zu, %d rows", backward ? "bwd" : "fwd",
                    c->compute->tiles.head_dim, kind, rows[count]);
    turn(c, kind, rows[count], backward);
}

const dun_check_topic dun_check_rope = {"rope", (size_t)N_KINDS *N_ROW_COUNTS * 2, run, true};
