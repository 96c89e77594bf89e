/* Takes, of runs that several processes share, those that nobody has, until there are none. */
#include "base/err.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "run/group_parts.h"
#include "run/sweep_state.h"

/* A run that is claimed: still to be done? Others may have ended it before. */
static int run_taken(dun_group *g, size_t index, dun_run_dir *run, bool begun) {
    int rc = DUN_OK;
    dun_sweep_row *row = &g->table.rows[index];
    TRY(dun_sweep_row_look(row, g->folder));
    if (dun_sweep_row_is_over(row))
        goto out;
    TRY(dun_sweep_row_forget(row, g->folder));
    row->looked = false;
    TRY(dun_group_run_one(g, index, run, begun));
out:
    dun_run_dir_close(run);
    return rc;
}

/* *tried: it was ours to run, once. */
static int try_row(bool *tried, dun_group *g, size_t index) {
    int rc = DUN_OK;
    bool ours = false, begun = false;
    dun_run_dir run = {0};
    char *path = NULL;
    dun_sweep_row *row = &g->table.rows[index];
    if (!dun_sweep_row_is_over(row))
        TRY(dun_sweep_row_look(row, g->folder));
    if (dun_sweep_row_is_over(row) || row->status == DUN_ROW_RUNNING)
        goto out;
    TRY_PTR(path, dun_sweep_row_path(row, g->folder));
    TRY(dun_run_dir_take(&run, &ours, &begun, path));
    if (ours)
        TRY(run_taken(g, index, &run, begun));
    *tried = ours;
out:
    dun_free(path);
    return rc;
}

/* The table as all processes together have it. Who ends a run writes it; what ended while it was written is
 * written too, so that the last one to write has seen all. */
static int write_table(dun_group *g) {
    int rc = DUN_OK;
    bool changed;
    TRY(dun_sweep_look(&changed, &g->table, g->folder));
    do {
        TRY(dun_sweep_table_write(&g->table, g->folder));
        TRY(dun_sweep_look(&changed, &g->table, g->folder));
    } while (changed);
out:
    return rc;
}

static bool is_ours(const dun_group_order *order, size_t index) {
    return order->n_parts == 0 || index % order->n_parts == order->part;
}

/* All rows once; *any: there was one to take. */
static int pass(bool *any, dun_group *g, bool *tried) {
    int rc = DUN_OK;
    *any = false;
    for (size_t i = 0; i < g->table.n_rows && !dun_interrupted(); i++) {
        if (tried[i] || !is_ours(g->order, i))
            continue;
        TRY(try_row(&tried[i], g, i));
        if (tried[i])
            TRY(write_table(g));
        *any |= tried[i];
    }
out:
    return rc;
}

static void tell(const dun_group *g) {
    size_t n[DUN_N_ROW_STATUS] = {0};
    for (size_t i = 0; i < g->table.n_rows; i++)
        n[g->table.rows[i].status]++;
    dun_observe_say(g->order->observer, "runs      %zu of %zu done, %zu at work in other processes",
                    n[DUN_ROW_DONE], g->table.n_rows, n[DUN_ROW_RUNNING]);
}

int dun_group_run_shared(dun_group *g) {
    int rc = DUN_OK;
    bool *tried = NULL, any = true;
    TRY_NEW(tried, g->table.n_rows);
    while (any && !dun_interrupted()) /* what others left meanwhile is to be had in the next pass */
        TRY(pass(&any, g, tried));
    TRY(write_table(g));
    tell(g);
out:
    dun_free(tried);
    return rc;
}
