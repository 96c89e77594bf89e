/* Looks at every model, and writes what it found as JSON. See model_list.h. */
#include "session/model_list.h"

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "nn/model.h"
#include "session/model_name.h"

#include <string.h>

/* Keeps the message of a model that cannot be read, without its path, which is shown beside it. */
static int keep_fault(dun_model_state *out, const dun_model_entry *entry, const char *message) {
    int rc = DUN_OK;
    const size_t length = strlen(entry->path);
    if (strncmp(message, entry->path, length) == 0 && strncmp(message + length, ": ", 2) == 0)
        message += length + 2;
    TRY_PTR(out->fault, dun_strdup(message));
    dun_error_clear();
out:
    return rc;
}

static int look_at(dun_model_state *out, const dun_model_entry *entry) {
    int rc;
    /* what nothing can be opened at is not looked at; of a folder with something else what there is to know
     */
    if (entry->fault && !dun_dir_exists(entry->path))
        return keep_fault(out, entry, entry->fault);
    rc = dun_model_file_look(&out->facts, &out->spec, entry->path);
    if (rc == DUN_BAD_INPUT)
        rc = keep_fault(out, entry, entry->fault ? entry->fault : dun_error_message());
    return rc;
}

int dun_model_list_make(dun_model_list *list, int (*wanted)(void)) {
    int rc;
    TRY(dun_model_names_list(&list->entries));
    TRY_NEW(list->states, list->entries.n);
    for (size_t i = 0; i < list->entries.n; i++) {
        if (wanted)
            TRY(wanted());
        TRY(look_at(&list->states[i], &list->entries.entries[i]));
    }
    if (!list->entries.n)
        dun_warn(
            "no models found: put GGUF files into models/, name their folders in DUNLIN_MODELS, or fetch one with "
            "tools/model");
out:
    return rc;
}

void dun_model_list_free(dun_model_list *list) {
    for (size_t i = 0; list->states && i < list->entries.n; i++)
        dun_free(list->states[i].fault);
    dun_free(list->states);
    dun_model_entries_free(&list->entries);
    list->states = NULL;
}

static int model_json(json_t *object, const dun_model_entry *entry, const dun_model_state *state) {
    int rc;
    const dun_model_facts *facts = &state->facts;
    TRY(dun_json_set(object, "name", json_string(entry->name)));
    TRY(dun_json_set(object, "path", json_string(entry->path)));
    TRY(dun_json_set(object, "bytes", json_integer((json_int_t)entry->bytes)));
    TRY(dun_json_set(object, "architecture",
                     *facts->architecture ? json_string(facts->architecture) : json_null()));
    TRY(dun_json_set(object, "parameters",
                     facts->parameters ? json_integer((json_int_t)facts->parameters) : json_null()));
    TRY(dun_json_set(object, "format", facts->format ? json_string(facts->format) : json_null()));
    TRY(dun_json_set(object, "usable", json_boolean(!state->fault)));
    if (state->fault) {
        TRY(dun_json_set(object, "reason", json_string(state->fault)));
        goto out;
    }
    TRY(dun_json_set(object, "context", json_integer(state->spec.context)));
    TRY(dun_json_set(object, "training_bytes",
                     json_integer((json_int_t)dun_model_bytes_to_train(&state->spec))));
out:
    return rc;
}

int dun_model_list_json(json_t *array, const dun_model_list *list) {
    int rc = DUN_OK;
    for (size_t i = 0; i < list->entries.n; i++) {
        json_t *object = json_object();
        TRY(dun_json_append(array, object));
        TRY(model_json(object, &list->entries.entries[i], &list->states[i]));
    }
out:
    return rc;
}
