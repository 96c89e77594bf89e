/* Many runs in one process. */
#include "run/group.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/mem.h"
#include "config/paths.h"
#include "run/folder.h"
#include "session/model_name.h"

#include <ctype.h>
#include <math.h>
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
    g->table.several_seeds = order->n_seeds > 1;
    TRY(make_rows(g));
out:
    return rc;
}

/* The folder for all, where one is wanted. */
static int make_folder(dun_group *g) {
    int rc = DUN_OK;
    const dun_group_order *order = g->order;
    dun_str name = {0};
    bool grid = order->sweep.n_axes > 0 || order->n_seeds > 1;
    if (!grid && (g->table.n_rows == 1 || !order->out))
        goto out;
    if (order->out) {
        TRY_PTR(g->folder, dun_strdup(order->out));
        TRY(dun_folder_claim(&g->claim, g->folder));
    } else {
        TRY(dun_str_addf(&name, "%s-sweep", order->n_paths == 1 ? g->names[0] : "all"));
        TRY(dun_folder_claim_name(&g->claim, &g->folder, name.bytes));
    }
out:
    dun_str_free(&name);
    return rc;
}

static const char *wanted_folder(const dun_group *g, size_t index) {
    return g->order->out ? g->order->out : g->configs[index].output.dir;
}

/* Where each run has a folder of its own: the last of them, too, can be had before the first one runs. */
static int look_at_folders(const dun_group *g) {
    int rc = DUN_OK;
    for (size_t i = 0; !g->folder && i < g->table.n_rows; i++) {
        const char *folder = wanted_folder(g, i);
        TRY(dun_folder_look(folder));
        for (size_t j = 0; *folder && j < i; j++)
            if (strcmp(folder, wanted_folder(g, j)) == 0)
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

/* "config lr=1e-2 seed=3", what tells a row from the others. */
static int add_label(dun_str *out, const dun_group *g, const dun_sweep_row *row) {
    int rc = DUN_OK;
    const char *before = "";
    if (g->table.several_configs) {
        TRY(dun_str_addf(out, "%s", row->config));
        before = " ";
    }
    for (size_t i = 0; i < g->order->sweep.n_axes; i++, before = " ")
        TRY(dun_str_addf(out, "%s%s=%s", before, dun_config_key_table[g->order->sweep.axes[i].id].name,
                         dun_sweep_value(&g->order->sweep, i, row->point)));
    if (g->table.several_seeds)
        TRY(dun_str_addf(out, "%sseed=%lld", before, (long long)row->seed));
out:
    return rc;
}

/* The folder of a row's run: the config's own, or FOLDER/003-lr=1e-2-seed=1. */
static int run_folder(dun_str *out, const dun_group *g, size_t index) {
    int rc = DUN_OK;
    enum { LONGEST = 100 };
    if (!g->folder)
        return dun_str_addf(out, "%s", wanted_folder(g, index));
    TRY(dun_str_addf(out, "%s/%03zu-", g->folder, index + 1));
    size_t begin = out->length;
    TRY(add_label(out, g, &g->table.rows[index]));
    for (size_t at = begin; at < out->length; at++)
        if (!isalnum((unsigned char)out->bytes[at]) && !strchr("=.+_", out->bytes[at]))
            out->bytes[at] = '-';
    if (out->length - begin > LONGEST) {
        out->length = begin + LONGEST;
        out->bytes[out->length] = '\0';
    }
out:
    return rc;
}

static int run_row(dun_group *g, size_t index) {
    int rc = DUN_OK;
    dun_sweep_row *row = &g->table.rows[index];
    dun_run_outcome outcome = {0};
    dun_str folder = {0};
    TRY(run_folder(&folder, g, index));
    const dun_run_order order = {.session = &g->session,
                                 .config = &g->configs[index],
                                 .name = row->config,
                                 .folder = folder.bytes ? folder.bytes : "",
                                 .observer = g->order->observer,
                                 .hooks = g->order->hooks};
    rc = dun_run_carry_out(&outcome, &order);
    row->run = outcome.path;
    outcome.path = NULL;
    g->began |= outcome.began || rc == DUN_INTERRUPTED;
    if (outcome.finished)
        dun_sweep_row_take(row, &outcome.result);
    row->steps = outcome.result.steps;
    if (rc < 0 && rc != DUN_INTERRUPTED && outcome.began)
        row->status = rc == DUN_FAILED && row->steps > 0 && !isfinite(outcome.result.last_loss)
                          ? DUN_ROW_DIVERGED
                          : DUN_ROW_FAILED;
out:
    dun_run_outcome_free(&outcome);
    dun_str_free(&folder);
    return rc;
}

static int write_file(const dun_group *g, const char *name, const dun_str *text) {
    int rc = DUN_OK;
    char *path = NULL;
    TRY_PTR(path, dun_run_dir_file(g->folder, name));
    TRY(dun_file_write(path, text->bytes, text->length));
out:
    dun_free(path);
    return rc;
}

/* The table so far, so that a killed sweep leaves what it had. */
static int write_table(const dun_group *g) {
    int rc = DUN_OK;
    dun_str text = {0};
    json_t *object = NULL;
    if (!g->folder)
        goto out;
    TRY(dun_sweep_table_csv(&text, &g->table));
    TRY(write_file(g, "sweep.csv", &text));
    dun_str_clear(&text);
    TRY(dun_sweep_table_json(&object, &g->table));
    TRY(dun_json_dump(&text, object));
    TRY(dun_str_add(&text, "\n", 1));
    TRY(write_file(g, "sweep.json", &text));
out:
    dun_str_free(&text);
    json_decref(object);
    return rc;
}

/* Notes how a run of several ended, and says it. Negative: nothing more can be done. */
static int note_end(dun_group *g, size_t index, int status) {
    int rc = DUN_OK;
    dun_sweep_row *row = &g->table.rows[index];
    if (status >= 0) {
        if (isnan(row->accuracy))
            dun_observe_say(g->order->observer, "result    not measured; last loss %.4g", row->last_loss);
        else
            dun_observe_say(g->order->observer, "result    accuracy %.4f, class means without training %.4f",
                            row->accuracy, row->baseline);
        return DUN_OK;
    }
    TRY_PTR(row->message, dun_strdup(dun_error_message()));
    dun_error_clear();
    if (status == DUN_INTERRUPTED)
        row->status = DUN_ROW_INTERRUPTED;
    else if (row->status != DUN_ROW_DIVERGED)
        row->status = DUN_ROW_FAILED;
    if (row->status == DUN_ROW_FAILED) {
        if (g->status >= 0)
            g->status = status;
        dun_session_close(&g->session); /* whatever failed, the next run begins afresh */
    }
    dun_warn("%s", row->message);
out:
    return rc;
}

bool dun_group_is_single(const dun_group *g) {
    return g->table.n_rows == 1 && !g->folder;
}

int dun_group_run(dun_group *g) {
    int rc = DUN_OK;
    dun_str label = {0};
    if (dun_group_is_single(g))
        return run_row(g, 0);
    for (size_t i = 0; i < g->table.n_rows; i++) {
        double begun = dun_clock_seconds();
        dun_str_clear(&label);
        TRY(add_label(&label, g, &g->table.rows[i]));
        dun_observe_say(g->order->observer, "run       %zu/%zu %s", i + 1, g->table.n_rows,
                        label.length ? label.bytes : "");
        int status = run_row(g, i);
        if (g->table.rows[i].status != DUN_ROW_DONE)
            g->table.rows[i].seconds = dun_clock_seconds() - begun;
        TRY(note_end(g, i, status));
        TRY(write_table(g));
        if (dun_interrupted())
            break;
    }
out:
    dun_str_free(&label);
    return rc;
}

int dun_group_verdict(const dun_group *g) {
    size_t n[DUN_ROW_INTERRUPTED + 1] = {0}, total = g->table.n_rows;
    const char *message = "";
    if (dun_group_is_single(g))
        return DUN_OK;
    for (size_t i = total; i-- > 0;) {
        n[g->table.rows[i].status]++;
        if (g->table.rows[i].message)
            message = g->table.rows[i].message;
    }
    if (dun_interrupted())
        return dun_error(DUN_INTERRUPTED, "interrupted after %zu of %zu runs", n[DUN_ROW_DONE], total);
    if (n[DUN_ROW_FAILED])
        return dun_error((enum dun_status)g->status, "%zu of %zu runs failed; the first: %s",
                         n[DUN_ROW_FAILED], total, message);
    if (n[DUN_ROW_DONE] == 0)
        return dun_error(DUN_FAILED, "the loss of every run diverged; the first: %s", message);
    return DUN_OK;
}

void dun_group_close(dun_group *g) {
    static const char *const tables[] = {"sweep.csv", "sweep.json", NULL};
    size_t n_rows = g->table.n_rows;
    dun_session_close(&g->session);
    for (size_t i = 0; i < n_rows; i++)
        dun_config_free(&g->configs[i]);
    for (size_t i = 0; g->names && i < g->order->n_paths; i++)
        dun_free(g->names[i]);
    dun_sweep_table_free(&g->table);
    dun_free(g->configs);
    dun_free(g->names);
    if (g->began)
        dun_claim_give_back(g->claim);
    else
        dun_claim_withdraw(g->claim, tables);
    dun_free(g->folder);
    *g = (dun_group){0};
}
