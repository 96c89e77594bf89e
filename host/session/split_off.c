/* Splits validation texts off, records which, and goes by a record. */
#include "session/split_off.h"

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "io/data/split.h"
#include "session/session.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

enum { MOST_CLASSES_SAID = 12 };

void dun_split_off_free(dun_split_off *split) {
    dun_free(split->rows);
    *split = (dun_split_off){0};
}

/* By the seed. */
static int choose_rows(dun_session *session, const char *name) {
    int rc = DUN_OK;
    dun_split chosen = {0};
    dun_split_off *split = &session->split;
    const dun_config *config = session->config;
    TRY(dun_split_make_whole(&chosen, session->train, &session->labels, config->data.valid_share,
                             (uint64_t)config->experiment.seed, name));
    TRY_NEW(split->rows, chosen.n_valid);
    for (uint32_t i = 0; i < split->n_all; i++)
        if (chosen.to_valid[i])
            split->rows[split->n++] = i;
out:
    dun_split_free(&chosen);
    return rc;
}

/* Rising rows, some but not all. */
static int take_rows(dun_split_off *split, const json_t *rows, const char *path) {
    int rc = DUN_OK;
    const size_t n = json_array_size(rows);
    if (n == 0 || n >= split->n_all)
        TRY(dun_error(DUN_BAD_INPUT, "%s: has %zu rows of %u texts; the file is damaged", path, n,
                      split->n_all));
    TRY_NEW(split->rows, n);
    for (; split->n < n; split->n++) {
        const json_t *row = json_array_get(rows, split->n);
        const json_int_t at = json_is_integer(row) ? json_integer_value(row) : -1;
        if (at < 0 || at >= split->n_all || (split->n && at <= split->rows[split->n - 1]))
            TRY(dun_error(DUN_BAD_INPUT, "%s: row %u is none of %u texts in their order; the file is damaged",
                          path, split->n, split->n_all));
        split->rows[split->n] = (uint32_t)at;
    }
out:
    return rc;
}

static int take_record(dun_session *session, const char *path, const char *name) {
    int rc = DUN_OK;
    json_t *record = NULL;
    dun_split_off *split = &session->split;
    TRY(dun_json_read(&record, path));
    const char *word = json_string_value(json_object_get(record, "hash"));
    const uint64_t hash = word ? strtoull(word, NULL, 16) : 0;
    const json_int_t n = json_integer_value(json_object_get(record, "texts"));
    if (hash != split->hash || n != split->n_all)
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: the run's validation texts were split off %lld texts (hash %016" PRIx64
                      "), %s now has %u "
                      "(%016" PRIx64
                      "); the texts it was begun with are needed, or data.valid and data.valid_share = 0",
                      path, (long long)n, hash, name, split->n_all, split->hash));
    TRY(take_rows(split, json_object_get(record, "rows"), path));
out:
    json_decref(record);
    return rc;
}

/* Both data sets in the order of the file. Validation texts weigh alike. */
static int part(dun_session *session) {
    int rc = DUN_OK;
    dun_dataset *train = session->train, *valid;
    const dun_split_off *split = &session->split;
    TRY_NEW(session->valid, 1);
    valid = session->valid;
    TRY_NEW(valid->examples, split->n);
    const size_t n = train->n;
    train->n = 0;
    train->weighted = false;
    for (size_t i = 0; i < n; i++) {
        const dun_example example = train->examples[i];
        if (valid->n < split->n && split->rows[valid->n] == i) {
            valid->examples[valid->n] = example;
            valid->examples[valid->n++].weight = 1;
        } else {
            train->weighted |= example.weight < 1 || example.weight > 1;
            train->examples[train->n++] = example;
        }
    }
out:
    return rc;
}

static int tell(const dun_session *session, bool recorded) {
    int rc = DUN_OK;
    dun_str text = {0};
    uint32_t *of_class = NULL;
    const uint32_t K = session->labels.n_classes;
    const dun_dataset *valid = session->valid;
    const dun_config *config = session->config;
    TRY_NEW(of_class, K);
    for (size_t i = 0; i < valid->n; i++)
        of_class[valid->examples[i].label]++;
    for (uint32_t k = 0; k < K && K <= MOST_CLASSES_SAID; k++)
        TRY(dun_str_addf(&text, "%s%s %u", k ? ", " : ": ", session->labels.names[k], of_class[k]));
    if (recorded)
        TRY(dun_str_addf(&text, "; the same as when the run was begun"));
    else
        TRY(dun_str_addf(&text, " (data.valid_share = %g, seed %lld)", config->data.valid_share,
                         (long long)config->experiment.seed));
    dun_observe_say(session->observer, "data      %zu of %u training texts are split off to validate with%s",
                    valid->n, session->split.n_all, text.bytes);
out:
    dun_free(of_class);
    dun_str_free(&text);
    return rc;
}

int dun_session_split_off(dun_session *session, const char *name) {
    int rc = DUN_OK;
    dun_str path = {0};
    const char *run = session->config->run;
    dun_split_off_free(&session->split);
    session->split.n_all = (uint32_t)session->train->n;
    session->split.hash = dun_dataset_hash(session->train, &session->labels);
    if (run)
        TRY(dun_str_addf(&path, "%s/" DUN_SPLIT_FILE, run));
    const bool recorded = run && access(path.bytes, F_OK) == 0;
    TRY(recorded ? take_record(session, path.bytes, name) : choose_rows(session, name));
    TRY(part(session));
    TRY(tell(session, recorded));
out:
    dun_str_free(&path);
    return rc;
}

int dun_split_off_json(json_t **out, const dun_session *session) {
    int rc = DUN_OK;
    char hash[24];
    const dun_split_off *split = &session->split;
    const dun_config *config = session->config;
    json_t *root = json_object(), *rows = json_array(), *lines = json_array();
    *out = NULL;
    snprintf(hash, sizeof hash, "%016" PRIx64, split->hash);
    for (uint32_t i = 0; i < split->n; i++) {
        TRY(dun_json_append(rows, json_integer(split->rows[i])));
        TRY(dun_json_append(lines, json_integer(session->valid->examples[i].line)));
    }
    TRY(dun_json_set(root, "share", dun_json_real(config->data.valid_share)));
    TRY(dun_json_set(root, "seed", json_integer((json_int_t)config->experiment.seed)));
    TRY(dun_json_set(root, "texts", json_integer(split->n_all)));
    TRY(dun_json_set(root, "hash", json_string(hash)));
    TRY(dun_json_set(root, "rows", json_incref(rows)));
    TRY(dun_json_set(root, "lines", json_incref(lines)));
    *out = root;
    root = NULL;
out:
    json_decref(root);
    json_decref(rows);
    json_decref(lines);
    return rc;
}
