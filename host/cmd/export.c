/* dunlin export: a trained run in the formats of other programs. */
#include "run/export.h"

#include "base/err.h"
#include "base/place.h"
#include "cmd/cmd.h"
#include "cmd/shell/common.h"

#include <string.h>

static int run(const dun_args *args) {
    int rc = DUN_OK;
    dun_overrides overrides = {0};
    dun_experiment experiment = {0};
    const char *format, *path;
    TRY(dun_args_require(&format, args, "format"));
    TRY(dun_args_require(&path, args, "out"));
    const bool is_npz = strcmp(format, "npz") == 0;
    TRY(is_npz ? dun_place_for_file(path) : dun_export_look(path));
    TRY(dun_overrides_read(&overrides, args));
    TRY(dun_experiment_open(&experiment, dun_args_operand(args, 0), &overrides, NULL));
    TRY(dun_experiment_require_run(&experiment, dun_args_operand(args, 0), "export"));
    TRY(is_npz ? dun_export_npz(path, &experiment.session, &experiment.saved)
               : dun_export_peft(path, &experiment.session, &experiment.saved));
out:
    dun_experiment_close(&experiment);
    dun_overrides_free(&overrides);
    return rc;
}

static const dun_option options[] = {
    {.name = "format", .argument = "peft|npz", .one_of = true, .help = "What to write."},
    {.name = "out",
     .letter = 'o',
     .argument = "PATH",
     .help = "The folder (peft), new or empty, or the file (npz)."},
    {.name = "set",
     .argument = "SECTION.KEY=VALUE",
     .repeatable = true,
     .help = "Sets a key of the config; the rest of the word is the value."},
    {0},
};

const dun_command dun_command_export = {
    .name = "export",
    .summary = "Write a run's prompt and centroids for PEFT or NumPy.",
    .usage = "RUN --format peft|npz --out PATH",
    .help =
        "peft: a folder with adapter_config.json and adapter_model.safetensors, which PEFT loads, and with "
        "dunlin.json and dunlin.safetensors, which say where the prompt stands and hold the centroids. "
        "PEFT puts every prompt before the text; most of dunlin's stand after it, so its own generation "
        "with the adapter is not what was trained. tools/load_export.py shows how to use one in "
        "Python.\n\n"
        "npz: `prompt_embeddings`, `centroids`, `classes`, `settings` for numpy.load. Several prompts "
        "(prompt.count) are a third dimension of the first, and each row of centroids has theirs side by "
        "side; PEFT's adapters have one prompt.",
    .options = options,
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
