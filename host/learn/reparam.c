/* The small network's tensors, and the launches that make rows of them and carry gradients back. */
#include "learn/reparam.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"

#include <math.h>

static const float norm_eps = 1e-5f;

typedef struct {
    uint32_t rows, columns;
} shape;

static shape shape_of(const dun_reparam *r, enum dun_reparam_tensor tensor) {
    const shape shapes[DUN_N_REPARAM] = {[DUN_REPARAM_BASE] = {r->P, r->C},
                                         [DUN_REPARAM_DOWN] = {r->M, r->C},
                                         [DUN_REPARAM_UP] = {r->C, r->M},
                                         [DUN_REPARAM_GAIN] = {2, r->C}};
    return shapes[tensor];
}

/* Normal with deviation 1 / sqrt(columns), which keeps the size of what passes through. */
static int fill_matrix(dun_buffer *out, shape s, uint64_t seed, uint64_t first) {
    int rc = DUN_OK;
    float *values = NULL;
    size_t n = (size_t)s.rows * s.columns;
    TRY_NEW(values, n);
    for (size_t i = 0; i < n; i++)
        values[i] = (float)(dun_random_normal(seed, DUN_STREAM_REPARAM, first + i) / sqrt((double)s.columns));
    TRY(dun_buffer_write(out, 0, values, n * sizeof *values));
out:
    dun_free(values);
    return rc;
}

static int create_floats(dun_buffer *out, const dun_reparam *r, uint32_t rows, uint32_t columns) {
    return dun_buffer_create(out, r->compute->device, (size_t)rows * columns * sizeof(float),
                             "the prompt's reparametrisation");
}

int dun_reparam_create(dun_reparam *r, const dun_compute *compute, const float *rows, uint32_t P, uint32_t C,
                       uint32_t M, uint64_t seed) {
    int rc = DUN_OK;
    *r = (dun_reparam){.compute = compute, .P = P, .C = C, .M = M};
    TRY(dun_learn_use(compute, DUN_TOPIC_reparam));
    for (enum dun_reparam_tensor i = 0; i < DUN_N_REPARAM; i++) {
        shape s = shape_of(r, i);
        TRY(create_floats(&r->value[i], r, s.rows, s.columns));
        TRY(create_floats(&r->gradient[i], r, s.rows, s.columns));
    }
    TRY(create_floats(&r->hidden, r, P, M));
    TRY(create_floats(&r->d_hidden, r, P, M));
    TRY(create_floats(&r->u, r, P, C));
    TRY(create_floats(&r->d_u, r, P, C));
    TRY(create_floats(&r->stats, r, P, 2));
    TRY(dun_buffer_write(&r->value[DUN_REPARAM_BASE], 0, rows, (size_t)P * C * sizeof *rows));
    TRY(fill_matrix(&r->value[DUN_REPARAM_DOWN], shape_of(r, DUN_REPARAM_DOWN), seed, 0));
    TRY(fill_matrix(&r->value[DUN_REPARAM_UP], shape_of(r, DUN_REPARAM_UP), seed, (uint64_t)1 << 40));
    TRY(dun_buffer_fill(&r->value[DUN_REPARAM_GAIN], 0));
out:
    if (rc < 0)
        dun_reparam_free(r);
    return rc;
}

void dun_reparam_free(dun_reparam *r) {
    for (size_t i = 0; i < DUN_N_REPARAM; i++) {
        dun_buffer_free(&r->value[i]);
        dun_buffer_free(&r->gradient[i]);
    }
    dun_buffer_free(&r->hidden);
    dun_buffer_free(&r->d_hidden);
    dun_buffer_free(&r->u);
    dun_buffer_free(&r->d_u);
    dun_buffer_free(&r->stats);
    *r = (dun_reparam){0};
}

int dun_reparam_add(dun_optim *optim, enum dun_train_optimizer kind, dun_reparam *r, double lr) {
    int rc = DUN_OK;
    for (enum dun_reparam_tensor i = 0; i < DUN_N_REPARAM; i++) {
        shape s = shape_of(r, i);
        TRY(dun_optim_add(optim, kind, &r->value[i], &r->gradient[i], s.rows, s.columns, lr));
    }
out:
    return rc;
}

/* One factor of a product: element (i, k) at i * row + k * step. */
typedef struct {
    const dun_buffer *buffer;
    uint32_t row, step;
} factor;

/* The factor as it lies, K floats a row; and its transpose. */
static factor plain(const dun_buffer *buffer, uint32_t K) {
    return (factor){buffer, K, 1};
}
static factor turned(const dun_buffer *buffer, uint32_t K) {
    return (factor){buffer, 1, K};
}

enum { NOTHING = 0, ADD = 1, RELU = 2 };

/* out (R, N) = a (R, K) b (N, K)^T. */
static int product(const dun_reparam *r, dun_buffer *out, factor a, factor b, unsigned also, uint32_t R,
                   uint32_t N, uint32_t K) {
    return DUN_LAUNCH(dun_learn_kernel(r->compute, DUN_K_reparam_product), dun_rows(r->compute, R),
                      DUN_BUF(*out), DUN_BUF(*a.buffer), DUN_INT(a.row), DUN_INT(a.step), DUN_BUF(*b.buffer),
                      DUN_INT(b.row), DUN_INT(b.step), DUN_INT((also & ADD) != 0),
                      DUN_INT((also & RELU) != 0), DUN_INT(N), DUN_INT(K));
}

int dun_reparam_forward(dun_buffer *rows, dun_reparam *r) {
    int rc = DUN_OK;
    const dun_compute *c = r->compute;
    uint32_t P = r->P, C = r->C, M = r->M;
    const dun_buffer *base = &r->value[DUN_REPARAM_BASE];
    TRY(product(r, &r->hidden, plain(base, C), plain(&r->value[DUN_REPARAM_DOWN], C), RELU, P, M, C));
    TRY(product(r, &r->u, plain(&r->hidden, M), plain(&r->value[DUN_REPARAM_UP], M), NOTHING, P, C, M));
    TRY(DUN_LAUNCH(dun_learn_kernel(c, DUN_K_reparam_norm_fwd), dun_rows(c, P), DUN_BUF(*rows),
                   DUN_BUF(r->stats), DUN_BUF(*base), DUN_BUF(r->u), DUN_BUF(r->value[DUN_REPARAM_GAIN]),
                   DUN_FLOAT(norm_eps), DUN_INT(C)));
out:
    return rc;
}

int dun_reparam_backward(dun_reparam *r, const dun_buffer *d_rows) {
    int rc = DUN_OK;
    const dun_compute *c = r->compute;
    uint32_t P = r->P, C = r->C, M = r->M;
    dun_buffer *d_base = &r->gradient[DUN_REPARAM_BASE];
    TRY(DUN_LAUNCH(dun_learn_kernel(c, DUN_K_reparam_norm_bwd_gain), dun_items(c, C),
                   DUN_BUF(r->gradient[DUN_REPARAM_GAIN]), DUN_BUF(*d_rows), DUN_BUF(r->u), DUN_BUF(r->stats),
                   DUN_INT(P), DUN_INT(C)));
    TRY(DUN_LAUNCH(dun_learn_kernel(c, DUN_K_reparam_norm_bwd), dun_rows(c, P), DUN_BUF(r->d_u),
                   DUN_BUF(*d_rows), DUN_BUF(r->u), DUN_BUF(r->stats), DUN_BUF(r->value[DUN_REPARAM_GAIN]),
                   DUN_INT(C)));
    TRY(product(r, &r->gradient[DUN_REPARAM_UP], turned(&r->d_u, C), turned(&r->hidden, M), NOTHING, C, M,
                P));
    TRY(product(r, &r->d_hidden, plain(&r->d_u, C), turned(&r->value[DUN_REPARAM_UP], M), NOTHING, P, M, C));
    TRY(DUN_LAUNCH(dun_learn_kernel(c, DUN_K_reparam_relu_bwd), dun_rows(c, P), DUN_BUF(r->d_hidden),
                   DUN_BUF(r->hidden), DUN_INT(M)));
    TRY(product(r, &r->gradient[DUN_REPARAM_DOWN], turned(&r->d_hidden, M),
                turned(&r->value[DUN_REPARAM_BASE], C), NOTHING, M, C, P));
    TRY(dun_buffer_copy(d_base, 0, d_rows, 0, (size_t)P * C * sizeof(float)));
    TRY(product(r, d_base, plain(&r->d_hidden, M), turned(&r->value[DUN_REPARAM_DOWN], C), ADD, P, C, M));
out:
    return rc;
}
