/* Collects rows, sums them up by setting, sorts and prints them. */
#include "run/sweep_table.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void dun_sweep_row_clear_figures(dun_sweep_row *row) {
    row->accuracy = row->macro_f1 = row->baseline = row->majority = NAN;
    row->probe_before = row->probe_after = row->last_loss = row->seconds = NAN;
}

int dun_sweep_table_create(dun_sweep_table *table, const dun_sweep *sweep, size_t n_rows) {
    int rc = DUN_OK;
    *table = (dun_sweep_table){.sweep = sweep};
    TRY_NEW(table->rows, n_rows);
    table->n_rows = n_rows;
    for (size_t i = 0; i < n_rows; i++)
        dun_sweep_row_clear_figures(&table->rows[i]);
out:
    return rc;
}

void dun_sweep_table_free(dun_sweep_table *table) {
    for (size_t i = 0; i < table->n_rows; i++) {
        dun_free(table->rows[i].name);
        dun_free(table->rows[i].run);
        dun_free(table->rows[i].message);
    }
    dun_free(table->rows);
    *table = (dun_sweep_table){0};
}

void dun_sweep_row_take(dun_sweep_row *row, const dun_run_result *result) {
    row->status = DUN_ROW_DONE;
    row->accuracy = result->metrics.accuracy;
    row->macro_f1 = result->metrics.macro.f1;
    row->baseline = result->baseline.accuracy;
    row->majority = result->majority;
    row->probe_before = result->probe_before;
    row->probe_after = result->probe_after;
    row->last_loss = (double)result->last_loss;
    row->seconds = result->seconds;
    row->steps = result->steps;
}

const char *dun_row_status_name(enum dun_row_status status) {
    static const char *const names[] = {[DUN_ROW_PENDING] = "not run",         [DUN_ROW_DONE] = "done",
                                        [DUN_ROW_DIVERGED] = "diverged",       [DUN_ROW_FAILED] = "failed",
                                        [DUN_ROW_INTERRUPTED] = "interrupted", [DUN_ROW_RUNNING] = "running"};
    return names[status];
}

/* Mean of one figure over the finished rows. */
static double mean_of(const dun_sweep_row *rows, size_t n, size_t offset) {
    double sum = 0;
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        if (rows[i].status == DUN_ROW_DONE) {
            sum += *(const double *)((const char *)&rows[i] + offset);
            count++;
        }
    return count ? sum / (double)count : NAN;
}
#define MEAN(figure) mean_of(rows, n, offsetof(dun_sweep_row, figure))

static dun_sweep_summary summarize(const dun_sweep_table *table, size_t first, size_t n) {
    const dun_sweep_row *rows = table->rows + first;
    dun_sweep_summary s = {.first_row = first,
                           .n_rows = n,
                           .mean = MEAN(accuracy),
                           .deviation = NAN,
                           .macro_f1 = MEAN(macro_f1),
                           .baseline = MEAN(baseline),
                           .majority = MEAN(majority),
                           .probe_before = MEAN(probe_before),
                           .probe_after = MEAN(probe_after)};
    double squares = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isnan(rows[i].seconds))
            s.seconds += rows[i].seconds;
        if (rows[i].status != DUN_ROW_DONE)
            continue;
        squares += (rows[i].accuracy - s.mean) * (rows[i].accuracy - s.mean);
        s.n_done++;
    }
    if (s.n_done > 1)
        s.deviation = sqrt(squares / (double)(s.n_done - 1));
    return s;
}

static int compare(const void *a, const void *b) {
    const dun_sweep_summary *x = a, *y = b;
    if ((x->n_done > 0) != (y->n_done > 0))
        return x->n_done > 0 ? -1 : 1;
    if (x->mean > y->mean || x->mean < y->mean) /* NaN where nothing was done, or measured */
        return x->mean > y->mean ? -1 : 1;
    return x->first_row < y->first_row ? -1 : x->first_row > y->first_row;
}

int dun_sweep_summarize(dun_sweep_summary **out, size_t *n, const dun_sweep_table *table) {
    int rc = DUN_OK;
    *out = NULL;
    *n = 0;
    TRY_NEW(*out, table->n_rows);
    for (size_t first = 0, next; first < table->n_rows; first = next) {
        for (next = first + 1;
             next < table->n_rows && table->rows[next].setting == table->rows[first].setting; next++)
            ;
        (*out)[(*n)++] = summarize(table, first, next - first);
    }
    qsort(*out, *n, sizeof **out, compare);
out:
    return rc;
}

static int add_figure(dun_table *cells, double value, const char *format) {
    char text[40];
    if (isnan(value))
        return dun_table_add(cells, "-");
    snprintf(text, sizeof text, format, value);
    return dun_table_add(cells, "%s", text);
}

static int add_head(dun_table *cells, const dun_sweep_table *table) {
    static const char *const figures[] = {"macro f1",    "class means", "probe before",
                                          "probe after", "seconds",     ""};
    int rc = DUN_OK;
    char key[DUN_SWEEP_KEY_BYTES];
    if (table->several_configs)
        TRY(dun_table_add(cells, "config"));
    for (size_t i = 0; i < table->sweep->n_axes; i++) {
        dun_sweep_key(key, table->sweep, i);
        TRY(dun_table_add(cells, "%s", key));
    }
    TRY(dun_table_add(cells, "accuracy"));
    if (table->n_seeds > 1)
        TRY(dun_table_add(cells, "+-"));
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        TRY(dun_table_add(cells, "%s", figures[i]));
out:
    return rc;
}

/* What is to say about a setting's runs beside the figures: nothing when all are done. */
static int add_remark(dun_table *cells, const dun_sweep_table *table, const dun_sweep_summary *s) {
    const dun_sweep_row *rows = table->rows + s->first_row;
    size_t worst = 0;
    for (size_t i = 1; i < s->n_rows; i++)
        if (rows[i].status != DUN_ROW_DONE && rows[worst].status == DUN_ROW_DONE)
            worst = i;
    if (s->n_done == s->n_rows)
        return dun_table_add(cells, "%s", "");
    const char *status = dun_row_status_name(rows[worst].status);
    return s->n_rows == 1 ? dun_table_add(cells, "%s", status)
                          : dun_table_add(cells, "%s, %zu of %zu done", status, s->n_done, s->n_rows);
}

static int add_setting(dun_table *cells, const dun_sweep_table *table, const dun_sweep_summary *s) {
    int rc = DUN_OK;
    const dun_sweep_row *row = &table->rows[s->first_row];
    if (table->several_configs)
        TRY(dun_table_add(cells, "%s", row->config));
    for (size_t i = 0; i < table->sweep->n_axes; i++)
        TRY(dun_table_add(cells, "%s", dun_sweep_value(table->sweep, i, row->point)));
    TRY(add_figure(cells, s->mean, "%.4f"));
    if (table->n_seeds > 1)
        TRY(add_figure(cells, s->deviation, "%.4f"));
    TRY(add_figure(cells, s->macro_f1, "%.4f"));
    TRY(add_figure(cells, s->baseline, "%.4f"));
    TRY(add_figure(cells, s->probe_before, "%.4f"));
    TRY(add_figure(cells, s->probe_after, "%.4f"));
    TRY(add_figure(cells, s->seconds, "%.1f"));
    TRY(add_remark(cells, table, s));
out:
    return rc;
}

/* The letters of dun_table_init for this table's columns. */
static void align(char *columns, const dun_sweep_table *table) {
    size_t names = table->several_configs + table->sweep->n_axes, figures = 6 + (table->n_seeds > 1);
    memset(columns, 'l', names);
    memset(columns + names, 'r', figures);
    columns[names + figures] = 'l';
    columns[names + figures + 1] = '\0';
}

int dun_sweep_table_text(dun_str *out, const dun_sweep_table *table) {
    int rc = DUN_OK;
    dun_table cells;
    dun_sweep_summary *settings = NULL;
    char *columns = NULL;
    size_t n;
    dun_table_init(&cells, "");
    TRY_NEW(columns, table->sweep->n_axes + 12);
    align(columns, table);
    dun_table_init(&cells, columns);
    TRY(dun_sweep_summarize(&settings, &n, table));
    TRY(add_head(&cells, table));
    for (size_t i = 0; i < n; i++)
        TRY(add_setting(&cells, table, &settings[i]));
    TRY(dun_table_print(out, &cells));
out:
    dun_table_free(&cells);
    dun_free(settings);
    dun_free(columns);
    return rc;
}
