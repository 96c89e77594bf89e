/* Config keys against each other: a table of what never fits together. */
#include "config/config.h"

#include "base/err.h"
#include "config/config_value.h"

#include <string.h>

/* Values stand as config files write them, several separated by '|'. "*" is any value but "not set", a
 * leading '!' means any value but these. */
typedef struct {
    enum dun_config_id id;
    const char *values; /* when the key has one of these ... */
    enum dun_config_id needed_id;
    const char *needed; /* ... the other key needs one of these */
    bool of_model;      /* asked only when a model is named: without one (boids) there is no prompt */
    const char *reason;
} rule;

static const rule rules[] = {
    {DUN_KEY_centroid_update, "class-mean", DUN_KEY_centroid_train, "no", false,
     "calculated centroids are not trained"},
    {DUN_KEY_centroid_repulsion, "!0", DUN_KEY_centroid_update, "class-mean", false,
     "only calculated centroids use it"},
    {DUN_KEY_centroid_momentum, "!0", DUN_KEY_centroid_update, "class-mean", false,
     "only calculated centroids use it"},
    {DUN_KEY_centroid_every, "!1", DUN_KEY_centroid_update, "class-mean", false,
     "only calculated centroids use it"},
    {DUN_KEY_model_layer, "!last", DUN_KEY_model_point, "hidden", false,
     "logits are made from the last block's output alone"},
    {DUN_KEY_centroid_momentum, "!0", DUN_KEY_centroid_optimizer, "default|sgd", false,
     "Adam has beta1 instead"},
    {DUN_KEY_centroid_lethargy, "!0.9", DUN_KEY_centroid_update, "class-mean", false,
     "only calculated centroids use it"},
    {DUN_KEY_prompt_bottleneck, "!128", DUN_KEY_prompt_reparametrize, "yes", false,
     "only the reparametrisation has one"},
    {DUN_KEY_prompt_init, "text", DUN_KEY_prompt_text, "*", true, "the prompt starts as that text"},
    {DUN_KEY_prompt_init, "file", DUN_KEY_prompt_file, "*", true, "the prompt starts from that file"},
    {DUN_KEY_train_momentum, "!0", DUN_KEY_train_optimizer, "sgd", false, "Adam has beta1 instead"},
    {DUN_KEY_train_weight_decay, "!0", DUN_KEY_train_optimizer, "adamw|sgd", false,
     "Adam with decoupled decay is adamw"},
    {DUN_KEY_loss_margin, "!0", DUN_KEY_loss_kind, "cross-entropy", false, "only its softmax has a margin"},
    {DUN_KEY_device_cache_budget_mb, "!auto", DUN_KEY_device_cache_kv, "auto|f32|f16", false,
     "nothing is kept without the cache"},
};

static bool is_listed(const char *list, const char *value) {
    size_t length = strlen(value);
    for (const char *at = list;; at++) {
        size_t word = strcspn(at, "|");
        if (word == length && memcmp(at, value, length) == 0)
            return true;
        at += word;
        if (!*at)
            return false;
    }
}

static bool matches(const char *values, const char *value) {
    if (strcmp(values, "*") == 0)
        return value[0];
    return values[0] == '!' ? !is_listed(values + 1, value) : is_listed(values, value);
}

/* "section.key = value", with its place unless that opens the message. */
static int add_fact(dun_str *out, const dun_config *config, enum dun_config_id id, bool with_origin) {
    int rc;
    const dun_config_key *key = &dun_config_key_table[id];
    dun_str value = {0};
    TRY(dun_config_get(&value, config, id));
    TRY(dun_str_addf(out, value.length ? "%s.%s = %s" : "%s.%s without a value%s", key->section, key->name,
                     value.bytes));
    if (with_origin)
        TRY(dun_str_addf(out, " (%s)", dun_config_origin(config, id)));
out:
    dun_str_free(&value);
    return rc;
}

/* A list of values as "a, b or c". */
static int add_list(dun_str *out, const char *values) {
    int rc;
    for (const char *at = values;; at++) {
        int word = (int)strcspn(at, "|");
        const char *before = at == values ? "" : at[word] ? ", " : " or ";
        TRY(word ? dun_str_addf(out, "%s%.*s", before, word, at) : dun_str_addf(out, "%snothing", before));
        at += word;
        if (!*at)
            break;
    }
out:
    return rc;
}

/* "section.key = a or b", "section.key" for any value. */
static int add_needed(dun_str *out, enum dun_config_id id, const char *values) {
    int rc;
    const dun_config_key *key = &dun_config_key_table[id];
    TRY(dun_str_addf(out, "%s.%s", key->section, key->name));
    if (strcmp(values, "*") != 0) {
        TRY(dun_str_addf(out, " = "));
        TRY(add_list(out, values));
    }
out:
    return rc;
}

/* The value of a key as text in a scratch text. */
static int value_of(const char **value, dun_str *scratch, const dun_config *config, enum dun_config_id id) {
    dun_str_clear(scratch);
    int rc = dun_config_get(scratch, config, id);
    *value = rc == DUN_OK ? scratch->bytes : NULL;
    return rc;
}

static int check_rule(const dun_config *config, const rule *row) {
    int rc = DUN_OK;
    dun_str scratch = {0}, fact = {0}, other = {0}, needed = {0};
    const char *value;
    if (row->of_model && !config->model.path[0])
        goto out;
    TRY(value_of(&value, &scratch, config, row->id));
    if (!matches(row->values, value))
        goto out;
    TRY(value_of(&value, &scratch, config, row->needed_id));
    if (matches(row->needed, value))
        goto out;
    /* The message opens with the place of a key that somebody set. */
    bool first_set = config->origins[row->id];
    const char *where = config->origins[first_set ? row->id : row->needed_id];
    if (!where)
        where = "config";
    TRY(add_fact(&fact, config, row->id, !first_set));
    TRY(add_fact(&other, config, row->needed_id, first_set));
    TRY(add_needed(&needed, row->needed_id, row->needed));
    TRY(dun_error(DUN_USAGE, "%s: %s does not go with %s; needed is %s: %s", where, fact.bytes, other.bytes,
                  needed.bytes, row->reason));
out:
    dun_str_free(&scratch);
    dun_str_free(&fact);
    dun_str_free(&other);
    dun_str_free(&needed);
    return rc;
}

int dun_config_check(const dun_config *config) {
    int rc = DUN_OK;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        TRY(check_rule(config, &rules[i]));
out:
    return rc;
}
