/* dunlin points: the points of texts under a prompt, for other tools. */
#include "run/measure.h"

#include "base/err.h"
#include "base/place.h"
#include "cmd/cmd.h"
#include "cmd/rows.h"
#include "cmd/shell/common.h"

#include <string.h>

/* Those of the texts of a file, under the trained prompt. */
static int points_of_file(dun_experiment *experiment, const char *path, const dun_args *args) {
    int rc = DUN_OK;
    dun_asked *asked = NULL;
    dun_vectors vectors = {0};
    TRY(dun_experiment_require_run(experiment, dun_args_operand(args, 0), "points"));
    TRY(dun_rows_ask(&asked, dun_args_operand(args, 1), args, &experiment->config));
    TRY(dun_session_start_engine(&experiment->session, false));
    TRY(dun_vectors_create(&vectors, &experiment->session));
    TRY(dun_rows_write(path, &vectors, asked));
out:
    dun_vectors_free(&vectors);
    dun_asked_close(asked);
    return rc;
}

static int run(const dun_args *args) {
    int rc = DUN_OK;
    dun_overrides overrides = {0};
    dun_experiment experiment = {0};
    dun_progress progress;
    const char *path;
    const bool own = args->n_operands == 1;
    dun_observer observer = dun_progress_observer(&progress);
    TRY(dun_talk(&progress, args));
    TRY(dun_args_require(&path, args, "out"));
    if (own && (dun_args_has(args, "text") || dun_args_has(args, "input")))
        TRY(dun_error(DUN_USAGE,
                      "points: --text and --input are for the texts of a FILE, which is not given"));
    if (strcmp(path, "-") != 0)
        TRY(dun_place_for_file(path));
    else if (own)
        TRY(dun_error(DUN_USAGE, "points: --out - is for the texts of a FILE, which is not given"));
    TRY(dun_overrides_read(&overrides, args));
    TRY(dun_experiment_open(&experiment, dun_args_operand(args, 0), &overrides, &observer));
    TRY(own ? dun_experiment_points(&experiment, path) : points_of_file(&experiment, path, args));
out:
    dun_progress_close(&progress);
    dun_experiment_close(&experiment);
    dun_overrides_free(&overrides);
    return rc;
}

static const dun_option options[] = {
    {.name = "out",
     .letter = 'o',
     .argument = "FILE",
     .help =
         "The file to write: NumPy's formats if its name ends in .npz or .npy (points alone), else "
         "safetensors; of the texts of a FILE .npy unless the name ends in .npz or .safetensors, and - is "
         "standard output."},
    DUN_ROWS_OPTIONS,
    DUN_OVERRIDE_OPTIONS,
    DUN_TALK_OPTIONS,
    {0},
};

const dun_command dun_command_points = {
    .name = "points",
    .summary = "Write the points of texts to a file.",
    .usage = "CONFIG|RUN [FILE|-] --out FILE [--input lines|tsv|jsonl] [--text COLUMN] "
             "[--set SECTION.KEY=VALUE]... [--device SELECTOR]",
    .help =
        "Without a FILE the points of the validation texts: `points` F32 (texts, width) and `labels` I64 "
        "(texts), in the order of the validation file, under the starting prompt of a config, or the trained "
        "prompt of a run.\n\n"
        "With one, under the trained prompt of a run, one row for each text of it, read as `dunlin classify` "
        "reads them: features for any other program.",
    .options = options,
    .min_operands = 1,
    .max_operands = 2,
    .ranked = true,
    .run = run,
};
