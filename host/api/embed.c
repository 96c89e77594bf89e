/* Texts without any prompt: not there yet. */
#include "api/texts.h"

dunlin_status dunlin_embed(const char *model, const char *device, const dunlin_texts *texts, dunlin_pool pool,
                           float *out, size_t room, size_t *width, dunlin_progress_fn *progress, void *user) {
    int rc = DUN_OK;
    (void)device, (void)pool, (void)out, (void)room, (void)width, (void)progress, (void)user;
    dun_api_begin();
    TRY(dun_api_need(model, "model"));
    TRY(dun_api_texts_enter(texts, false, "texts"));
    dun_api_texts_leave(texts);
    TRY(dun_error(DUN_FAILED, "dunlin_embed is not supported by this version"));
out:
    return dun_api_end(rc);
}
