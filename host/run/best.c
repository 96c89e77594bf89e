/* Remembers the best validation loss, and takes it along in checkpoints. */
#include "run/best.h"

#include "base/err.h"
#include "base/mem.h"
#include "run/checkpoint.h"

#include <math.h>
#include <string.h>

#define FIELD(member) DUN_FIELD(dun_best, member)
static const dun_field fields[] = {FIELD(loss), FIELD(step), FIELD(since)};
enum { N_FIELDS = sizeof fields / sizeof *fields };

static size_t floats_bytes(const dun_best *best) {
    return best->floats ? (best->n_prompt + best->n_centroids) * sizeof *best->floats : 0;
}

int dun_best_create(dun_best *best, const dun_config *config, size_t n_prompt, size_t n_centroids) {
    int rc = DUN_OK;
    const bool keep = config->train.keep == DUN_KEEP_BEST;
    *best = (dun_best){.asked = keep || config->train.patience > 0,
                       .patience = (uint64_t)config->train.patience,
                       .loss = INFINITY,
                       .n_prompt = n_prompt,
                       .n_centroids = n_centroids};
    if (keep)
        TRY_NEW(best->floats, n_prompt + n_centroids);
out:
    return rc;
}

void dun_best_free(dun_best *best) {
    dun_free(best->floats);
    *best = (dun_best){0};
}

int dun_best_evaluated(dun_best *best, double loss, uint64_t step, const dun_buffer *prompt,
                       const dun_buffer *centroids) {
    int rc = DUN_OK;
    if (!best->asked)
        goto out;
    best->since++;
    if (!(loss < best->loss))
        goto out;
    if (best->floats) {
        const dun_buffer_part parts[] = {
            {best->floats, prompt, 0, best->n_prompt * sizeof *best->floats},
            {best->floats + best->n_prompt, centroids, 0, best->n_centroids * sizeof *best->floats}};
        TRY(dun_buffer_read_parts(parts, 2));
    }
    best->loss = loss;
    best->step = step;
    best->since = 0;
out:
    return rc;
}

bool dun_best_ran_out(const dun_best *best) {
    return best->patience > 0 && best->since >= best->patience;
}

int dun_best_restore(const dun_best *best, dun_buffer *prompt, dun_buffer *centroids) {
    int rc = DUN_OK;
    TRY(dun_buffer_write(prompt, 0, best->floats, best->n_prompt * sizeof *best->floats));
    TRY(dun_buffer_write(centroids, 0, best->floats + best->n_prompt,
                         best->n_centroids * sizeof *best->floats));
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
