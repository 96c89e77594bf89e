/* Carries out many runs in one process, and says how they ended. */
#include "run/group.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "run/folder.h"
#include "run/group_parts.h"
#include "run/sweep_state.h"

#include <math.h>
#include <string.h>

static char *run_folder(const dun_group *g, size_t index) {
    return g->folder ? dun_sweep_row_path(&g->table.rows[index], g->folder)
                     : dun_strdup(dun_group_wanted_folder(g, index));
}

/* What was begun is gone on with by its own config alone, in which stands what was chosen for it. */
static int use_own_config(dun_group *g, size_t index, const char *path) {
    dun_config_free(&g->configs[index]);
    return dun_experiment_run_config(&g->configs[index], path, &(dun_overrides){.alone = true});
}

static int run_row(dun_group *g, size_t index, dun_run_dir *run, bool resume) {
    int rc = DUN_OK;
    dun_sweep_row *row = &g->table.rows[index];
    dun_run_outcome outcome = {0};
    char *folder = NULL;
    TRY_PTR(folder, run_folder(g, index));
    if (resume)
        TRY(use_own_config(g, index, folder));
    const dun_run_order order = {.session = &g->session,
                                 .config = &g->configs[index],
                                 .name = row->config,
                                 .folder = folder,
                                 .run = run,
                                 .resume = resume,
                                 .observer = g->order->observer,
                                 .hooks = g->order->hooks};
    rc = dun_run_carry_out(&outcome, &order);
    dun_free(row->run);
    row->run = outcome.path;
    outcome.path = NULL;
    g->began |= outcome.began || rc == DUN_INTERRUPTED;
    if (outcome.finished)
        dun_sweep_row_take(row, &outcome.result);
    row->steps = outcome.result.steps;
    if (rc < 0 && rc != DUN_INTERRUPTED && outcome.began) {
        row->last_loss = (double)outcome.result.last_loss;
        row->status = rc == DUN_FAILED && row->steps > 0 && !isfinite(outcome.result.last_loss)
                          ? DUN_ROW_DIVERGED
                          : DUN_ROW_FAILED;
    }
out:
    dun_run_outcome_free(&outcome);
    dun_free(folder);
    return rc;
}

/* One that ended well, or can be gone on with, is known by its own folder. */
static int note_failures(dun_group *g) {
    int rc = DUN_OK;
    for (size_t i = 0; i < g->table.n_rows; i++) {
        dun_sweep_row *row = &g->table.rows[i];
        if (row->looked || (row->status != DUN_ROW_FAILED && row->status != DUN_ROW_DIVERGED))
            continue;
        TRY(dun_sweep_row_note(row, g->folder));
        row->looked = true;
    }
out:
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
    dun_free(row->message);
    TRY_PTR(row->message, dun_strdup(dun_error_message()));
    dun_error_clear();
    if (status == DUN_INTERRUPTED)
        row->status = DUN_ROW_INTERRUPTED;
    else if (row->status != DUN_ROW_DIVERGED)
        row->status = DUN_ROW_FAILED;
    if (row->status == DUN_ROW_FAILED) {
        if (g->n_failed++ == 0) {
            g->status = status;
            TRY_PTR(g->failure, dun_strdup(row->message));
        }
        dun_session_close(&g->session); /* whatever failed, the next run begins afresh */
    }
    dun_warn("%s", row->message);
out:
    return rc;
}

bool dun_group_is_single(const dun_group *g) {
    return g->table.n_rows == 1 && !g->folder;
}

int dun_group_run_one(dun_group *g, size_t index, dun_run_dir *run, bool resume) {
    int rc = DUN_OK;
    const double begun = dun_clock_seconds();
    dun_sweep_row *row = &g->table.rows[index];
    dun_str label = {0};
    TRY(dun_group_add_label(&label, g, row));
    dun_observe_say(g->order->observer, "run       %zu/%zu %s", index + 1, g->table.n_rows,
                    label.length ? label.bytes : "");
    const int status = run_row(g, index, run, resume);
    if (row->status != DUN_ROW_DONE)
        row->seconds = dun_clock_seconds() - begun;
    TRY(note_end(g, index, status));
    /* Where nothing began yet all is taken away again, unless others share the folder. */
    if (g->folder && (g->began || g->order->shared))
        TRY(note_failures(g));
out:
    dun_str_free(&label);
    return rc;
}

int dun_group_run(dun_group *g) {
    int rc = DUN_OK;
    if (dun_group_is_single(g))
        return run_row(g, 0, NULL, false);
    if (g->order->shared)
        return dun_group_run_shared(g);
    for (size_t i = 0; i < g->table.n_rows && !dun_interrupted(); i++) {
        TRY(dun_group_run_one(g, i, NULL, false));
        /* The table so far, so that a killed sweep leaves what it had. */
        if (g->folder)
            TRY(dun_sweep_table_write(&g->table, g->folder));
    }
out:
    return rc;
}

int dun_group_verdict(const dun_group *g) {
    size_t n[DUN_N_ROW_STATUS] = {0}, total = g->table.n_rows;
    const char *diverged = "";
    if (dun_group_is_single(g))
        return DUN_OK;
    for (size_t i = total; i-- > 0;) {
        n[g->table.rows[i].status]++;
        if (g->table.rows[i].status == DUN_ROW_DIVERGED)
            diverged = g->table.rows[i].message;
    }
    if (dun_interrupted())
        return dun_error(DUN_INTERRUPTED, "interrupted after %zu of %zu runs", n[DUN_ROW_DONE], total);
    if (g->n_failed)
        return dun_error((enum dun_status)g->status, "%zu of %zu runs failed; the first: %s", g->n_failed,
                         total, g->failure);
    if (n[DUN_ROW_DIVERGED] == total)
        return dun_error(DUN_FAILED, "the loss of every run diverged; the first: %s", diverged);
    return DUN_OK;
}

void dun_group_close(dun_group *g) {
    static const char *const tables[] = {"sweep.csv", "sweep.json", DUN_PLAN_FILE, NULL};
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
    dun_free(g->failure);
    *g = (dun_group){0};
}
