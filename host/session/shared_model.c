/* The list of all weights that are loaded, and who loads. See shared_model.h. */
#include "session/shared_model.h"

#include "base/err.h"
#include "base/mem.h"

#include <pthread.h>
#include <string.h>

struct dun_shared_model {
    /* What they are: */
    const void *memory; /* of which device */
    uint64_t fingerprint;
    dun_point_spec point;
    enum dun_weight_form form;
    bool backward;
    const char *gemm, *precision;
    dun_tiles tiles;
    /* Their owners, and who loads them; weights stay where a file is mapped: */
    size_t uses;
    pthread_mutex_t loading;
    bool loaded;
    dun_device *device; /* of none of the sessions, which may be closed */
    dun_model_file *file;
    dun_model model;
    dun_shared_model *next;
};

static struct {
    pthread_mutex_t lock; /* of the list and of `uses` */
    dun_shared_model *first;
} all = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool serves(const dun_shared_model *s, const dun_compute *compute, uint64_t fingerprint,
                   const dun_engine_options *o) {
    return s->memory == dun_device_memory(compute->device) && s->fingerprint == fingerprint &&
           s->form == o->form && s->point.n_blocks == o->point.n_blocks &&
           s->point.logits >= o->point.logits && s->backward >= o->backward &&
           strcmp(s->gemm, dun_gemm_name(compute->gemm)) == 0 &&
           strcmp(s->precision, dun_gemm_precision_word(compute->gemm)) == 0 &&
           memcmp(&s->tiles, &compute->tiles, sizeof s->tiles) == 0;
}

/* One more user of what there is, or of a new entry that nobody has loaded. */
static int find_or_add(dun_shared_model **out, const dun_compute *compute, uint64_t fingerprint,
                       const dun_engine_options *o) {
    int rc = DUN_OK;
    pthread_mutex_lock(&all.lock);
    dun_shared_model *at = all.first;
    while (at && !serves(at, compute, fingerprint, o))
        at = at->next;
    if (!at) {
        TRY_NEW(at, 1);
        at->memory = dun_device_memory(compute->device);
        at->fingerprint = fingerprint;
        at->point = o->point;
        at->form = o->form;
        at->backward = o->backward;
        at->gemm = dun_gemm_name(compute->gemm);
        at->precision = dun_gemm_precision_word(compute->gemm);
        at->tiles = compute->tiles;
        pthread_mutex_init(&at->loading, NULL);
        at->next = all.first;
        all.first = at;
    }
    at->uses++;
    *out = at;
out:
    pthread_mutex_unlock(&all.lock);
    return rc;
}

/* All of it is on the device before others may use it, whose queues do not wait for this one. */
static int load(dun_shared_model *s, const dun_compute *compute, dun_model_file *file,
                const dun_engine_options *o) {
    int rc = DUN_OK;
    if (!s->device)
        TRY(dun_device_open_again(&s->device, compute->device));
    TRY(dun_model_create(&s->model, compute, dun_model_file_spec(file), dun_model_file_source(file),
                         &s->point, s->form, s->backward, o->observer));
    rc = dun_device_finish(compute->device);
    dun_model_move(&s->model, s->device);
    if (rc < 0)
        dun_model_free(&s->model);
    TRY(rc);
    s->file = s->form == DUN_FORM_F32 ? NULL : dun_model_file_keep(file);
    s->loaded = true;
out:
    return rc;
}

int dun_shared_model_take(dun_shared_model **out, const dun_compute *compute, dun_model_file *file,
                          const dun_engine_options *options) {
    int rc = DUN_OK;
    *out = NULL;
    TRY(find_or_add(out, compute, dun_model_file_fingerprint(file), options));
    pthread_mutex_lock(&(*out)->loading);
    if (!(*out)->loaded)
        rc = load(*out, compute, file, options);
    pthread_mutex_unlock(&(*out)->loading);
out:
    return rc;
}

const dun_model *dun_shared_model_weights(const dun_shared_model *shared) {
    return &shared->model;
}

void dun_shared_model_give_back(dun_shared_model *shared) {
    if (!shared)
        return;
    pthread_mutex_lock(&all.lock);
    const bool last = --shared->uses == 0;
    dun_shared_model **at = &all.first;
    while (last && *at != shared)
        at = &(*at)->next;
    if (last)
        *at = shared->next;
    pthread_mutex_unlock(&all.lock);
    if (!last)
        return;
    dun_model_free(&shared->model);
    dun_model_file_free(shared->file);
    dun_device_close(shared->device);
    pthread_mutex_destroy(&shared->loading);
    dun_free(shared);
}
