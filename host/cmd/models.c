/* dunlin models: the models on this computer, and whether dunlin can use them. */
#include "base/err.h"
#include "base/json.h"
#include "base/table.h"
#include "cmd/cmd.h"
#include "cmd/out.h"
#include "nn/model.h"
#include "session/model_list.h"

#include <string.h>

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

static int add_row(dun_table *table, const dun_model_entry *entry, const dun_model_state *state) {
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

static int print_table(const dun_model_entries *entries, const dun_model_state *states) {
    int rc = DUN_OK;
    dun_table table;
    dun_str text = {0};
    dun_table_init(&table, alignment);
    TRY(dun_table_add_all(&table, head, N_COLUMNS));
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

static int print_json(const dun_model_list *list) {
    int rc = DUN_OK;
    json_t *array = json_array();
    TRY(dun_model_list_json(array, list));
    TRY(dun_out_json(array));
out:
    json_decref(array);
    return rc;
}

static int run(const dun_args *args) {
    int rc;
    dun_model_list list = {0};
    TRY(dun_model_list_make(&list, dun_out_wanted));
    TRY(dun_args_has(args, "json") ? print_json(&list) : print_table(&list.entries, list.states));
out:
    dun_model_list_free(&list);
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
