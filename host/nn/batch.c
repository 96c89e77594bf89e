/* Packing of batches: rows one after another on the host, and all arrays in one copy to the device. */
#include "nn/batch.h"

#include "base/err.h"
#include "base/mem.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

/* The arrays of a batch, in the order in which they are packed. */
static const struct {
    size_t on_host, on_device; /* offsets in dun_batch, dun_device_batch */
    bool of_rows;              /* one number a row, else one a sequence */
    uint32_t more;             /* and so many more */
} arrays[] = {
#define ARRAY(name, of_rows, more)                                                                           \
    { offsetof(dun_batch, name), offsetof(dun_device_batch, name), of_rows, more }
    ARRAY(start, false, 1),        ARRAY(last_row, false, 0),   ARRAY(shared_len, false, 0),
    ARRAY(prefix_start, false, 0), ARRAY(prefix_len, false, 0), ARRAY(ids, true, 0),
    ARRAY(position, true, 0),      ARRAY(sequence, true, 0),
#undef ARRAY
};
static_assert(sizeof arrays / sizeof *arrays == DUN_BATCH_ARRAYS, "each has an offset");

static size_t length_of(size_t array, uint32_t n_sequences, uint32_t n_rows) {
    return (size_t)(arrays[array].of_rows ? n_rows : n_sequences) + arrays[array].more;
}

static int32_t **host_array(dun_batch *batch, size_t array) {
    return (int32_t **)(void *)((char *)batch + arrays[array].on_host);
}

static const int32_t *host_values(const dun_batch *batch, size_t array) {
    return *(int32_t *const *)(const void *)((const char *)batch + arrays[array].on_host);
}

static dun_buffer *device_array(dun_device_batch *batch, size_t array) {
    return (dun_buffer *)(void *)((char *)batch + arrays[array].on_device);
}

int dun_batch_create(dun_batch *batch, uint32_t max_sequences, uint32_t max_rows) {
    int rc = DUN_OK;
    *batch = (dun_batch){.max_sequences = max_sequences, .max_rows = max_rows};
    for (size_t i = 0; i < DUN_BATCH_ARRAYS; i++)
        TRY_NEW(*host_array(batch, i), length_of(i, max_sequences, max_rows));
out:
    if (rc < 0)
        dun_batch_free(batch);
    return rc;
}

void dun_batch_free(dun_batch *batch) {
    for (size_t i = 0; i < DUN_BATCH_ARRAYS; i++)
        dun_free(*host_array(batch, i));
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

/* Sequence s comes to stand as number s * times + i, its rows at `row`. */
static void place_copy(dun_batch *batch, uint32_t s, uint32_t to, uint32_t first, uint32_t row, uint32_t n) {
    memmove(batch->ids + row, batch->ids + first, n * sizeof *batch->ids);
    memmove(batch->position + row, batch->position + first, n * sizeof *batch->position);
    for (uint32_t r = row; r < row + n; r++)
        batch->sequence[r] = (int32_t)to;
    batch->shared_len[to] = batch->shared_len[s];
    batch->prefix_start[to] = batch->prefix_start[s];
    batch->prefix_len[to] = batch->prefix_len[s];
    batch->start[to] = (int32_t)row;
    batch->last_row[to] = (int32_t)(row + n) - 1;
}

/* From the end on, so that nothing is written over before it was read. */
void dun_batch_repeat(dun_batch *batch, uint32_t times, uint32_t P) {
    const uint32_t S = batch->n_sequences, N = batch->n_rows;
    if (times == 1)
        return;
    assert(S <= batch->max_sequences / times && N <= batch->max_rows / times);
    for (uint32_t s = S; s-- > 0;) {
        const uint32_t first = (uint32_t)batch->start[s], n = (uint32_t)batch->start[s + 1] - first;
        for (uint32_t i = times; i-- > 0;) {
            const uint32_t row = first * times + i * n;
            place_copy(batch, s, s * times + i, first, row, n);
            for (uint32_t r = row; r < row + n; r++)
                if (batch->ids[r] < 0)
                    batch->ids[r] -= (int32_t)(i * P);
        }
    }
    batch->n_sequences = S * times;
    batch->n_rows = N * times;
    batch->start[S * times] = (int32_t)(N * times);
}

static int create_identity(dun_device_batch *out, dun_device *device, size_t n) {
    int rc = DUN_OK;
    int32_t *identity = NULL;
    TRY_NEW(identity, n);
    for (size_t i = 0; i < n; i++)
        identity[i] = (int32_t)i;
    TRY(dun_buffer_create(&out->identity, device, n * sizeof *identity, "a batch's indices"));
    TRY(dun_buffer_write(&out->identity, 0, identity, n * sizeof *identity));
out:
    dun_free(identity);
    return rc;
}

int dun_device_batch_create(dun_device_batch *out, dun_device *device, uint32_t max_sequences,
                            uint32_t max_rows) {
    int rc = DUN_OK;
    size_t align = dun_device_describe(device)->part_alignment, end = 0;
    *out = (dun_device_batch){0};
    for (size_t i = 0; i < DUN_BATCH_ARRAYS; i++) {
        size_t bytes = length_of(i, max_sequences, max_rows) * sizeof(int32_t);
        out->offset[i] = end;
        end += (bytes + align - 1) / align * align;
    }
    TRY(dun_buffer_create(&out->packed, device, end, "a batch's indices"));
    TRY_NEW(out->staged, end);
    for (size_t i = 0; i < DUN_BATCH_ARRAYS; i++)
        TRY(dun_buffer_create_part(device_array(out, i), &out->packed, out->offset[i],
                                   length_of(i, max_sequences, max_rows) * sizeof(int32_t),
                                   "a batch's indices"));
    TRY(create_identity(out, device, (size_t)(max_rows > max_sequences ? max_rows : max_sequences) + 1));
out:
    if (rc < 0)
        dun_device_batch_free(out);
    return rc;
}

void dun_device_batch_free(dun_device_batch *batch) {
    for (size_t i = 0; i < DUN_BATCH_ARRAYS; i++)
        dun_buffer_free(device_array(batch, i));
    dun_buffer_free(&batch->packed);
    dun_buffer_free(&batch->identity);
    dun_free(batch->staged);
    *batch = (dun_device_batch){0};
}

/* Positions of long sequences among the staged ones. */
static int shift_positions(dun_device_batch *out, const dun_batch *batch, const dun_long_positions *positions,
                           uint32_t more) {
    size_t array = 0;
    while (arrays[array].on_host != offsetof(dun_batch, position))
        array++;
    int32_t *position = (int32_t *)(void *)(out->staged + out->offset[array]);
    for (uint32_t s = 0; positions->shift && s < batch->n_sequences; s++) {
        const int32_t first = batch->start[s], end = batch->start[s + 1];
        if (first == end || (uint32_t)position[end - 1] + 1 + more <= positions->from)
            continue;
        if (batch->shared_len[s])
            return dun_error(DUN_BAD_INPUT,
                             "texts of more than %u tokens turn otherwise in this model, so that they cannot "
                             "share the words before them; use shorter texts or no words before them",
                             positions->from);
        for (int32_t row = first; row < end; row++)
            position[row] += (int32_t)positions->shift;
    }
    return DUN_OK;
}

int dun_device_batch_upload(dun_device_batch *out, const dun_batch *batch,
                            const dun_long_positions *positions, uint32_t more) {
    int rc;
    size_t end = 0;
    out->n_rows = batch->n_rows;
    out->n_sequences = batch->n_sequences;
    for (size_t i = 0; i < DUN_BATCH_ARRAYS; i++) {
        size_t bytes = length_of(i, batch->n_sequences, batch->n_rows) * sizeof(int32_t);
        memcpy(out->staged + out->offset[i], host_values(batch, i), bytes);
        end = out->offset[i] + bytes;
    }
    TRY(shift_positions(out, batch, positions, more));
    TRY(dun_buffer_write(&out->packed, 0, out->staged, end));
out:
    return rc;
}
