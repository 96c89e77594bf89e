/* A file of results beside what came of the same work here. See compare.h. */
#include "cmd/compare.h"

#include "base/err.h"
#include "base/json.h"
#include "base/table.h"
#include "report/result.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What is shown of both: texts, or figures with the share of one in the other. */
static const struct {
    const char *head, *path;
    double scale;    /* 0: a text */
    const char *per; /* the figure is this count of a pass, a second; NULL: itself */
} rows[] = {
    {"version", "program.version", 0, NULL},
    {"commit", "program.commit", 0, NULL},
    {"kernels", "program.kernels", 0, NULL},
    {"device", "device.name", 0, NULL},
    {"platform", "device.platform", 0, NULL},
    {"driver", "device.driver", 0, NULL},
    {"processor", "machine.processor", 0, NULL},
    {"products", "setup.gemm", 0, NULL},
    {"precision", "setup.precision", 0, NULL},
    {"weights", "setup.weights", 0, NULL},
    {"tiles", "setup.tiles", 0, NULL},
    {"self-test, worst", "check.worst", 1, NULL},
    {"accuracy", "accuracy", 1, NULL},
    {"kernels compiled, s", "seconds.build.median", 1, NULL},
    {"tokens/s, short texts", "texts.0", 1, "seconds.median"},
    {"tokens/s, long texts", "texts.1", 1, "seconds.median"},
    {"step, ms", "seconds.step.median", 1e3, NULL},
    {"step on whole texts, ms", "seconds.step_whole.median", 1e3, NULL},
    {"whole job, s", "seconds.job.median", 1, NULL},
    {"device memory, MB", "memory.device_bytes", 1e-6, NULL},
    {"process memory, MB", "memory.process_bytes", 1e-6, NULL},
    {"energy of the job, J", "energy.joules.median", 1, NULL},
};
enum { N_ROWS = sizeof rows / sizeof *rows };

static double figure(const json_t *result, size_t row) {
    const json_t *at = dun_result_at(result, rows[row].path);
    if (!rows[row].per)
        return rows[row].scale * dun_result_number(result, rows[row].path);
    return dun_result_number(at, "tokens") * dun_result_number(at, "texts") /
           dun_result_number(at, rows[row].per);
}

static int add_figure(dun_table *table, double value) {
    return isnan(value) ? dun_table_add(table, "-") : dun_table_add(table, "%.4g", value);
}

/* A text that is the same stands once. */
static int add_row(dun_table *table, size_t row, const json_t *read, const json_t *here) {
    int rc = DUN_OK;
    TRY(dun_table_add(table, "%s", rows[row].head));
    if (rows[row].scale == 0) {
        const char *a = dun_result_text(read, rows[row].path), *b = dun_result_text(here, rows[row].path);
        TRY(dun_table_add(table, "%s", *a ? a : "-"));
        TRY(dun_table_add(table, "%s", strcmp(a, b) == 0 ? "the same" : *b ? b : "-"));
        TRY(dun_table_add(table, "%s", ""));
    } else {
        const double a = figure(read, row), b = figure(here, row);
        TRY(add_figure(table, a));
        TRY(add_figure(table, b));
        TRY(isfinite(b / a) ? dun_table_add(table, "%.2f", b / a) : dun_table_add(table, "%s", ""));
    }
out:
    return rc;
}

static int print(dun_str *out, const json_t *read, const json_t *here) {
    int rc = DUN_OK;
    dun_table table;
    dun_table_init(&table, "lllr");
    TRY(dun_table_add(&table, "%s", ""));
    TRY(dun_table_add(&table, "the file"));
    TRY(dun_table_add(&table, "here"));
    TRY(dun_table_add(&table, "here / file"));
    for (size_t i = 0; i < N_ROWS; i++)
        TRY(add_row(&table, i, read, here));
    TRY(dun_str_addf(out, "\n"));
    TRY(dun_table_print(out, &table));
out:
    dun_table_free(&table);
    return rc;
}

int dun_compare_verify(json_t **verdict, dun_str *table, const json_t *read, const json_t *here) {
    int rc = DUN_OK;
    size_t step;
    const double apart =
        dun_result_apart(&step, json_object_get(read, "losses"), json_object_get(here, "losses"));
    const bool wrong = !(apart <= DUN_RESULT_BAND);
    const bool own =
        strcmp(dun_result_text(read, "program.kernels"), dun_result_text(here, "program.kernels")) != 0;
    *verdict = json_pack("{s:b, s:o, s:i, s:b}", "wrong", wrong, "apart", dun_json_real(apart), "step",
                         (int)step, "own_build", own);
    if (!*verdict)
        TRY(dun_error(DUN_FAILED, "out of memory for a verdict"));
    TRY(print(table, read, here));
    TRY(dun_str_addf(table, "\nlosses of the first %d steps: %s within %g of those here",
                     DUN_RESULT_BAND_STEPS, wrong ? "WRONG, not" : "right,", DUN_RESULT_BAND));
    TRY(isinf(apart) ? dun_str_addf(table, ": there are not as many steps\n")
        : step       ? dun_str_addf(table, ", at most %.1e apart (step %zu)\n", apart, step)
                     : dun_str_addf(table, ": they are the same\n"));
    if (own)
        TRY(dun_str_addf(table, "own build: the file's kernels are another text than this program's\n"));
out:
    return rc;
}
