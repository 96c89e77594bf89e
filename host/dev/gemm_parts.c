/* Products of factors in parts: packing, rows and panels from launch to launch. Layouts are in
 * host/kernels/parts.cl. */
#include "dev/gemm_parts.h"

#include "base/err.h"

/* PARTS_STEP, PARTS_BLOCK; columns of a panel; bytes of one part of a step of a panel, and of a row. */
enum { STEP = 32, BLOCK = 24, PANEL = 32, PANEL_BYTES = 2048, ROW_BYTES = 2 * STEP };

/* Rows in parts that there is room for at a time, and panels of a weight as it is stored. A processor's
 * second-level cache holds the rows of a work-item (MOST_PAIRS pairs of tiles over a block of K: 576 KB in
 * split) beside a panel. */
enum {
    ROWS_BYTES = 16 << 20,
    TILE_ROWS = 2 * 16,
    PANELS_BYTES = 4 << 20,
    MOST_PAIRS = 6,
    ITEMS_PER_UNIT = 16,
    PACK_ITEMS = 32 /* PARTS_ITEMS */
};

static size_t ceil_div(size_t a, size_t b) {
    return (a + b - 1) / b;
}

static size_t steps_of(uint32_t K) {
    return ceil_div(K, STEP);
}

static size_t blocks_of(uint32_t K) {
    return ceil_div(steps_of(K), BLOCK);
}

/* Of a panel with its share of what says which blocks have low parts. */
static size_t panel_bytes(uint32_t K, int n_parts) {
    return steps_of(K) * PANEL_BYTES * (size_t)n_parts + blocks_of(K) * sizeof(uint32_t);
}

/* Work-groups that pack: as large as the product's, of one item where that has none. */
static size_t pack_items(const dun_gemm *gemm, size_t most) {
    const size_t items = gemm->variant->items;
    return items == 0 ? 1 : items < most ? items : most;
}

int dun_parts_create(dun_gemm *gemm, const dun_precision *precision, const dun_variant *variant) {
    static const dun_topic packing = {"parts", 0};
    int rc = DUN_OK;
    dun_program *program;
    gemm->precision = precision;
    gemm->variant = variant;
    TRY(dun_programs_topic(&program, gemm->programs, &packing));
    TRY(dun_kernel_create(&gemm->parts.rows, program, "parts_rows"));
    TRY(dun_kernel_create(&gemm->parts.pack, program, "parts_pack"));
    TRY(dun_programs_topic(&program, gemm->programs, &variant->topic));
    TRY(dun_kernel_create(&gemm->parts.product, program, "parts_product"));
    if (variant->items)
        TRY(dun_kernel_check(gemm->parts.product, variant->items));
out:
    return rc;
}

void dun_parts_free(dun_gemm *gemm) {
    dun_kernel_free(gemm->parts.rows);
    dun_kernel_free(gemm->parts.pack);
    dun_kernel_free(gemm->parts.pack_stored);
    dun_kernel_free(gemm->parts.product);
    dun_buffer_free(&gemm->parts.a);
    dun_buffer_free(&gemm->parts.b);
}

int dun_parts_of(const dun_gemm *gemm, bool backward) {
    const dun_precision *p = gemm->precision;
    return backward ? p->backward : gemm->in_texts ? p->texts : p->forward;
}

int dun_parts_pack(dun_gemm *gemm, dun_buffer *out, const dun_buffer *staging, uint32_t rows,
                   uint32_t columns, bool backward) {
    int rc = DUN_OK;
    const uint32_t N = backward ? columns : rows, K = backward ? rows : columns;
    const int n_parts = dun_precision_parts(gemm->precision);
    const size_t panels = ceil_div(N, PANEL);
    TRY(dun_buffer_create_matrix(out, gemm->device, panels * panel_bytes(K, n_parts), "a weight in parts"));
    TRY(DUN_LAUNCH(gemm->parts.pack, ((dun_range){{panels, blocks_of(K)}, pack_items(gemm, PACK_ITEMS)}),
                   DUN_BUF(*out), DUN_BUF(*staging), DUN_INT(backward ? 1 : columns),
                   DUN_INT(backward ? columns : 1), DUN_INT(N), DUN_INT(K), DUN_INT(n_parts)));
out:
    if (rc < 0)
        dun_buffer_free(out);
    return rc;
}

int dun_parts_use_stored(dun_gemm *gemm) {
    static const dun_topic stored = {"parts_stored", 0};
    int rc = DUN_OK;
    dun_program *program;
    if (gemm->parts.pack_stored)
        goto out;
    TRY(dun_programs_topic(&program, gemm->programs, &stored));
    TRY(dun_kernel_create(&gemm->parts.pack_stored, program, "parts_pack_stored"));
out:
    return rc;
}

/* Room that is kept from product to product: for one unit, a few rows or a panel, of the longest sum at the
 * least. */
static int make_room(dun_buffer *buffer, dun_gemm *gemm, size_t unit, size_t usual, const char *what) {
    if (buffer->bytes >= unit)
        return DUN_OK;
    dun_buffer_free(buffer);
    return dun_buffer_create(buffer, gemm->device, unit > usual ? unit : usual, what);
}

/* Panels and pairs of row tiles of an item that works by itself, or of a work-group. */
static void share_out(size_t *n_panels, size_t *n_pairs, const dun_gemm *gemm, size_t panels, size_t pairs) {
    const size_t units = dun_device_describe(gemm->device)->compute_units;
    const size_t rows = ceil_div(pairs, MOST_PAIRS), shares = ceil_div(ITEMS_PER_UNIT * units, rows);
    const bool groups = gemm->variant->items != 0;
    *n_panels = groups ? gemm->variant->panels : ceil_div(panels, shares);
    *n_pairs = groups ? gemm->variant->pairs : ceil_div(pairs, rows);
}

/* Rows in place, times panels of all the product's columns. */
static int multiply(dun_gemm *gemm, const dun_product *p, const dun_buffer *b, int n_parts) {
    const dun_buffer *add = p->add ? p->add : p->out, *bias = p->bias ? p->bias : p->a;
    const size_t panels = ceil_div(p->N, PANEL), pairs = ceil_div(p->M, TILE_ROWS);
    const size_t items = gemm->variant->items ? gemm->variant->items : 1;
    size_t n_panels, n_pairs;
    share_out(&n_panels, &n_pairs, gemm, panels, pairs);
    const dun_range range = {{ceil_div(panels, n_panels), ceil_div(pairs, n_pairs)}, items};
    return DUN_LAUNCH(gemm->parts.product, range, DUN_BUF(*p->out), DUN_OFFSET(p->out_offset),
                      DUN_INT(p->ldo), DUN_BUF(gemm->parts.a), DUN_BUF(*b), DUN_BUF(*bias),
                      DUN_OFFSET(p->bias_offset), DUN_INT(p->bias != NULL), DUN_BUF(*add),
                      DUN_OFFSET(p->add_offset), DUN_INT(p->add != NULL), DUN_INT(p->M), DUN_INT(p->N),
                      DUN_INT(p->K), DUN_INT(n_parts), DUN_INT(n_panels), DUN_INT(n_pairs));
}

/* The same on a weight as it is stored: as many panels as there is room for are decoded, and used at once. */
static int multiply_stored(dun_gemm *gemm, const dun_product *whole, int n_parts) {
    int rc = DUN_OK;
    TRY(make_room(&gemm->parts.b, gemm, panel_bytes(whole->K, n_parts), PANELS_BYTES,
                  "panels of a weight in parts"));
    const uint32_t most = (uint32_t)(gemm->parts.b.bytes / panel_bytes(whole->K, n_parts)) * PANEL;
    for (uint32_t first = 0; first < whole->N; first += most) {
        dun_product p = *whole;
        p.N = whole->N - first < most ? whole->N - first : most;
        p.out_offset += first;
        p.add_offset += first;
        p.bias_offset += first;
        const dun_range range = {{ceil_div(p.N, PANEL), blocks_of(p.K)}, pack_items(gemm, PACK_ITEMS)};
        TRY(DUN_LAUNCH(gemm->parts.pack_stored, range, DUN_BUF(gemm->parts.b), DUN_STORED(p.stored),
                       DUN_INT(p.backward), DUN_INT(first), DUN_INT(p.N), DUN_INT(p.K), DUN_INT(n_parts)));
        TRY(multiply(gemm, &p, &gemm->parts.b, n_parts));
    }
out:
    return rc;
}

int dun_parts_run(dun_gemm *gemm, const dun_product *whole) {
    int rc = DUN_OK;
    const int n_parts = dun_parts_of(gemm, whole->backward);
    const size_t row_bytes = steps_of(whole->K) * ROW_BYTES * (size_t)n_parts;
    TRY(make_room(&gemm->parts.a, gemm, TILE_ROWS * row_bytes, ROWS_BYTES, "activations in parts"));
    const uint32_t most = (uint32_t)(gemm->parts.a.bytes / row_bytes / TILE_ROWS) * TILE_ROWS;
    for (uint32_t done = 0; done < whole->M; done += most) {
        dun_product p = *whole;
        p.M = whole->M - done < most ? whole->M - done : most;
        p.a_offset += (size_t)done * p.lda;
        p.out_offset += (size_t)done * p.ldo;
        p.add_offset += (size_t)done * p.ldo;
        const dun_range range = {{2 * ceil_div(p.M, TILE_ROWS), blocks_of(p.K)}, pack_items(gemm, SIZE_MAX)};
        TRY(DUN_LAUNCH(gemm->parts.rows, range, DUN_BUF(gemm->parts.a), DUN_BUF(*p.a), DUN_OFFSET(p.a_offset),
                       DUN_INT(p.lda), DUN_INT(p.M), DUN_INT(p.K), DUN_INT(n_parts)));
        TRY(p.stored ? multiply_stored(gemm, &p, n_parts) : multiply(gemm, &p, p.b, n_parts));
    }
out:
    return rc;
}
