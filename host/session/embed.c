/* Settles a config for texts alone, and opens the session that runs them. See embed.h. */
#include "session/embed.h"

#include "base/err.h"

#include <stdio.h>
#include <string.h>

enum { USUAL_LENGTH = 512 };

/* What a config for trainings may say and texts alone have no use for. */
static int check(const dun_config *config) {
    if (config->model.point == DUN_POINT_LOGITS)
        return dun_error(DUN_USAGE, "%s: model.point = logits; texts without a prompt give hidden states",
                         dun_config_origin(config, DUN_KEY_model_point));
    if (config->metric.start != DUN_METRIC_NONE)
        return dun_error(
            DUN_USAGE,
            "%s: metric.start = %s is fitted on training texts, which there are none of; none is "
            "possible",
            dun_config_origin(config, DUN_KEY_metric_start), dun_config_word(config, DUN_KEY_metric_start));
    if (dun_normalize_is_affine(config->model.normalize))
        return dun_error(
            DUN_USAGE,
            "%s: model.normalize = %s is fitted on training texts, which there are none of; none or "
            "unit is possible",
            dun_config_origin(config, DUN_KEY_model_normalize),
            dun_config_word(config, DUN_KEY_model_normalize));
    return DUN_OK;
}

static bool is_set(const dun_config *config, enum dun_config_id key) {
    return strcmp(dun_config_origin(config, key), "default") != 0;
}

/* As many tokens as were asked for, or as are usual and the model reads. */
static int settle_length(dun_config *config, const dun_model_file *model) {
    const uint32_t context = dun_model_file_spec(model)->context;
    char length[24];
    if (is_set(config, DUN_KEY_data_max_length) && config->data.max_length > context)
        return dun_error(DUN_USAGE, "%s: data.max_length = %lld; the model reads at most %u tokens",
                         dun_config_origin(config, DUN_KEY_data_max_length),
                         (long long)config->data.max_length, context);
    if (is_set(config, DUN_KEY_data_max_length))
        return DUN_OK;
    snprintf(length, sizeof length, "%u", context < USUAL_LENGTH ? context : USUAL_LENGTH);
    return dun_config_put(config, DUN_KEY_data_max_length, length, "texts alone");
}

int dun_embed_open(dun_embedder *e, dun_config *config, enum dun_pool pool, uint32_t pass_texts,
                   const dun_observer *observer) {
    int rc = DUN_OK;
    *e = (dun_embedder){0};
    TRY(check(config));
    TRY(dun_config_put(config, DUN_KEY_prompt_init, "random", "texts alone")); /* asks for no text */
    TRY(dun_session_open_bare(&e->session, config, pool == DUN_POOL_MEAN, observer));
    TRY(settle_length(config, e->session.model));
    e->session.pass_texts = pass_texts;
    TRY(dun_session_start_engine(&e->session, false));
    TRY(dun_vectors_create(&e->vectors, &e->session));
out:
    return rc;
}

void dun_embed_close(dun_embedder *e) {
    dun_vectors_free(&e->vectors);
    dun_session_close(&e->session);
}

uint32_t dun_embed_width(const dun_embedder *e) {
    return dun_session_point_width(&e->session);
}
