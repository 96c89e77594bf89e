/* Cases of host/kernels/rows.cl: embedding, last rows, means, gated unit, sums. */
#include "check/check_topics.h"
#include "check/reference_ops.h"

#include <math.h>

/* Copies are exact. A gated unit is an exponential (2 ulp) and a handful of products: 1e-6 is 8 ulp. A sum of
 * prompt gradients has at most 40 terms in fixed order. */
static const double gated_tolerance = 1e-6, sum_tolerance = 1e-6;

enum { MAX_ROWS = 40, VOCABULARY = 11 };

/* A ragged batch of N rows in sequences of 1, 2, 3, 1, 2, 3, ... rows. Returns S. */
static int cut_rows(int32_t *start, int32_t *sequence, int N) {
    int S = 0;
    start[0] = 0;
    while (start[S] < N) {
        int end = start[S] + 1 + S % 3 < N ? start[S] + 1 + S % 3 : N;
        for (int n = start[S]; n < end; n++)
            sequence[n] = S;
        start[++S] = end;
    }
    return S;
}

/* Tokens and rows of the prompt, of which row 3 is never used. */
static void make_ids(int32_t *ids, int N) {
    for (int n = 0; n < N; n++)
        ids[n] = n % 3 == 0 ? (n * 7) % VOCABULARY : n % 5 == 3 ? -1 : -1 - n % 5;
}

static void embed_forward(dun_check *c, int N, int C) {
    enum { P = 5 };
    static const int parts[] = {0, 6, VOCABULARY};
    double *table = dun_check_random(c, (size_t)(VOCABULARY * C), 1.0),
           *prompt = dun_check_random(c, (size_t)(P * C), 1.0), *want = dun_check_doubles(c, (size_t)(N * C));
    int32_t *ids = dun_check_ints(c, (size_t)N);
    if (c->stopped)
        return;
    make_ids(ids, N);
    dun_check_tensor *ids_in = dun_check_input_ints(c, "ids", ids, (size_t)N);
    dun_check_tensor *out = dun_check_output(c, "out", (size_t)(N * C));
    dun_check_tensor *prompt_in = dun_check_input(c, "prompt", prompt, (size_t)(P * C));
    for (int i = 0; i < 2; i++) {
        int first = parts[i], rows = parts[i + 1] - first;
        dun_check_tensor *part = dun_check_input(c, "table", table + first * C, (size_t)(rows * C));
        DUN_CHECK_LAUNCH(c, nn, embed_fwd, DUN_CHECK_ROWS(c, N), DUN_BUF(out->buffer),
                         DUN_BUF(ids_in->buffer), DUN_BUF(part->buffer), DUN_BUF(prompt_in->buffer),
                         DUN_INT(first), DUN_INT(rows), DUN_INT(C));
    }
    dun_ref_embed_fwd(want, ids, table, prompt, N, C);
    dun_check_close(c, out, want, 0.0);
}

/* Sequence s has the rows of prompt s % prompts. */
static void embed_backward(dun_check *c, int N, int C, int prompts) {
    enum { P = 5 };
    int32_t *ids = dun_check_ints(c, (size_t)N), *own = dun_check_ints(c, (size_t)N);
    int32_t start[MAX_ROWS + 1], sequence[MAX_ROWS];
    const int S = cut_rows(start, sequence, N);
    double *d_out = dun_check_random(c, (size_t)(N * C), 1.0);
    double *want = dun_check_doubles(c, (size_t)(S * P * C));
    if (c->stopped)
        return;
    make_ids(own, N);
    for (int n = 0; n < N; n++)
        ids[n] = own[n] < 0 ? own[n] - sequence[n] % prompts * P : own[n];
    dun_check_tensor *ids_in = dun_check_input_ints(c, "ids", ids, (size_t)N);
    dun_check_tensor *d_out_in = dun_check_input(c, "d_out", d_out, (size_t)(N * C));
    dun_check_tensor *start_in = dun_check_input_ints(c, "start", start, (size_t)S + 1);
    dun_check_tensor *d_texts = dun_check_output(c, "d_texts", (size_t)(S * P * C));
    dun_range range = DUN_CHECK_ROWS(c, P);
    range.groups[1] = (size_t)S;
    DUN_CHECK_LAUNCH(c, nn, embed_bwd, range, DUN_BUF(d_texts->buffer), DUN_BUF(d_out_in->buffer),
                     DUN_BUF(ids_in->buffer), DUN_BUF(start_in->buffer), DUN_INT(prompts), DUN_INT(C));
    for (int s = 0; s < S; s++)
        dun_ref_embed_bwd(want + s * P * C, d_out + start[s] * C, own + start[s], start[s + 1] - start[s], P,
                          C);
    dun_check_close(c, d_texts, want, sum_tolerance);
}

/* Column j of rows (S, n) summed as a batch's texts are, to the last bit: blocks of 8, added in order. */
static float sum_in_blocks(const double *rows, int S, int n, int j) {
    float sum = 0.0f, block = 0.0f;
    for (int s = 0; s < S; s++) {
        block += (float)rows[s * n + j];
        if (s % 8 == 7 || s == S - 1) {
            sum += block;
            block = 0.0f;
        }
    }
    return sum;
}

static void block_sum(dun_check *c, int S, int n) {
    double *in = dun_check_random(c, (size_t)(S * n), 1.0), *want = dun_check_doubles(c, (size_t)n);
    if (c->stopped)
        return;
    dun_check_tensor *in_in = dun_check_input(c, "in", in, (size_t)(S * n));
    dun_check_tensor *out = dun_check_output(c, "out", (size_t)n);
    DUN_CHECK_LAUNCH(c, nn, block_sum, DUN_CHECK_ROWS(c, n), DUN_BUF(out->buffer), DUN_BUF(in_in->buffer),
                     DUN_INT(S), DUN_INT(n)); /* with more groups than vectors */
    for (int j = 0; j < n; j++)
        want[j] = (double)sum_in_blocks(in, S, n, j);
    dun_check_close(c, out, want, 0.0);
}

/* The mean of a power of two of losses, which every device divides exactly. */
static void loss_blocks(dun_check *c) {
    enum { B = 32 };
    double *rows = dun_check_random(c, B, 1.0);
    if (c->stopped)
        return;
    double want = (double)sum_in_blocks(rows, B, 1, 0) / B;
    dun_check_tensor *rows_in = dun_check_input(c, "row_value", rows, B),
                     *value = dun_check_output(c, "value", 1);
    DUN_CHECK_LAUNCH(c, learn, loss_total, ((dun_range){{1, 1}, 1}), DUN_BUF(value->buffer),
                     DUN_BUF(rows_in->buffer), DUN_BUF(rows_in->buffer), DUN_INT(B), DUN_INT(0));
    dun_check_close(c, value, &want, 0.0);
}

/* The last row of each sequence, or the mean of all. */
static void to_one_row(dun_check *c, int N, int C, bool mean) {
    int32_t start[MAX_ROWS + 1], sequence[MAX_ROWS];
    int S = cut_rows(start, sequence, N);
    if (mean && N == 37) { /* as long as two blocks of rows */
        S = 1;
        start[1] = N;
    }
    double *in = dun_check_random(c, (size_t)(N * C), 1.0), *want = dun_check_doubles(c, (size_t)(S * C));
    if (c->stopped)
        return;
    dun_check_tensor *in_in = dun_check_input(c, "in", in, (size_t)(N * C));
    dun_check_tensor *start_in = dun_check_input_ints(c, "start", start, (size_t)S + 1);
    dun_check_tensor *out = dun_check_output(c, "out", (size_t)(S * C));
    const dun_arg args[] = {DUN_BUF(out->buffer), DUN_BUF(in_in->buffer), DUN_BUF(start_in->buffer),
                            DUN_INT(C)};
    dun_check_launch(c, &dun_nn_kernels, mean ? DUN_K_mean_fwd : DUN_K_last_fwd, DUN_CHECK_ROWS(c, S), args,
                     sizeof args / sizeof *args);
    if (mean)
        dun_ref_mean_fwd(want, in, start, S, C);
    else
        dun_ref_last_fwd(want, in, start, S, C);
    dun_check_close(c, out, want, mean ? sum_tolerance : 0.0);
}

/* Of the last rows, or of the mean. */
static void back_to_rows(dun_check *c, int N, int C, bool mean, int beta) {
    int32_t start[MAX_ROWS + 1], sequence[MAX_ROWS];
    int S = cut_rows(start, sequence, N);
    size_t n_in = (size_t)(N * C);
    double *d_out = dun_check_random(c, (size_t)(S * C), 1.0), *old = dun_check_random(c, n_in, 1.0);
    double *want = dun_check_doubles(c, n_in);
    if (c->stopped)
        return;
    dun_check_tensor *d_out_in = dun_check_input(c, "d_out", d_out, (size_t)(S * C));
    dun_check_tensor *start_in = dun_check_input_ints(c, "start", start, (size_t)S + 1);
    dun_check_tensor *sequence_in = dun_check_input_ints(c, "sequence", sequence, (size_t)N);
    dun_check_tensor *d_in =
        beta ? dun_check_in_out(c, "d_in", old, n_in) : dun_check_output(c, "d_in", n_in);
    const dun_arg args[] = {DUN_BUF(d_in->buffer),
                            DUN_BUF(d_out_in->buffer),
                            DUN_BUF(start_in->buffer),
                            DUN_BUF(sequence_in->buffer),
                            DUN_INT(beta),
                            DUN_INT(C)};
    dun_check_launch(c, &dun_nn_kernels, mean ? DUN_K_mean_bwd : DUN_K_last_bwd, DUN_CHECK_ROWS(c, N), args,
                     sizeof args / sizeof *args);
    if (mean)
        dun_ref_mean_bwd(want, d_out, start, S, C);
    else
        dun_ref_last_bwd(want, d_out, start, S, N, C);
    for (size_t i = 0; beta && i < n_in; i++)
        want[i] += old[i];
    dun_check_close(c, d_in, want, sum_tolerance);
}

/* Gates up to +-100 standard units: the exponential overflows on one side, which must do no harm. */
static void swiglu(dun_check *c, int N, int F, double scale, bool backward) {
    double *gate_up = dun_check_random(c, (size_t)(N * 2 * F), scale);
    dun_check_tensor *gate_up_in = dun_check_input(c, "gate_up", gate_up, (size_t)(N * 2 * F));
    size_t n_want = (size_t)(backward ? N * 2 * F : N * F);
    double *want = dun_check_doubles(c, n_want);
    if (c->stopped)
        return;
    dun_check_tensor *out = dun_check_output(c, backward ? "d_gate_up" : "out", n_want);
    if (backward) {
        double *d_out = dun_check_random(c, (size_t)(N * F), 1.0);
        if (c->stopped)
            return;
        dun_check_tensor *d_out_in = dun_check_input(c, "d_out", d_out, (size_t)(N * F));
        DUN_CHECK_LAUNCH(c, nn, swiglu_bwd, DUN_CHECK_ROWS(c, N), DUN_BUF(out->buffer),
                         DUN_BUF(d_out_in->buffer), DUN_BUF(gate_up_in->buffer), DUN_INT(F));
        dun_ref_swiglu_bwd(want, d_out, gate_up, N, F);
    } else {
        DUN_CHECK_LAUNCH(c, nn, swiglu_fwd, DUN_CHECK_ROWS(c, N), DUN_BUF(out->buffer),
                         DUN_BUF(gate_up_in->buffer), DUN_INT(F));
        dun_ref_swiglu_fwd(want, gate_up, N, F);
    }
    dun_check_close(c, out, want, gated_tolerance);
}

static void add_forward(dun_check *c, int N, int C) {
    size_t n = (size_t)(N * C);
    double *x = dun_check_random(c, n, 1.0), *y = dun_check_random(c, n, 1.0),
           *want = dun_check_doubles(c, n);
    if (c->stopped)
        return;
    dun_check_tensor *x_in = dun_check_input(c, "x", x, n), *y_in = dun_check_input(c, "y", y, n);
    dun_check_tensor *out = dun_check_output(c, "out", n);
    DUN_CHECK_LAUNCH(c, nn, add_fwd, DUN_CHECK_ROWS(c, N), DUN_BUF(out->buffer), DUN_BUF(x_in->buffer),
                     DUN_BUF(y_in->buffer), DUN_INT(C));
    dun_ref_add_fwd(want, x, y, (int)n);
    dun_check_close(c, out, want, sum_tolerance);
}

static void add_backward(dun_check *c, int N, int C, int beta) {
    size_t n = (size_t)(N * C);
    double *d_out = dun_check_random(c, n, 1.0), *old = dun_check_random(c, n, 1.0);
    double *want = dun_check_doubles(c, n), *other = dun_check_doubles(c, n);
    if (c->stopped)
        return;
    dun_check_tensor *d_out_in = dun_check_input(c, "d_out", d_out, n);
    dun_check_tensor *dx = beta ? dun_check_in_out(c, "dx", old, n) : dun_check_output(c, "dx", n);
    DUN_CHECK_LAUNCH(c, nn, add_bwd, DUN_CHECK_ROWS(c, N), DUN_BUF(dx->buffer), DUN_BUF(d_out_in->buffer),
                     DUN_INT(beta), DUN_INT(C));
    dun_ref_add_bwd(want, other, d_out, (int)n);
    for (size_t i = 0; beta && i < n; i++)
        want[i] += old[i];
    dun_check_close(c, dx, want, beta ? sum_tolerance : 0.0);
}

/* Rows of A and B columns; neither end of a part need be where a vector's is. */
static void put_beside(dun_check *c, int N, int A) {
    const int B = A / 2 + 3, C = A + B;
    const size_t n_x = (size_t)(N * A), n_behind = (size_t)(N * B);
    double *x = dun_check_random(c, n_x, 1.0), *behind = dun_check_random(c, n_behind, 1.0);
    double *want = dun_check_doubles(c, n_x + n_behind);
    if (c->stopped)
        return;
    dun_check_tensor *x_in = dun_check_input(c, "x", x, n_x),
                     *behind_in = dun_check_input(c, "behind", behind, n_behind);
    dun_check_tensor *out = dun_check_output(c, "out", n_x + n_behind);
    DUN_CHECK_LAUNCH(c, nn, beside_fwd, DUN_CHECK_ROWS(c, N), DUN_BUF(out->buffer), DUN_BUF(x_in->buffer),
                     DUN_BUF(behind_in->buffer), DUN_INT(A), DUN_INT(B));
    for (int at = 0; at < N * C; at++)
        want[at] = at % C < A ? x[at / C * A + at % C] : behind[at / C * B + at % C - A];
    dun_check_close(c, out, want, 0.0);
}

/* Of either part. */
static void part_from_beside(dun_check *c, int N, int A, int beta) {
    const int B = A / 2 + 3, C = A + B, first = beta ? A : 0, n = beta ? B : A;
    const size_t n_part = (size_t)(N * n);
    double *d_out = dun_check_random(c, (size_t)(N * C), 1.0), *old = dun_check_random(c, n_part, 1.0);
    double *want = dun_check_doubles(c, n_part);
    if (c->stopped)
        return;
    dun_check_tensor *d_out_in = dun_check_input(c, "d_out", d_out, (size_t)(N * C));
    dun_check_tensor *dx = beta ? dun_check_in_out(c, "dx", old, n_part) : dun_check_output(c, "dx", n_part);
    DUN_CHECK_LAUNCH(c, nn, beside_bwd, DUN_CHECK_ROWS(c, N), DUN_BUF(dx->buffer), DUN_BUF(d_out_in->buffer),
                     DUN_INT(beta), DUN_INT(first), DUN_INT(n), DUN_INT(C));
    for (int at = 0; at < N * n; at++)
        want[at] = (beta ? old[at] : 0.0) + d_out[at / n * C + first + at % n];
    dun_check_close(c, dx, want, beta ? sum_tolerance : 0.0);
}

static const char *const kinds[] = {"embed_fwd",
                                    "embed_bwd",
                                    "last_fwd",
                                    "last_bwd",
                                    "last_bwd beta",
                                    "swiglu_fwd",
                                    "swiglu_bwd",
                                    "swiglu_fwd of large gates",
                                    "swiglu_bwd of large gates",
                                    "add_fwd",
                                    "add_bwd",
                                    "add_bwd beta",
                                    "block_sum",
                                    "loss_total in blocks",
                                    "mean_fwd",
                                    "mean_bwd",
                                    "mean_bwd beta",
                                    "embed_bwd of several prompts",
                                    "beside_fwd",
                                    "beside_bwd",
                                    "beside_bwd beta"};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

static void run(dun_check *c, size_t index) {
    static const int rows[] = {1, 2, 5, 37};
    size_t kind = index % N_KINDS, width = index / N_KINDS;
    int N = rows[(kind + width) % 4], C = dun_check_widths[width];
    dun_check_begin(c, index, "%s, %d rows of %d", kinds[kind], N, C);
    switch (kind) {
    case 0:
        embed_forward(c, N, C);
        break;
    case 1:
    case 17:
        embed_backward(c, N, C, kind == 1 ? 1 : 3);
        break;
    case 2:
    case 14:
        to_one_row(c, N, C, kind == 14);
        break;
    case 3:
    case 4:
    case 15:
    case 16:
        back_to_rows(c, N, C, kind > 14, kind == 4 || kind == 16);
        break;
    case 9:
        add_forward(c, N, C);
        break;
    case 10:
    case 11:
        add_backward(c, N, C, kind == 11);
        break;
    case 12:
        block_sum(c, N, C);
        break;
    case 13:
        loss_blocks(c);
        break;
    case 18:
    case 19:
    case 20:
        kind == 18 ? put_beside(c, N, C) : part_from_beside(c, N, C, kind == 20);
        break;
    default:
        swiglu(c, N, C, kind < 7 ? 1.0 : 100.0, kind % 2 == 0); /* 5 to 8 */
        break;
    }
}

const dun_check_topic dun_check_rows = {"rows", (size_t)N_KINDS *DUN_CHECK_N_WIDTHS, run, false};
