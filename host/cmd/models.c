/* dunlin models: the models on this computer, and whether dunlin can use them. */
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/table.h"
#include "cmd/cmd.h"
#include "cmd/out.h"
#include "io/model_file.h"
#include "nn/model.h"
#include "session/model_name.h"

#include <string.h>

/* What is known of one of them; `fault` says why it cannot be used. */
typedef struct {
    dun_model_facts facts;
    dun_spec spec;
    char *fault;
} model_state;

/* Keeps the message of a model that cannot be read, without its path, which is shown beside it. */
static int keep_fault(model_state *out, const dun_model_entry *entry, const char *message) {
    int rc = DUN_OK;
    const size_t length = strlen(entry->path);
    if (strncmp(message, entry->path, length) == 0 && strncmp(message + length, ": ", 2) == 0)
        message += length + 2;
    TRY_PTR(out->fault, dun_strdup(message));
    dun_error_clear();
out:
    return rc;
}

static int look_at(model_state *out, const dun_model_entry *entry) {
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

/* "135M" */
static int add_count(dun_table *table, uint64_t count) {
    const double millions = (double)count / 1e6;
    return count == 0        ? dun_table_add(table, "%s", "")
           : millions >= 950 ? dun_table_add(table, "%.1fB", millions / 1e3)
                             : dun_table_add(table, millions < 10 ? "%.1fM" : "%.0fM", millions);
}

static const char *const head[] = {"name", "architecture", "parameters", "format",
                                   "size", "context",      "training"};
static const char alignment[] = "llrlrrr";
enum { N_COLUMNS = sizeof head / sizeof *head };

static int add_row(dun_table *table, const dun_model_entry *entry, const model_state *state) {
    int rc;
    TRY(dun_table_add(table, "%s", entry->name));
    TRY(dun_table_add(table, "%s", state->facts.architecture));
    TRY(add_count(table, state->facts.parameters));
    TRY(dun_table_add(table, "%s", state->facts.format ? state->facts.format : ""));
    TRY(entry->bytes ? dun_table_add_bytes(table, entry->bytes) : dun_table_add(table, "%s", ""));
    if (state->fault) {
        TRY(dun_table_add(table, "%s", ""));
        TRY(dun_table_add(table, "%s", "no"));
        goto out;
    }
    TRY(dun_table_add(table, "%u", state->spec.context));
    TRY(dun_table_add_bytes(table, dun_model_bytes_to_train(&state->spec)));
out:
    return rc;
}

static int print_table(const dun_model_entries *entries, const model_state *states) {
    int rc = DUN_OK;
    dun_table table;
    dun_str text = {0};
    dun_table_init(&table, alignment);
    for (size_t i = 0; i < N_COLUMNS; i++)
        TRY(dun_table_add(&table, "%s", head[i]));
    for (size_t i = 0; i < entries->n; i++)
        TRY(add_row(&table, &entries->entries[i], &states[i]));
    TRY(dun_table_print(&text, &table));
    for (size_t i = 0, n = 0; i < entries->n; i++) {
        if (!states[i].fault)
            continue;
        TRY(dun_str_addf(&text, "%s%s: ", n++ ? "" : "\n", entries->entries[i].name));
        TRY(dun_str_add_field(&text, states[i].fault, strlen(states[i].fault)));
        TRY(dun_str_addf(&text, "\n"));
    }
    TRY(dun_str_addf(
        &text,
        "\ntraining: memory for the weights as f32, which device.weights = stored cuts down to the "
        "file's size;\ntexts come on top (docs/models.md). model.path and --model take a name, or a part "
        "that only one has.\n"));
    TRY(dun_out_text(&text));
out:
    dun_table_free(&table);
    dun_str_free(&text);
    return rc;
}

static int model_json(json_t *object, const dun_model_entry *entry, const model_state *state) {
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

static int print_json(const dun_model_entries *entries, const model_state *states) {
    int rc = DUN_OK;
    json_t *array = json_array();
    for (size_t i = 0; i < entries->n; i++) {
        json_t *object = json_object();
        TRY(dun_json_append(array, object));
        TRY(model_json(object, &entries->entries[i], &states[i]));
    }
    TRY(dun_out_json(array));
out:
    json_decref(array);
    return rc;
}

static int run(const dun_args *args) {
    int rc;
    dun_model_entries entries = {0};
    model_state *states = NULL;
    TRY(dun_model_names_list(&entries));
    TRY_NEW(states, entries.n);
    for (size_t i = 0; i < entries.n; i++) {
        TRY(dun_out_wanted());
        TRY(look_at(&states[i], &entries.entries[i]));
    }
    if (!entries.n)
        dun_warn(
            "no models found: put GGUF files into models/, name their folders in DUNLIN_MODELS, or fetch one with "
            "tools/model");
    TRY(dun_args_has(args, "json") ? print_json(&entries, states) : print_table(&entries, states));
out:
    for (size_t i = 0; states && i < entries.n; i++)
        dun_free(states[i].fault);
    dun_free(states);
    dun_model_entries_free(&entries);
    return rc;
}

static const dun_option options[] = {
    {.name = "json", .help = "Print one JSON array of objects instead of a table."},
    {0},
};

const dun_command dun_command_models = {
    .name = "models",
    .summary = "List the models on this computer, and whether dunlin can use them.",
    .usage = "[--json]",
    .help =
        "Looks into models/ (here, of the user, of the program), the folders of DUNLIN_MODELS, the Hugging Face "
        "cache, and the models of Ollama and LM Studio. model.path and --model take the names: "
        "ollama:gemma3:270m, hf:org/name, or a part of a name that only one model has.",
    .options = options,
    .run = run,
};
