/* Configs, rows, names and the folder of a group of runs, before the first one. */
#include "run/group_parts.h"

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/place.h"
#include "config/paths.h"
#include "run/folder.h"
#include "run/sweep_plan.h"
#include "session/model_name.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* The config of one row: file, environment and flags, then the sweep's combination, then the seed. */
static int make_config(dun_group *g, size_t index, const char *path, size_t point, uint32_t seed) {
    int rc = DUN_OK;
    dun_config *config = &g->configs[index];
    char number[24];
    TRY(dun_config_init(config));
    TRY(dun_experiment_read_config(config, path, g->order->overrides));
    TRY(dun_sweep_apply(config, &g->order->sweep, point));
    if (g->order->n_seeds > 1) {
        snprintf(number, sizeof number, "%lld", (long long)config->experiment.seed + seed);
        TRY(dun_config_put(config, DUN_KEY_experiment_seed, number, "--seeds"));
    }
    TRY(dun_paths_resolve(config));
    TRY(dun_config_check(config));
    TRY(dun_model_name_settle(config));
out:
    return rc;
}

static int make_rows(dun_group *g) {
    int rc = DUN_OK;
    const dun_group_order *order = g->order;
    size_t n_points = dun_sweep_points(&order->sweep), i = 0;
    for (size_t p = 0; p < order->n_paths; p++) {
        if (dun_run_dir_exists(order->paths[p]))
            TRY(dun_error(DUN_USAGE,
                          "%s: is a run directory; `dunlin train` takes config files, or --resume %s",
                          order->paths[p], order->paths[p]));
        for (size_t point = 0; point < n_points; point++)
            for (uint32_t seed = 0; seed < order->n_seeds; seed++, i++) {
                TRY(make_config(g, i, order->paths[p], point, seed));
                if (!g->names[p])
                    TRY_PTR(g->names[p], dun_experiment_name(&g->configs[i], order->paths[p]));
                dun_sweep_row *row = &g->table.rows[i];
                row->setting = p * n_points + point;
                row->config = g->names[p];
                row->point = point;
                row->seed = g->configs[i].experiment.seed;
                TRY(dun_sweep_config_hash(&row->config_hash, &g->configs[i]));
            }
    }
out:
    return rc;
}

static int prepare(dun_group *g) {
    int rc = DUN_OK;
    const dun_group_order *order = g->order;
    for (size_t i = 0; i < order->sweep.n_axes && order->n_seeds > 1; i++)
        if (order->sweep.axes[i].id == DUN_KEY_experiment_seed)
            TRY(dun_error(DUN_USAGE,
                          "--seeds does not go with --sweep experiment.seed; one of the two is needed"));
    uint64_t n = (uint64_t)dun_sweep_points(&order->sweep) * order->n_seeds * order->n_paths;
    if (n > DUN_SWEEP_POINTS)
        TRY(dun_error(DUN_USAGE, "%llu runs are more than %d; take fewer values, seeds or configs",
                      (unsigned long long)n, DUN_SWEEP_POINTS));
    TRY_NEW(g->configs, n);
    TRY_NEW(g->names, order->n_paths);
    TRY(dun_sweep_table_create(&g->table, &order->sweep, n));
    g->table.several_configs = order->n_paths > 1;
    g->table.n_seeds = order->n_seeds;
    TRY(make_rows(g));
out:
    return rc;
}

int dun_group_add_label(dun_str *out, const dun_group *g, const dun_sweep_row *row) {
    int rc = DUN_OK;
    const char *before = "";
    if (g->table.several_configs) {
        TRY(dun_str_addf(out, "%s", row->config));
        before = " ";
    }
    for (size_t i = 0; i < g->order->sweep.n_axes; i++, before = " ")
        TRY(dun_str_addf(out, "%s%s=%s", before, dun_config_key_table[g->order->sweep.axes[i].id].name,
                         dun_sweep_value(&g->order->sweep, i, row->point)));
    if (g->table.n_seeds > 1)
        TRY(dun_str_addf(out, "%sseed=%lld", before, (long long)row->seed));
out:
    return rc;
}

/* The name of each run's folder in the folder of all: 003-lr=1e-2-seed=1. */
static int name_rows(dun_group *g) {
    int rc = DUN_OK;
    enum { LONGEST = 100 };
    dun_str name = {0};
    for (size_t i = 0; i < g->table.n_rows; i++) {
        dun_str_clear(&name);
        TRY(dun_str_addf(&name, "%03zu-", i + 1));
        const size_t begin = name.length;
        TRY(dun_group_add_label(&name, g, &g->table.rows[i]));
        for (size_t at = begin; at < name.length; at++)
            if (!isalnum((unsigned char)name.bytes[at]) && !strchr("=.+_", name.bytes[at]))
                name.bytes[at] = '-';
        const size_t length = name.length < begin + LONGEST ? name.length : begin + LONGEST;
        TRY_PTR(g->table.rows[i].name, dun_strndup(name.bytes, length));
    }
out:
    dun_str_free(&name);
    return rc;
}

/* The folder that several processes share: it is new, or holds the plan of the same runs. Who claimed it has
 * it for itself, and is no such process. */
static int share_folder(dun_group *g) {
    int rc = DUN_OK;
    const char *out = g->order->out;
    if (!out)
        TRY(dun_error(DUN_USAGE, "runs that several processes share need --out DIR, the folder of them all"));
    TRY_PTR(g->folder, dun_strdup(out));
    TRY(name_rows(g));
    if (!dun_sweep_plan_exists(out) && dun_folder_look(out) < 0 && !dun_sweep_plan_exists(out))
        TRY(DUN_FAILED);
    dun_error_clear();
    TRY(dun_place_for_folder(out));
    TRY(dun_dir_make(out));
    TRY(dun_sweep_plan_agree(&g->table, out));
    TRY(dun_claim_refuse_held(out));
out:
    return rc;
}

/* The folder for all, where one is wanted. */
static int make_folder(dun_group *g) {
    int rc = DUN_OK;
    const dun_group_order *order = g->order;
    dun_str name = {0};
    bool grid = order->sweep.n_axes > 0 || order->n_seeds > 1;
    if (order->shared && !grid && g->table.n_rows == 1)
        TRY(dun_error(DUN_USAGE,
                      "a single run is not to be shared: --part and --claim go with --sweep, --seeds "
                      "or several configs"));
    if (order->shared) {
        TRY(share_folder(g));
        goto out;
    }
    if (!grid && (g->table.n_rows == 1 || !order->out))
        goto out;
    if (order->out) {
        TRY_PTR(g->folder, dun_strdup(order->out));
        TRY(dun_folder_claim(&g->claim, g->folder));
    } else {
        TRY(dun_str_addf(&name, "%s-sweep", order->n_paths == 1 ? g->names[0] : "all"));
        TRY(dun_folder_claim_name(&g->claim, &g->folder, name.bytes));
    }
    TRY(name_rows(g));
    TRY(dun_sweep_plan_agree(&g->table, g->folder));
out:
    dun_str_free(&name);
    return rc;
}

const char *dun_group_wanted_folder(const dun_group *g, size_t index) {
    return g->order->out ? g->order->out : g->configs[index].output.dir;
}

/* Where each run has a folder of its own: the last of them, too, can be had before the first one runs. */
static int look_at_folders(const dun_group *g) {
    int rc = DUN_OK;
    for (size_t i = 0; !g->folder && i < g->table.n_rows; i++) {
        const char *folder = dun_group_wanted_folder(g, i);
        TRY(dun_folder_look(folder));
        for (size_t j = 0; *folder && j < i; j++)
            if (strcmp(folder, dun_group_wanted_folder(g, j)) == 0)
                TRY(dun_error(DUN_USAGE,
                              "%s: two of the runs have output.dir = %s; each needs its own, or --out",
                              dun_config_origin(&g->configs[i], DUN_KEY_output_dir), folder));
    }
out:
    return rc;
}

int dun_group_open(dun_group *g, const dun_group_order *order) {
    int rc = DUN_OK;
    *g = (dun_group){.order = order};
    TRY(prepare(g));
    TRY(make_folder(g));
    TRY(look_at_folders(g));
out:
    return rc;
}
