/* The GEMM provider for GPUs: tiles in local memory. Formula and layout are in host/kernels/gemm_local.cl. */
#include "base/err.h"
#include "dev/gemm_provider.h"

static const char *cannot_run(const dun_device_info *info) {
    return info->max_group_size < 16 || info->local_bytes < 4096
               ? "its tiles need work-groups of 16 items and 4 KB of local memory"
               : NULL;
}

static size_t ceil_div(size_t a, size_t b) {
    return (a + b - 1) / b;
}

enum { KERNEL, SUM, PACK };

static int local_pack(dun_gemm *gemm, dun_buffer *out, const dun_buffer *staging, uint32_t rows,
                      uint32_t columns, bool backward) {
    int rc = DUN_OK;
    const dun_tiles *t = &gemm->tiles;
    uint32_t N = backward ? columns : rows, K = backward ? rows : columns;
    size_t panels = ceil_div(N, t->local_n), panel = ceil_div(K, t->local_k) * t->local_k * t->local_n;
    size_t item_bytes = t->half_weights ? 2 : sizeof(float);
    TRY(dun_buffer_create_matrix(out, gemm->device, panels * panel * item_bytes, "a packed weight"));
    TRY(DUN_LAUNCH(gemm->kernels[PACK], ((dun_range){{ceil_div(panel, 16), panels}, 16}), DUN_BUF(*out),
                   DUN_BUF(*staging), DUN_INT(backward ? 1 : columns), DUN_INT(backward ? columns : 1),
                   DUN_INT(N), DUN_INT(K)));
out:
    if (rc < 0)
        dun_buffer_free(out);
    return rc;
}

/* A CPU's units are the threads that this process may have: its limits must not change bits. */
static size_t units_of(const dun_device_info *info) {
    enum { OF_CPUS = 2 };
    return info->type == DUN_DEVICE_CPU ? OF_CPUS : info->compute_units;
}

/* Parts of K: as many as make two work-groups for every processor with a batch of NOMINAL_M rows, each at
 * least MIN_TILES deep. Never by the rows at hand: a row's sum must not depend on those beside it. */
static uint32_t splits_of(const dun_gemm *gemm, const dun_product *p) {
    enum { MIN_TILES = 8, NOMINAL_M = 256 };
    const dun_tiles *t = &gemm->tiles;
    size_t groups = ceil_div(NOMINAL_M, t->local_m) * ceil_div(p->N, t->local_n);
    size_t wanted = 2 * units_of(dun_device_describe(gemm->device));
    size_t room = gemm->scratch.bytes / sizeof(float) / t->local_m / p->N; /* parts of one row tile */
    uint32_t splits = 1;
    while (splits < t->local_split && groups * splits < wanted && 2 * splits <= room &&
           ceil_div(p->K, t->local_k) >= 2 * (size_t)splits * MIN_TILES)
        splits *= 2;
    return splits;
}

/* The product kernel on packed floats or on stored rows: `rows` rows from `first` on, in `splits` parts of K;
 * one part goes to p->out with what is added, several go to the scratch without. */
static int launch(dun_gemm *gemm, const dun_product *p, uint32_t splits, size_t first, size_t rows) {
    const dun_tiles *t = &gemm->tiles;
    const bool whole = splits == 1, has_bias = whole && p->bias, has_add = whole && p->add;
    const dun_buffer *add = has_add ? p->add : p->a, *bias = has_bias ? p->bias : p->a;
    const dun_buffer *out = whole ? p->out : &gemm->scratch;
    const size_t out_offset = whole ? p->out_offset + first * p->ldo : 0, ldo = whole ? p->ldo : p->N;
    const size_t a_offset = p->a_offset + first * p->lda, add_offset = p->add_offset + first * p->ldo;
    const dun_range range = {{ceil_div(rows, t->local_m), ceil_div(p->N, t->local_n) * splits},
                             dun_tiles_local_items(t)};
    if (p->stored)
        return DUN_LAUNCH(gemm->stored, range, DUN_BUF(*out), DUN_OFFSET(out_offset), DUN_INT(ldo),
                          DUN_BUF(*p->a), DUN_OFFSET(a_offset), DUN_INT(p->lda), DUN_STORED(p->stored),
                          DUN_INT(p->backward), DUN_BUF(*bias), DUN_OFFSET(p->bias_offset), DUN_INT(has_bias),
                          DUN_BUF(*add), DUN_OFFSET(add_offset), DUN_INT(has_add), DUN_INT(rows),
                          DUN_INT(p->N), DUN_INT(p->K), DUN_INT(splits));
    return DUN_LAUNCH(gemm->kernels[KERNEL], range, DUN_BUF(*out), DUN_OFFSET(out_offset), DUN_INT(ldo),
                      DUN_BUF(*p->a), DUN_OFFSET(a_offset), DUN_INT(p->lda), DUN_BUF(*p->b), DUN_BUF(*bias),
                      DUN_OFFSET(p->bias_offset), DUN_INT(has_bias), DUN_BUF(*add), DUN_OFFSET(add_offset),
                      DUN_INT(has_add), DUN_INT(rows), DUN_INT(p->N), DUN_INT(p->K), DUN_INT(splits));
}

/* `rows` rows from `first` on, in parts of K that are then added. */
static int run_split(dun_gemm *gemm, const dun_product *p, uint32_t splits, size_t first, size_t rows) {
    int rc = DUN_OK;
    const dun_tiles *t = &gemm->tiles;
    const dun_buffer *add = p->add ? p->add : p->out, *bias = p->bias ? p->bias : p->a;
    size_t skipped = first * p->ldo;
    TRY(launch(gemm, p, splits, first, rows));
    TRY(DUN_LAUNCH(gemm->kernels[SUM], ((dun_range){{ceil_div(p->N, t->group), rows}, t->group}),
                   DUN_BUF(*p->out), DUN_OFFSET(p->out_offset + skipped), DUN_INT(p->ldo),
                   DUN_BUF(gemm->scratch), DUN_BUF(*bias), DUN_OFFSET(p->bias_offset),
                   DUN_INT(p->bias != NULL), DUN_BUF(*add), DUN_OFFSET(p->add_offset + skipped),
                   DUN_INT(p->add != NULL), DUN_INT(rows), DUN_INT(p->N), DUN_INT(splits)));
out:
    return rc;
}

static int local_run(dun_gemm *gemm, const dun_product *p) {
    int rc = DUN_OK;
    uint32_t splits = splits_of(gemm, p);
    if (splits == 1)
        return launch(gemm, p, 1, 0, p->M);
    size_t most =
        gemm->scratch.bytes / sizeof(float) / splits / p->N / gemm->tiles.local_m * gemm->tiles.local_m;
    for (size_t done = 0; done < p->M; done += most)
        TRY(run_split(gemm, p, splits, done, p->M - done < most ? p->M - done : most));
out:
    return rc;
}

DUN_GEMM_PROVIDER(local, .cannot = cannot_run, .topic = {"local", DUN_CUT_LOCAL},
                  .kernels = {"gemm_local", "gemm_local_sum", "gemm_local_pack"}, .tiles = true,
                  .pack = local_pack, .run = local_run, .stored_topic = {"local_stored", DUN_CUT_LOCAL},
                  .stored_kernel = "gemm_local_stored", .run_stored = local_run);
