/* The hashes and sizes by which a work is known. */
#include "run/work.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static json_t *hash_json(uint64_t hash) {
    char text[20];
    snprintf(text, sizeof text, "%016" PRIx64, hash);
    return json_string(text);
}

/* Sections that change nothing of what a training computes; names are for people, the seed stands alone. */
static bool is_part(const dun_config_key *key) {
    static const char *const others[] = {"device", "output", "compare", "boids", "experiment"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(key->section, others[i]) == 0)
            return false;
    return !(key->traits & (DUN_TRAIT_PATH | DUN_TRAIT_SOURCE | DUN_TRAIT_OUTPUT | DUN_TRAIT_DEVICES));
}

static int hash_config(uint64_t *out, const dun_session *session) {
    int rc = DUN_OK;
    dun_str text = {0};
    bool is_default;
    for (int id = 0; id < DUN_N_KEYS; id++) {
        const dun_config_key *key = &dun_config_key_table[id];
        if (!is_part(key))
            continue;
        TRY(dun_config_is(&is_default, session->config, (enum dun_config_id)id, key->initial));
        if (is_default)
            continue;
        TRY(dun_str_addf(&text, "%s.%s=", key->section, key->name));
        TRY(dun_config_get(&text, session->config, (enum dun_config_id)id));
        TRY(dun_str_addf(&text, "\n"));
    }
    *out = dun_hash(DUN_HASH_START, text.bytes ? text.bytes : "", text.length);
    if (*session->config->prompt.file)
        *out = dun_hash(*out, session->prompt.rows, sizeof(float) * dun_prompt_floats(&session->prompt));
out:
    dun_str_free(&text);
    return rc;
}

static int add_model(json_t *root, const dun_session *session) {
    int rc = DUN_OK;
    json_t *model = json_object();
    TRY(dun_json_set(root, "model", model));
    TRY(dun_json_set(model, "name", json_string(dun_model_file_spec(session->model)->name)));
    TRY(dun_json_set(model, "hash", hash_json(dun_model_file_fingerprint(session->model))));
out:
    return rc;
}

static int add_data(json_t *root, const dun_session *session) {
    int rc = DUN_OK;
    json_t *data = json_object();
    TRY(dun_json_set(root, "data", data));
    TRY(dun_json_set(data, "train", hash_json(dun_dataset_hash(session->train, &session->labels))));
    TRY(dun_json_set(data, "valid",
                     session->valid ? hash_json(dun_dataset_hash(session->valid, &session->labels))
                                    : json_null()));
out:
    return rc;
}

static int add_sizes(json_t *root, const dun_session *session) {
    int rc = DUN_OK;
    const dun_config *config = session->config;
    uint64_t tokens = 0;
    for (uint32_t i = 0; i < session->n_train; i++)
        tokens += dun_texts_length(&session->texts, i) + dun_texts_n_shared(&session->texts, i);
    TRY(dun_json_set(root, "seed", json_integer((json_int_t)config->experiment.seed)));
    TRY(dun_json_set(root, "texts", json_integer((json_int_t)session->n_train)));
    TRY(dun_json_set(root, "tokens", json_integer((json_int_t)tokens)));
    TRY(dun_json_set(root, "batch_size", json_integer((json_int_t)config->train.batch_size)));
    TRY(dun_json_set(root, "prompt_rows", json_integer((json_int_t)session->prompt.n_rows)));
out:
    return rc;
}

int dun_work_describe(json_t **out, const dun_session *session) {
    int rc = DUN_OK;
    uint64_t config;
    *out = json_object();
    TRY(hash_config(&config, session));
    TRY(dun_json_set(*out, "config", hash_json(config)));
    TRY(add_model(*out, session));
    TRY(add_data(*out, session));
    TRY(add_sizes(*out, session));
out:
    if (rc < 0) {
        json_decref(*out);
        *out = NULL;
    }
    return rc;
}
