/* See batch.h. */
#include "nn/batch.h"

#include "base/err.h"
#include "base/mem.h"

#include <assert.h>

int dun_batch_create(dun_batch *batch, uint32_t max_sequences, uint32_t max_rows) {
    int rc = DUN_OK;
    *batch = (dun_batch){.max_sequences = max_sequences, .max_rows = max_rows};
    TRY_NEW(batch->ids, max_rows);
    TRY_NEW(batch->position, max_rows);
    TRY_NEW(batch->sequence, max_rows);
    TRY_NEW(batch->start, (size_t)max_sequences + 1);
    TRY_NEW(batch->shared_len, max_sequences);
    TRY_NEW(batch->prefix_start, max_sequences);
    TRY_NEW(batch->prefix_len, max_sequences);
    TRY_NEW(batch->last_row, max_sequences);
out:
    if (rc < 0)
        dun_batch_free(batch);
    return rc;
}

void dun_batch_free(dun_batch *batch) {
    dun_free(batch->ids);
    dun_free(batch->position);
    dun_free(batch->sequence);
    dun_free(batch->start);
    dun_free(batch->shared_len);
    dun_free(batch->prefix_start);
    dun_free(batch->prefix_len);
    dun_free(batch->last_row);
    *batch = (dun_batch){0};
}

void dun_batch_clear(dun_batch *batch) {
    batch->n_sequences = 0;
    batch->n_rows = 0;
}

bool dun_batch_fits(const dun_batch *batch, uint32_t n) {
    return batch->n_sequences < batch->max_sequences && n <= batch->max_rows - batch->n_rows;
}

int32_t *dun_batch_add(dun_batch *batch, uint32_t n, uint32_t prefix_start, uint32_t prefix_len) {
    return dun_batch_add_shared(batch, n, 0, prefix_start, prefix_len);
}

int32_t *dun_batch_add_shared(dun_batch *batch, uint32_t n, uint32_t n_shared, uint32_t prefix_start,
                              uint32_t prefix_len) {
    assert(dun_batch_fits(batch, n));
    uint32_t s = batch->n_sequences++, first = batch->n_rows;
    for (uint32_t j = 0; j < n; j++) {
        batch->position[first + j] = (int32_t)(n_shared + prefix_len + j);
        batch->sequence[first + j] = (int32_t)s;
    }
    batch->shared_len[s] = (int32_t)n_shared;
    batch->prefix_start[s] = (int32_t)prefix_start;
    batch->prefix_len[s] = (int32_t)prefix_len;
    batch->start[s] = (int32_t)first;
    batch->n_rows += n;
    batch->start[s + 1] = (int32_t)batch->n_rows;
    batch->last_row[s] = (int32_t)batch->n_rows - 1;
    return batch->ids + first;
}

static int create_ints(dun_buffer *out, dun_device *device, size_t n) {
    return dun_buffer_create(out, device, n * sizeof(int32_t), "a batch's indices");
}

static int upload_ints(dun_buffer *out, const int32_t *values, size_t n) {
    return dun_buffer_write(out, 0, values, n * sizeof(int32_t));
}

int dun_device_batch_create(dun_device_batch *out, dun_device *device, uint32_t max_sequences,
                            uint32_t max_rows) {
    int rc = DUN_OK;
    int32_t *identity = NULL;
    size_t n_identity = (size_t)(max_rows > max_sequences ? max_rows : max_sequences) + 1;
    *out = (dun_device_batch){0};
    TRY(create_ints(&out->ids, device, max_rows));
    TRY(create_ints(&out->position, device, max_rows));
    TRY(create_ints(&out->sequence, device, max_rows));
    TRY(create_ints(&out->start, device, (size_t)max_sequences + 1));
    TRY(create_ints(&out->shared_len, device, max_sequences));
    TRY(create_ints(&out->prefix_start, device, max_sequences));
    TRY(create_ints(&out->prefix_len, device, max_sequences));
    TRY(create_ints(&out->last_row, device, max_sequences));
    TRY(create_ints(&out->identity, device, n_identity));
    TRY_NEW(identity, n_identity);
    for (size_t i = 0; i < n_identity; i++)
        identity[i] = (int32_t)i;
    TRY(upload_ints(&out->identity, identity, n_identity));
out:
    dun_free(identity);
    if (rc < 0)
        dun_device_batch_free(out);
    return rc;
}

void dun_device_batch_free(dun_device_batch *batch) {
    dun_buffer_free(&batch->ids);
    dun_buffer_free(&batch->position);
    dun_buffer_free(&batch->sequence);
    dun_buffer_free(&batch->start);
    dun_buffer_free(&batch->shared_len);
    dun_buffer_free(&batch->prefix_start);
    dun_buffer_free(&batch->prefix_len);
    dun_buffer_free(&batch->last_row);
    dun_buffer_free(&batch->identity);
    *batch = (dun_device_batch){0};
}

int dun_device_batch_upload(dun_device_batch *out, const dun_batch *batch) {
    int rc = DUN_OK;
    size_t N = batch->n_rows, S = batch->n_sequences;
    out->n_rows = batch->n_rows;
    out->n_sequences = batch->n_sequences;
    TRY(upload_ints(&out->ids, batch->ids, N));
    TRY(upload_ints(&out->position, batch->position, N));
    TRY(upload_ints(&out->sequence, batch->sequence, N));
    TRY(upload_ints(&out->start, batch->start, S + 1));
    TRY(upload_ints(&out->shared_len, batch->shared_len, S));
    TRY(upload_ints(&out->prefix_start, batch->prefix_start, S));
    TRY(upload_ints(&out->prefix_len, batch->prefix_len, S));
    TRY(upload_ints(&out->last_row, batch->last_row, S));
out:
    return rc;
}
