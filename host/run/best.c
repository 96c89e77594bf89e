/* Remembers the best validation loss, and takes it along in checkpoints. */
#include "run/best.h"

#include "base/err.h"
#include "base/mem.h"
#include "run/checkpoint.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define FIELD(member) DUN_FIELD(dun_best, member)
static const dun_field fields[] = {FIELD(loss), FIELD(step), FIELD(since)};
enum { N_FIELDS = sizeof fields / sizeof *fields };

static size_t floats_bytes(const dun_best *best) {
    size_t bytes = 0;
    for (size_t i = 0; best->floats && i < best->n_tensors; i++)
        bytes += best->tensors[i]->bytes;
    return bytes;
}

int dun_best_create(dun_best *best, const dun_config *config, dun_buffer *const *tensors, size_t n_tensors) {
    int rc = DUN_OK;
    size_t bytes = 0;
    const bool keep = config->train.keep == DUN_KEEP_BEST;
    *best = (dun_best){.asked = keep || config->train.patience > 0,
                       .patience = (uint64_t)config->train.patience,
                       .loss = INFINITY,
                       .n_tensors = n_tensors};
    assert(n_tensors <= DUN_BEST_TENSORS);
    for (size_t i = 0; i < n_tensors; i++) {
        best->tensors[i] = tensors[i];
        bytes += tensors[i]->bytes;
    }
    if (keep)
        TRY_NEW(best->floats, bytes / sizeof *best->floats);
out:
    return rc;
}

void dun_best_free(dun_best *best) {
    dun_free(best->floats);
    *best = (dun_best){0};
}

int dun_best_evaluated(dun_best *best, double loss, uint64_t step) {
    int rc = DUN_OK;
    dun_buffer_part parts[DUN_BEST_TENSORS];
    float *at = best->floats;
    if (!best->asked)
        goto out;
    best->since++;
    if (!(loss < best->loss))
        goto out;
    for (size_t i = 0; at && i < best->n_tensors; i++) {
        const size_t bytes = best->tensors[i]->bytes;
        parts[i] = (dun_buffer_part){at, best->tensors[i], 0, bytes};
        at += bytes / sizeof *at;
    }
    if (at)
        TRY(dun_buffer_read_parts(parts, best->n_tensors));
    best->loss = loss;
    best->step = step;
    best->since = 0;
out:
    return rc;
}

bool dun_best_ran_out(const dun_best *best) {
    return best->patience > 0 && best->since >= best->patience;
}

int dun_best_restore(const dun_best *best) {
    int rc = DUN_OK;
    const float *at = best->floats;
    for (size_t i = 0; i < best->n_tensors; i++) {
        const size_t bytes = best->tensors[i]->bytes;
        TRY(dun_buffer_write(best->tensors[i], 0, at, bytes));
        at += bytes / sizeof *at;
    }
out:
    return rc;
}

size_t dun_best_bytes(const dun_best *best) {
    return best->asked ? dun_fields_bytes(fields, N_FIELDS) + floats_bytes(best) : 0;
}

uint8_t *dun_best_put(uint8_t *at, const dun_best *best) {
    if (!best->asked)
        return at;
    at = dun_fields_put(at, best, fields, N_FIELDS);
    if (best->floats)
        memcpy(at, best->floats, floats_bytes(best));
    return at + floats_bytes(best);
}

const uint8_t *dun_best_take(dun_best *best, const uint8_t *at) {
    if (!best->asked)
        return at;
    at = dun_fields_take(best, at, fields, N_FIELDS);
    if (best->floats)
        memcpy(best->floats, at, floats_bytes(best));
    return at + floats_bytes(best);
}
