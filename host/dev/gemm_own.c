/* Our own GEMM providers: `naive` (reference) and `reg` (register tile over packed panels). Formulas and
 * layouts are in host/kernels/gemm_naive.cl and gemm_reg.cl. */
#include "base/err.h"
#include "dev/gemm_provider.h"

static const char *runs_everywhere(const dun_device_info *info) {
    (void)info;
    return NULL;
}

static size_t ceil_div(size_t a, size_t b) {
    return (a + b - 1) / b;
}

static int naive_run(dun_gemm *gemm, const dun_product *p) {
    size_t group = gemm->tiles.group;
    const dun_buffer *add = p->add ? p->add : p->out, *bias = p->bias ? p->bias : p->a;
    return DUN_LAUNCH(gemm->kernels[0], ((dun_range){{ceil_div(p->N, group), p->M}, group}), DUN_BUF(*p->out),
                      DUN_OFFSET(p->out_offset), DUN_INT(p->ldo), DUN_BUF(*p->a), DUN_OFFSET(p->a_offset),
                      DUN_INT(p->lda), DUN_BUF(*p->b), DUN_INT(p->backward ? 1 : p->K),
                      DUN_INT(p->backward ? p->N : 1), DUN_BUF(*bias), DUN_OFFSET(p->bias_offset),
                      DUN_INT(p->bias != NULL), DUN_BUF(*add), DUN_OFFSET(p->add_offset),
                      DUN_INT(p->add != NULL), DUN_INT(p->N), DUN_INT(p->K));
}

static int naive_run_stored(dun_gemm *gemm, const dun_product *p) {
    size_t group = gemm->tiles.group;
    const dun_buffer *add = p->add ? p->add : p->out, *bias = p->bias ? p->bias : p->a;
    return DUN_LAUNCH(gemm->stored, ((dun_range){{ceil_div(p->N, group), p->M}, group}), DUN_BUF(*p->out),
                      DUN_OFFSET(p->out_offset), DUN_INT(p->ldo), DUN_BUF(*p->a), DUN_OFFSET(p->a_offset),
                      DUN_INT(p->lda), DUN_STORED(p->stored), DUN_INT(p->backward), DUN_BUF(*bias),
                      DUN_OFFSET(p->bias_offset), DUN_INT(p->bias != NULL), DUN_BUF(*add),
                      DUN_OFFSET(p->add_offset), DUN_INT(p->add != NULL), DUN_INT(p->N), DUN_INT(p->K));
}

DUN_GEMM_PROVIDER(naive, .cannot = runs_everywhere, .topic = {"naive", 0}, .kernels = {"gemm_naive"},
                  .run = naive_run, .stored_topic = {"stored", DUN_CUT_ROWS},
                  .stored_kernel = "gemm_naive_stored", .run_stored = naive_run_stored);

static int reg_pack(dun_gemm *gemm, dun_buffer *out, const dun_buffer *staging, uint32_t rows,
                    uint32_t columns, bool backward) {
    int rc = DUN_OK;
    uint32_t N = backward ? columns : rows, K = backward ? rows : columns;
    size_t panel_columns = 2 * (size_t)gemm->tiles.reg_vector, panels = ceil_div(N, panel_columns);
    TRY(dun_buffer_create_matrix(out, gemm->device, panels * panel_columns * K * sizeof(float),
                                 "a packed weight"));
    TRY(DUN_LAUNCH(gemm->kernels[1], ((dun_range){{panels, ceil_div(K, 64)}, 1}), DUN_BUF(*out),
                   DUN_BUF(*staging), DUN_INT(backward ? 1 : columns), DUN_INT(backward ? columns : 1),
                   DUN_INT(N), DUN_INT(K)));
out:
    if (rc < 0)
        dun_buffer_free(out);
    return rc;
}

/* Work-items a compute unit gets, so that one that is late costs little: drivers hand out large shares first.
 * An item of fewer tiles would be short beside its start. */
enum { REG_ITEMS_PER_UNIT = 64, REG_MIN_TILES = 4, REG_MIN_SHARES = 4 };

/* A panel of more rows (REG_KC in gemm_reg.cl) is taken block by block: all tiles of a column then share it.
 */
enum { REG_LONG_K = 4096 };

static int reg_run(dun_gemm *gemm, const dun_product *p) {
    const dun_buffer *add = p->add ? p->add : p->out, *bias = p->bias ? p->bias : p->a;
    size_t tiles = ceil_div(p->M, gemm->tiles.reg_rows);
    size_t panels = ceil_div(p->N, 2 * (size_t)gemm->tiles.reg_vector);
    size_t items = REG_ITEMS_PER_UNIT * (size_t)dun_device_describe(gemm->device)->compute_units;
    size_t n_tiles = tiles * panels / items;
    n_tiles = n_tiles < REG_MIN_TILES ? REG_MIN_TILES : n_tiles;
    n_tiles = n_tiles > tiles || p->K > REG_LONG_K ? tiles : n_tiles;
    dun_range range = {{ceil_div(tiles, n_tiles), panels}, 1};
    return DUN_LAUNCH(gemm->kernels[0], range, DUN_BUF(*p->out), DUN_OFFSET(p->out_offset), DUN_INT(p->ldo),
                      DUN_BUF(*p->a), DUN_OFFSET(p->a_offset), DUN_INT(p->lda), DUN_BUF(*p->b),
                      DUN_BUF(*bias), DUN_OFFSET(p->bias_offset), DUN_INT(p->bias != NULL), DUN_BUF(*add),
                      DUN_OFFSET(p->add_offset), DUN_INT(p->add != NULL), DUN_INT(p->M), DUN_INT(p->N),
                      DUN_INT(p->K), DUN_INT(n_tiles));
}

/* Columns of an item (REG_SW), rows that are decoded at a time, and local memory that is left to the driver.
 * Panels are as deep as reg_run's where local memory holds them: then sums have the same order. */
enum { RUN = 32, RUN_ROWS = 8, SPARE_BYTES = 1024 };

static int reg_run_stored(dun_gemm *gemm, const dun_product *p) {
    const dun_buffer *add = p->add ? p->add : p->out, *bias = p->bias ? p->bias : p->a;
    const dun_device_info *info = dun_device_describe(gemm->device);
    const size_t runs_bytes = RUN_ROWS * RUN * sizeof(float), kept = runs_bytes + SPARE_BYTES;
    size_t room = info->local_bytes > kept ? (info->local_bytes - kept) / sizeof(float) / RUN / RUN * RUN : 0;
    room = room < RUN ? RUN : room;
    size_t most_k = room < REG_LONG_K ? room : REG_LONG_K, depth = p->K < most_k ? p->K : most_k;
    size_t tiles = ceil_div(p->M, gemm->tiles.reg_rows), columns = ceil_div(p->N, RUN);
    /* Rows are shared out only where the columns are too few to give every unit work: each share decodes
     * anew. */
    size_t shares = ceil_div(REG_MIN_SHARES * (size_t)info->compute_units, columns);
    size_t n_tiles = ceil_div(tiles, shares < 1 ? 1 : shares);
    n_tiles = n_tiles < REG_MIN_TILES ? REG_MIN_TILES : n_tiles;
    n_tiles = n_tiles > tiles || p->K > most_k ? tiles : n_tiles;
    return DUN_LAUNCH(gemm->stored, ((dun_range){{ceil_div(tiles, n_tiles), columns}, 1}), DUN_BUF(*p->out),
                      DUN_OFFSET(p->out_offset), DUN_INT(p->ldo), DUN_BUF(*p->a), DUN_OFFSET(p->a_offset),
                      DUN_INT(p->lda), DUN_STORED(p->stored), DUN_BUF(*bias), DUN_OFFSET(p->bias_offset),
                      DUN_INT(p->bias != NULL), DUN_BUF(*add), DUN_OFFSET(p->add_offset),
                      DUN_INT(p->add != NULL), DUN_INT(p->M), DUN_INT(p->N), DUN_INT(p->K), DUN_INT(n_tiles),
                      DUN_INT(p->backward), DUN_INT(most_k),
                      DUN_LOCAL(ceil_div(depth, RUN) * RUN * RUN * sizeof(float)), DUN_LOCAL(runs_bytes));
}

DUN_GEMM_PROVIDER(reg, .cannot = runs_everywhere, .topic = {"reg", DUN_CUT_REG},
                  .kernels = {"gemm_reg", "gemm_reg_pack"}, .pack = reg_pack, .run = reg_run,
                  .stored_topic = {"reg_stored", DUN_CUT_REG}, .stored_kernel = "gemm_reg_stored",
                  .run_stored = reg_run_stored);
