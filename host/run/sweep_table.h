/* What several runs came to: a row a run, and over the seeds of each setting mean and standard deviation. */
#ifndef DUN_SWEEP_TABLE_H
#define DUN_SWEEP_TABLE_H

#include "run/rundir.h"
#include "run/sweep.h"

enum dun_row_status {
    DUN_ROW_PENDING,
    DUN_ROW_DONE,
    DUN_ROW_DIVERGED,    /* the loss was not finite any more */
    DUN_ROW_FAILED,      /* for another reason, see message */
    DUN_ROW_INTERRUPTED, /* Ctrl-C; can be resumed */
    DUN_ROW_RUNNING,     /* another process is at it */
    DUN_N_ROW_STATUS
};

typedef struct {
    size_t setting;     /* rows of one setting differ in their seed alone; ascending */
    const char *config; /* borrowed: name of the config */
    size_t point;       /* combination of the sweep */
    int64_t seed;
    char *name;           /* of its folder beside the table: "003-lr=1e-2-seed=1"; NULL: it has another one */
    uint64_t config_hash; /* see sweep_plan.h */
    bool looked;          /* the figures are what the folder says */
    char *run;            /* folder; NULL: none was made */
    enum dun_row_status status;
    char *message;                                                            /* of a failure, or NULL */
    double accuracy, macro_f1, baseline, majority, probe_before, probe_after; /* NAN: not measured */
    double last_loss, seconds;
    uint64_t steps;
} dun_sweep_row;

typedef struct {
    const dun_sweep *sweep; /* borrowed */
    dun_sweep_row *rows;
    size_t n_rows;
    bool several_configs;
    uint32_t n_seeds; /* of each setting */
} dun_sweep_table;

int dun_sweep_table_create(dun_sweep_table *table, const dun_sweep *sweep, size_t n_rows);
void dun_sweep_table_free(dun_sweep_table *table);

/* No figure is known. */
void dun_sweep_row_clear_figures(dun_sweep_row *row);

/* Copies what a finished run says of itself. */
void dun_sweep_row_take(dun_sweep_row *row, const dun_run_result *result);

/* Over the finished rows of one setting. */
typedef struct {
    size_t first_row, n_rows, n_done;
    double mean, deviation; /* of the accuracy; deviation with n - 1, NAN for a single one */
    double macro_f1, baseline, majority, probe_before, probe_after; /* means */
    double seconds;                                                 /* of all rows together */
} dun_sweep_summary;

/* Newly allocated, one a setting, the best mean accuracy first, settings without a result last. */
int dun_sweep_summarize(dun_sweep_summary **out, size_t *n, const dun_sweep_table *table);

/* Appends one line a setting in the order of the summary; a row a run in the order they ran as CSV; all of
 * it as an object {"keys", "settings", "runs"}. */
int dun_sweep_table_text(dun_str *out, const dun_sweep_table *table);
int dun_sweep_table_csv(dun_str *out, const dun_sweep_table *table);
int dun_sweep_table_json(json_t **out, const dun_sweep_table *table);

/* Writes both, sweep.csv and sweep.json. */
int dun_sweep_table_write(const dun_sweep_table *table, const char *folder);

const char *dun_row_status_name(enum dun_row_status status);

#endif
