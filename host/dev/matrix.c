/* Weights of products: cut into what a buffer can hold, laid out as floats or panels of parts, or left as
 * they are stored. See gemm.h. */
#include "base/err.h"
#include "base/mem.h"
#include "dev/gemm_parts.h"
#include "dev/gemm_provider.h"

#include <string.h>

static int copy_staged(dun_buffer *out, const dun_buffer *staging, uint32_t rows, uint32_t columns) {
    int rc = DUN_OK;
    size_t bytes = (size_t)rows * columns * sizeof(float);
    TRY(dun_buffer_create_matrix(out, staging->device, bytes, "a weight"));
    TRY(dun_buffer_copy(out, 0, staging, 0, bytes));
out:
    return rc;
}

uint32_t dun_matrix_part_rows(const dun_gemm *gemm, uint32_t rows, uint32_t columns) {
    /* what says which blocks of panels have low parts takes less than a column */
    size_t wide = (size_t)columns + (gemm->variant != NULL);
    size_t padded = (wide + DUN_PART_ROWS - 1) / DUN_PART_ROWS * DUN_PART_ROWS;
    uint64_t most = dun_device_describe(gemm->device)->largest_buffer_bytes / sizeof(float) / padded;
    if (most >= (uint64_t)rows + DUN_PART_ROWS - 1)
        return rows;
    most = most / DUN_PART_ROWS * DUN_PART_ROWS;
    if (most == 0)
        most = DUN_PART_ROWS; /* perhaps too large all the same: then making the buffer fails */
    return most < rows ? (uint32_t)most : rows;
}

static void free_part(dun_matrix_part *part) {
    dun_buffer_free(&part->forward);
    dun_buffer_free(&part->backward);
    for (size_t i = 0; i < 2; i++)
        dun_buffer_free(&part->parts[i]);
    for (size_t i = 0; i < DUN_MATRIX_SLOTS; i++)
        dun_stored_rows_free(&part->stored[i]);
}

void dun_stored_rows_free(dun_stored_rows *rows) {
    dun_buffer_free(&rows->buffer);
    *rows = (dun_stored_rows){0};
}

bool dun_gemm_reads_stored(const char *provider) {
    const dun_gemm_provider *row = dun_gemm_find(provider);
    return row && row->run_stored;
}

size_t dun_gemm_value_bytes(const char *provider, const char *precision, unsigned directions) {
    const dun_gemm_provider *row = dun_gemm_find(provider);
    const dun_precision *p = dun_precision_find(precision);
    const size_t forward = (directions & DUN_FORWARD) != 0, backward = (directions & DUN_BACKWARD) != 0;
    const size_t floats = dun_precision_is_all(p) ? 0 : row && !row->pack ? 1 : forward + backward;
    const size_t in_parts = (p->texts ? forward : 0) + (p->backward ? backward : 0);
    return floats * sizeof(float) + in_parts * (size_t)dun_precision_parts(p) * sizeof(uint16_t);
}

/* A weight as floats, in the provider's layouts. */
static int load_floats(dun_matrix_part *part, dun_gemm *gemm, const dun_buffer *staging, uint32_t columns,
                       unsigned directions) {
    int rc = DUN_OK;
    if (!gemm->provider->pack) {
        TRY(copy_staged(&part->forward, staging, part->rows, columns));
        goto out;
    }
    if (directions & DUN_FORWARD)
        TRY(gemm->provider->pack(gemm, &part->forward, staging, part->rows, columns, false));
    if (directions & DUN_BACKWARD)
        TRY(gemm->provider->pack(gemm, &part->backward, staging, part->rows, columns, true));
out:
    return rc;
}

/* The same in parts, for the directions whose products are of such. */
static int load_parts(dun_matrix_part *part, dun_gemm *gemm, const dun_buffer *staging, uint32_t columns,
                      unsigned directions) {
    int rc = DUN_OK;
    if (gemm->precision->texts && (directions & DUN_FORWARD))
        TRY(dun_parts_pack(gemm, &part->parts[0], staging, part->rows, columns, false));
    if (gemm->precision->backward && (directions & DUN_BACKWARD))
        TRY(dun_parts_pack(gemm, &part->parts[1], staging, part->rows, columns, true));
out:
    return rc;
}

int dun_matrix_append(dun_matrix *out, dun_gemm *gemm, const dun_buffer *staging, uint32_t rows,
                      uint32_t columns, unsigned directions) {
    int rc = DUN_OK;
    dun_matrix_part part = {.first_row = out->rows, .rows = rows};
    const bool floats = !dun_precision_is_all(gemm->precision);
    out->shared = floats && !gemm->provider->pack;
    if (floats)
        TRY(load_floats(&part, gemm, staging, columns, directions));
    TRY(load_parts(&part, gemm, staging, columns, directions));
    TRY_GROW(out->parts, out->part_capacity, out->n_parts);
    out->parts[out->n_parts++] = part;
    out->rows += rows;
    out->columns = columns;
out:
    if (rc < 0)
        free_part(&part);
    return rc;
}

int dun_matrix_append_stored(dun_matrix *out, dun_gemm *gemm, dun_stored_rows slots[DUN_MATRIX_SLOTS],
                             uint32_t columns) {
    int rc = DUN_OK;
    dun_matrix_part part = {.first_row = out->rows, .rows = slots[0].rows + slots[1].rows, .is_stored = true};
    memcpy(part.stored, slots, sizeof part.stored);
    TRY(dun_gemm_use_stored(gemm));
    TRY_GROW(out->parts, out->part_capacity, out->n_parts);
    out->parts[out->n_parts++] = part;
    out->rows += part.rows;
    out->columns = columns;
    part = (dun_matrix_part){0};
out:
    free_part(&part);
    memset(slots, 0, DUN_MATRIX_SLOTS * sizeof *slots);
    return rc;
}

int dun_matrix_load(dun_matrix *out, dun_gemm *gemm, const dun_buffer *staging, uint32_t rows,
                    uint32_t columns, unsigned directions) {
    *out = (dun_matrix){0};
    int rc = dun_matrix_append(out, gemm, staging, rows, columns, directions);
    if (rc < 0)
        dun_matrix_free(out);
    return rc;
}

void dun_matrix_free(dun_matrix *matrix) {
    for (size_t i = 0; i < matrix->n_parts; i++)
        free_part(&matrix->parts[i]);
    dun_free(matrix->parts);
    *matrix = (dun_matrix){0};
}

void dun_matrix_move(dun_matrix *matrix, dun_device *device) {
    for (size_t i = 0; i < matrix->n_parts; i++) {
        dun_matrix_part *part = &matrix->parts[i];
        part->forward.device = part->backward.device = device;
        for (size_t k = 0; k < 2; k++)
            matrix->parts[i].parts[k].device = device;
        for (size_t slot = 0; slot < DUN_MATRIX_SLOTS; slot++)
            part->stored[slot].buffer.device = device;
    }
}

void dun_matrix_make_common(dun_matrix *matrix) {
    for (size_t i = 0; i < matrix->n_parts; i++) {
        dun_matrix_part *part = &matrix->parts[i];
        dun_buffer_make_common(&part->forward);
        dun_buffer_make_common(&part->backward);
        for (size_t k = 0; k < 2; k++)
            dun_buffer_make_common(&part->parts[k]);
        for (size_t slot = 0; slot < DUN_MATRIX_SLOTS; slot++)
            dun_buffer_make_common(&part->stored[slot].buffer);
    }
}

uint64_t dun_matrix_bytes(const dun_matrix *matrix) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < matrix->n_parts; i++)
        bytes += matrix->parts[i].forward.bytes + matrix->parts[i].backward.bytes +
                 matrix->parts[i].stored[0].buffer.bytes + matrix->parts[i].stored[1].buffer.bytes +
                 matrix->parts[i].parts[0].bytes + matrix->parts[i].parts[1].bytes;
    return bytes;
}
