/* Launches the distance kernels: scales, chunks, sides. */
#include "learn/distance.h"

#include "base/err.h"
#include "base/mem.h"

#include <assert.h>

/* As in distance.cl. */
enum { ROWS = 4, BWD_ROWS = 8, SIDE_A = 0, SIDE_B = 1, SIDE_PAIRS = 2 };

static size_t blocks(size_t n, size_t size) {
    return (n + size - 1) / size;
}

static double eps_of(const dun_distance *d) {
    return d->kind == DUN_DISTANCE_EUCLIDEAN ? 1e-6 : 0.0;
}

static int fill_ones(dun_buffer *buffer) {
    int rc = DUN_OK;
    size_t n = buffer->bytes / sizeof(float);
    float *ones = NULL;
    TRY_NEW(ones, n);
    for (size_t i = 0; i < n; i++)
        ones[i] = 1.0f;
    TRY(dun_buffer_write(buffer, 0, ones, n * sizeof *ones));
out:
    dun_free(ones);
    return rc;
}

/* Columns of one partial sum: DISTANCE_CHUNK of distance.cl. */
static size_t chunk_columns(const dun_compute *compute) {
    return compute->tiles.group * compute->tiles.vector < 16 ? 1024 : 4096;
}

int dun_distance_create(dun_distance *d, const dun_compute *compute, enum dun_loss_distance kind,
                        uint32_t max_a, uint32_t max_b, uint32_t width, uint32_t parts) {
    int rc = DUN_OK;
    dun_device *device = compute->device;
    size_t A = max_a, B = max_b, most = A > B ? A : B, bytes = parts * sizeof(float);
    *d = (dun_distance){
        .compute = compute, .kind = kind, .max_a = max_a, .max_b = max_b, .width = width, .parts = parts};
    TRY(dun_learn_use(compute, DUN_TOPIC_points));
    TRY(dun_buffer_create(&d->scale_a, device, A * bytes, "scales of points"));
    TRY(dun_buffer_create(&d->scale_b, device, B * bytes, "scales of centroids"));
    TRY(fill_ones(&d->scale_a));
    TRY(fill_ones(&d->scale_b));
    TRY(dun_buffer_create(&d->sums, device, blocks(width, chunk_columns(compute)) * most * B * bytes,
                          "sums of distances"));
    if (parts > 1) {
        TRY(dun_buffer_create(&d->each, device, A * B * bytes, "distances of the points of a row"));
        TRY(dun_buffer_create(&d->each_pair, device, B * B * bytes, "distances of the points of a row"));
    }
    TRY(dun_buffer_create(&d->weight, device, most * B * bytes, "weights of distances"));
    TRY(dun_buffer_create(&d->shift, device, most * bytes, "shifts of distances"));
    TRY(dun_buffer_create(&d->own, device, most * bytes, "own shares of distances"));
out:
    if (rc < 0)
        dun_distance_free(d);
    return rc;
}

void dun_distance_free(dun_distance *d) {
    dun_buffer_free(&d->scale_a);
    dun_buffer_free(&d->scale_b);
    dun_buffer_free(&d->sums);
    dun_buffer_free(&d->each);
    dun_buffer_free(&d->each_pair);
    dun_buffer_free(&d->weight);
    dun_buffer_free(&d->shift);
    dun_buffer_free(&d->own);
    *d = (dun_distance){0};
}

static int scale_rows(dun_distance *d, dun_buffer *scale, const dun_buffer *x, uint32_t n) {
    if (d->kind != DUN_DISTANCE_COSINE)
        return DUN_OK;
    return DUN_LAUNCH(dun_learn_kernel(d->compute, DUN_K_inverse_norm),
                      dun_rows(d->compute, (size_t)n * d->parts), DUN_BUF(*scale), DUN_BUF(*x),
                      DUN_INT(d->width));
}

static int forward(dun_distance *d, dun_buffer *out, const dun_buffer *a, uint32_t n_a,
                   const dun_buffer *scale_a, const dun_buffer *b, uint32_t n_b, bool upper) {
    int rc = DUN_OK;
    const dun_compute *c = d->compute;
    const size_t n = (size_t)n_a * n_b, chunks = blocks(d->width, chunk_columns(c));
    dun_buffer *each = d->parts == 1 ? out : upper ? &d->each_pair : &d->each;
    dun_range tiles = dun_rows(c, blocks(n_a, ROWS) * blocks(n_b, ROWS));
    tiles.groups[1] = d->parts * chunks;
    TRY(DUN_LAUNCH(dun_learn_kernel(c, DUN_K_distance_fwd), tiles, DUN_BUF(d->sums), DUN_BUF(*a), DUN_BUF(*b),
                   DUN_BUF(*scale_a), DUN_BUF(d->scale_b), DUN_INT(n_a), DUN_INT(n_b), DUN_INT(d->width),
                   DUN_INT(d->parts), DUN_FLOAT(eps_of(d)), DUN_INT(upper)));
    TRY(DUN_LAUNCH(dun_learn_kernel(c, DUN_K_distance_finish), dun_items(c, d->parts * n), DUN_BUF(*each),
                   DUN_BUF(d->sums), DUN_INT(n_a), DUN_INT(n_b), DUN_INT(d->parts), DUN_INT(chunks),
                   DUN_INT(d->kind), DUN_INT(upper)));
    if (d->parts > 1)
        TRY(DUN_LAUNCH(dun_learn_kernel(c, DUN_K_distance_mean), dun_items(c, n), DUN_BUF(*out),
                       DUN_BUF(*each), DUN_INT(n), DUN_INT(d->parts)));
out:
    return rc;
}

int dun_distance_fwd(dun_distance *d, dun_buffer *out, const dun_buffer *a, uint32_t n_a, const dun_buffer *b,
                     uint32_t n_b) {
    int rc = DUN_OK;
    assert(n_a <= d->max_a && n_b <= d->max_b);
    TRY(scale_rows(d, &d->scale_a, a, n_a));
    TRY(scale_rows(d, &d->scale_b, b, n_b));
    TRY(forward(d, out, a, n_a, &d->scale_a, b, n_b, false));
out:
    return rc;
}

int dun_distance_pairs_fwd(dun_distance *d, dun_buffer *out, const dun_buffer *b, uint32_t n) {
    int rc = DUN_OK;
    assert(n <= d->max_b);
    TRY(scale_rows(d, &d->scale_b, b, n));
    TRY(forward(d, out, b, n, &d->scale_b, b, n, true));
out:
    return rc;
}

/* One matrix of a backward: its rows, and 1 / their length. */
typedef struct {
    const dun_buffer *x, *scale;
    uint32_t n;
} side;

static int backward(dun_distance *d, dun_buffer *d_x, const dun_buffer *d_out, const dun_buffer *out,
                    const side *own, const side *other, int which, bool beta) {
    int rc = DUN_OK;
    const dun_compute *c = d->compute;
    const dun_buffer *each = d->parts == 1 ? out : which == SIDE_PAIRS ? &d->each_pair : &d->each;
    dun_range rows = dun_rows(c, own->n);
    rows.groups[1] = d->parts;
    dun_range blocks_of_rows = dun_rows(c, blocks(d->width, 2 * (size_t)c->tiles.group * c->tiles.vector));
    blocks_of_rows.groups[1] = d->parts * blocks(own->n, BWD_ROWS);
    TRY(DUN_LAUNCH(dun_learn_kernel(c, DUN_K_distance_weights), rows, DUN_BUF(d->weight), DUN_BUF(d->shift),
                   DUN_BUF(d->own), DUN_BUF(*d_out), DUN_BUF(*each), DUN_INT(own->n), DUN_INT(other->n),
                   DUN_INT(d->parts), DUN_INT(d->kind), DUN_FLOAT(eps_of(d)), DUN_INT(which)));
    TRY(DUN_LAUNCH(dun_learn_kernel(c, DUN_K_distance_bwd), blocks_of_rows, DUN_BUF(*d_x), DUN_BUF(d->weight),
                   DUN_BUF(d->shift), DUN_BUF(d->own), DUN_BUF(*own->x), DUN_BUF(*other->x),
                   DUN_BUF(*own->scale), DUN_BUF(*other->scale), DUN_INT(own->n), DUN_INT(other->n),
                   DUN_INT(d->width), DUN_INT(d->parts), DUN_INT(beta)));
out:
    return rc;
}

int dun_distance_bwd_a(dun_distance *d, dun_buffer *d_a, const dun_buffer *d_out, const dun_buffer *out,
                       const dun_buffer *a, uint32_t n_a, const dun_buffer *b, uint32_t n_b) {
    return backward(d, d_a, d_out, out, &(side){a, &d->scale_a, n_a}, &(side){b, &d->scale_b, n_b}, SIDE_A,
                    false);
}

int dun_distance_bwd_b(dun_distance *d, dun_buffer *d_b, const dun_buffer *d_out, const dun_buffer *out,
                       const dun_buffer *a, uint32_t n_a, const dun_buffer *b, uint32_t n_b) {
    return backward(d, d_b, d_out, out, &(side){b, &d->scale_b, n_b}, &(side){a, &d->scale_a, n_a}, SIDE_B,
                    false);
}

int dun_distance_pairs_bwd(dun_distance *d, dun_buffer *d_b, const dun_buffer *d_out, const dun_buffer *out,
                           const dun_buffer *b, uint32_t n, bool beta) {
    const side all = {b, &d->scale_b, n};
    return backward(d, d_b, d_out, out, &all, &all, SIDE_PAIRS, beta);
}
