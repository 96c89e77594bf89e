/* Texts as vectors of a model, without any prompt. */
#include "api/texts.h"
#include "api/watch.h"

#include "run/experiment.h"
#include "session/embed.h"

static int check(const char *model, dunlin_pool pool) {
    int rc = DUN_OK;
    TRY(dun_api_need(model, "model"));
    if (pool != DUNLIN_POOL_LAST && pool != DUNLIN_POOL_MEAN)
        TRY(dun_error(DUN_USAGE, "pool is %d; DUNLIN_POOL_LAST and DUNLIN_POOL_MEAN are possible",
                      (int)pool));
out:
    return rc;
}

/* C, from the model's sizes alone. */
static int read_width(size_t *width, const dun_config *config) {
    int rc = DUN_OK;
    dun_model_file *file = NULL;
    TRY(dun_model_file_open(&file, config->model.path, DUN_MODEL_SPEC));
    *width = dun_model_file_spec(file)->width;
out:
    dun_model_file_free(file);
    return rc;
}

static int embed(float *out, dun_config *config, dunlin_pool pool, const dun_given *given,
                 const dun_observer *observer) {
    int rc = DUN_OK;
    dun_embedder embedder = {0};
    TRY(dun_api_use_devices());
    TRY(dun_embed_open(&embedder, config, pool == DUNLIN_POOL_MEAN ? DUN_POOL_MEAN : DUN_POOL_LAST, 0,
                       observer));
    TRY(dun_vectors_of(out, &embedder.vectors, given->texts, given->lengths, given->n));
    dun_vectors_tell(&embedder.vectors);
out:
    dun_embed_close(&embedder);
    return rc;
}

/* With the texts entered. */
static int embed_texts(const char *model, const char *device, const dun_given *given, dunlin_pool pool,
                       float *out, size_t room, size_t *width, dun_watch_call *watch,
                       const dun_observer *observer) {
    int rc = DUN_OK;
    size_t C = 0;
    dun_config config = {0};
    const dun_overrides overrides = {.device = device, .alone = true};
    watch->whole = true;
    TRY(dun_experiment_model_config(&config, model, &overrides));
    TRY(read_width(&C, &config));
    if (width)
        *width = C;
    if (!out)
        goto out;
    if (room / C < given->n)
        TRY(dun_error(DUN_USAGE, "there is room for %zu floats; %zu texts of %zu floats are %zu", room,
                      given->n, C, given->n * C));
    if (given->n > 0)
        TRY(embed(out, &config, pool, given, observer));
out:
    dun_config_free(&config);
    return rc;
}

dunlin_status dunlin_embed(const char *model, const char *device, const dunlin_texts *texts, dunlin_pool pool,
                           float *out, size_t room, size_t *width, dunlin_progress_fn *progress, void *user) {
    int rc = DUN_OK;
    dun_watch_call watch;
    dun_api_begin();
    TRY(check(model, pool));
    TRY(dun_api_texts_enter(texts, false, "texts"));
    const dun_observer observer = dun_watch_call_begin(&watch, progress, user);
    rc = embed_texts(model, device, &texts->given, pool, out, room, width, &watch, &observer);
    rc = dun_watch_call_end(&watch, rc);
    dun_api_texts_leave(texts);
out:
    return dun_api_end(rc);
}
