/* dunlin points: the points of the validation texts, for other tools. */
#include "run/measure.h"

#include "base/err.h"
#include "base/place.h"
#include "cmd/cmd.h"
#include "cmd/shell/common.h"

static int run(const dun_args *args) {
    int rc = DUN_OK;
    dun_overrides overrides = {0};
    dun_experiment experiment = {0};
    dun_progress progress;
    const char *path;
    dun_observer observer = dun_progress_observer(&progress);
    TRY(dun_talk(&progress, args));
    TRY(dun_args_require(&path, args, "out"));
    TRY(dun_place_for_file(path));
    TRY(dun_overrides_read(&overrides, args));
    TRY(dun_experiment_open(&experiment, dun_args_operand(args, 0), &overrides, &observer));
    TRY(dun_experiment_points(&experiment, path));
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
     .help = "The file to write: NumPy's format if its name ends in .npz, else safetensors."},
    DUN_OVERRIDE_OPTIONS,
    DUN_TALK_OPTIONS,
    {0},
};

const dun_command dun_command_points = {
    .name = "points",
    .summary = "Write the points of the validation texts to a file.",
    .usage = "CONFIG|RUN --out FILE [--set SECTION.KEY=VALUE]... [--device SELECTOR]",
    .help = "The file holds `points` F32 (texts, width) and `labels` I64 (texts),\n"
            "in the order of the validation file: under the starting prompt of a config, or\n"
            "the trained prompt of a run.",
    .options = options,
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
