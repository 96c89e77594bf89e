/* The list of all weights that are loaded, and who loads. See shared_model.h. */
#include "session/shared_model.h"

#include "base/err.h"
#include "base/mem.h"

#include <pthread.h>
#include <string.h>

struct dun_shared_model {
    /* What they are: */
    const void *memory; /* of which device, */
    uint32_t platform_index, device_index;
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

static bool is_wanted(const dun_shared_model *s, const dun_shared_want *want, enum dun_weight_form form) {
    return s->fingerprint == want->fingerprint && s->form == form &&
           s->point.n_blocks == want->point.n_blocks && s->point.logits >= want->point.logits &&
           s->backward >= want->backward &&
           (strcmp(want->gemm, "auto") == 0 || strcmp(s->gemm, want->gemm) == 0) &&
           strcmp(s->precision, want->precision) == 0;
}

static bool serves(const dun_shared_model *s, const dun_compute *compute, uint64_t fingerprint,
                   const dun_engine_options *o) {
    const dun_shared_want want = {.fingerprint = fingerprint,
                                  .point = o->point,
                                  .backward = o->backward,
                                  .gemm = dun_gemm_name(compute->gemm),
                                  .precision = dun_gemm_precision_word(compute->gemm)};
    return s->memory == dun_device_memory(compute->device) && is_wanted(s, &want, o->form) &&
           memcmp(&s->tiles, &compute->tiles, sizeof s->tiles) == 0;
}

bool dun_shared_model_is_there(const dun_device_info *info, const dun_shared_want *want,
                               enum dun_weight_form form) {
    pthread_mutex_lock(&all.lock);
    const dun_shared_model *at = all.first;
    while (at && !(at->platform_index == info->platform_index && at->device_index == info->device_index &&
                   is_wanted(at, want, form)))
        at = at->next;
    pthread_mutex_unlock(&all.lock);
    return at != NULL;
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
        const dun_device_info *info = dun_device_describe(compute->device);
        at->memory = dun_device_memory(compute->device);
        at->platform_index = info->platform_index;
        at->device_index = info->device_index;
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
    dun_device_set_common(compute->device, o->common);
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
    dun_device_set_common(compute->device, NULL);
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
