/* What the options that several commands have say. */
#include "cmd/shell/common.h"

#include "base/err.h"
#include "base/mem.h"
#include "cmd/cmd.h"

#include <stdio.h>

int dun_overrides_read(dun_overrides *overrides, const dun_args *args) {
    *overrides = (dun_overrides){.device = dun_args_value(args, "device")};
    return dun_args_all(&overrides->sets, &overrides->n_sets, args, "set");
}

void dun_overrides_free(dun_overrides *overrides) {
    dun_free(overrides->sets);
    *overrides = (dun_overrides){0};
}

int dun_unsure_read(double *unsure, const dun_args *args) {
    *unsure = 0;
    return dun_args_number(unsure, args, "unsure", &(dun_number_range){.most = 1});
}

int dun_talk(dun_progress *progress, const dun_args *args) {
    const bool quiet = dun_args_has(args, "quiet");
    dun_progress_init(progress, stderr, quiet);
    progress->verbose = dun_args_has(args, "verbose");
    if (quiet && progress->verbose)
        return dun_error(DUN_USAGE, "%s: --quiet and --verbose exclude each other", args->command->name);
    return DUN_OK;
}
