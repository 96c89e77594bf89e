/* What a comparison looks like: a table of text, and a page with curves. */
#include "report/compare_show.h"

#include "base/err.h"
#include "base/table.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static double number_of(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static bool has_finished(const json_t *result) {
    return strcmp(text_of(result, "status"), "finished") == 0;
}

/* Training texts a second; NAN where that is not known. */
static double texts_per_s(const json_t *result) {
    const json_t *metrics = json_object_get(result, "metrics");
    return number_of(metrics, "trained_texts") / number_of(json_object_get(result, "seconds"), "train");
}

/* The largest error of the self-test as a part of what it allows; NAN where it did not run. */
static double worst_of(const json_t *result) {
    const json_t *check = json_object_get(result, "check"), *value;
    const char *key;
    double worst = NAN;
    json_object_foreach(json_object_get(check, "worst"), key,
                        value) if (json_is_number(value) && !(json_number_value(value) <= worst)) worst =
        json_number_value(value);
    return worst;
}

/* What a column shows of a result. */
typedef struct {
    const char *head, *format;
    const char *object, *key; /* in the result, or in an object of it */
    double scale;
    double (*compute)(const json_t *result);
} column;

static const column columns[] = {
    {"accuracy", "%.4f", NULL, "accuracy", 1, NULL},
    {"first loss", "%.1e", "versus", "first_difference", 1, NULL},
    {"parts at", "%.0f", "versus", "parts_at", 1, NULL},
    {"largest", "%.1e", "versus", "largest_difference", 1, NULL},
    {"agree", "%.1f%%", "versus", "agreement", 100, NULL},
    {"texts/s", "%.1f", NULL, NULL, 1, texts_per_s},
    {"build", "%.1f", "seconds", "build", 1, NULL},
    {"load", "%.1f", "seconds", "load", 1, NULL},
    {"texts", "%.1f", "seconds", "texts", 1, NULL},
    {"train", "%.1f", "seconds", "train", 1, NULL},
    {"eval", "%.1f", "seconds", "eval", 1, NULL},
    {"all", "%.1f", NULL, "wall_seconds", 1, NULL},
    {"MB", "%.0f", "metrics", "device_memory_bytes", 1e-6, NULL},
    {"kJ", "%.2f", NULL, "energy_joules", 1e-3, NULL},
    {"check", "%.2f", NULL, NULL, 1, worst_of},
};
enum { N_COLUMNS = sizeof columns / sizeof *columns };

static double value_of(const json_t *result, const column *c) {
    if (c->compute)
        return c->compute(result);
    return c->scale * number_of(c->object ? json_object_get(result, c->object) : result, c->key);
}

/* A column's text: "-" where there is nothing to show. */
static void cell(char *out, size_t size, const json_t *result, const column *c) {
    double value = value_of(result, c);
    if (isnan(value))
        snprintf(out, size, "-");
    else if (isinf(value))
        snprintf(out, size, "inf");
    else
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(out, size, c->format, value);
#pragma GCC diagnostic pop
}

static const char *check_word(const json_t *result) {
    const json_t *check = json_object_get(result, "check");
    return *text_of(check, "problem")                       ? text_of(check, "problem")
           : json_is_true(json_object_get(check, "passed")) ? "passed"
                                                            : "FAILED";
}

static const char notes[] =
    "first loss, parts at, largest: relative difference of the losses from the first device that finished:\n"
    "  at step 1, the step from which it is above 1e-4 (-: never), the largest. agree: same answers.\n"
    "build, load, texts, train, eval, all: seconds. MB: device memory. check: largest error of the self-test,\n"
    "  as a part of what it allows.\n";

int dun_compare_table(dun_str *out, const json_t *results) {
    int rc = DUN_OK;
    const json_t *result;
    size_t i;
    bool energy = false;
    dun_table table;
    char text[64], alignment[N_COLUMNS + 2] = "r";
    memset(alignment + 1, 'r', N_COLUMNS);
    dun_table_init(&table, alignment);
    TRY(dun_table_add(&table, "%s", ""));
    for (size_t k = 0; k < N_COLUMNS; k++)
        TRY(dun_table_add(&table, "%s", columns[k].head));
    json_array_foreach(results, i, result) {
        TRY(dun_table_add(&table, "%zu", i + 1));
        for (size_t k = 0; k < N_COLUMNS; k++) {
            cell(text, sizeof text, result, &columns[k]);
            TRY(dun_table_add(&table, "%s", text));
        }
        energy |= json_is_number(json_object_get(result, "energy_joules"));
    }
    TRY(dun_table_print(out, &table));
    TRY(dun_str_addf(out, "\n"));
    json_array_foreach(results, i, result) {
        TRY(dun_str_addf(out, "%zu: %s (%s, driver %s): %s%s%s; self-test %s\n", i + 1,
                         text_of(result, "name"), text_of(result, "platform"), text_of(result, "driver"),
                         text_of(result, "status"), has_finished(result) ? "" : ", ",
                         text_of(result, "problem"), check_word(result)));
    }
    TRY(dun_str_addf(out, "\n%s%s", notes,
                     energy
                         ? "kJ: of the device while it trained, whoever used it.\n"
                         : "kJ: no counter of the devices' energy can be read here (RAPL, NVML, hwmon).\n"));
out:
    dun_table_free(&table);
    return rc;
}

static int add_html(dun_str *out, const char *text) {
    int rc = DUN_OK;
    for (; *text; text++) {
        const char *escaped = *text == '<' ? "&lt;" : *text == '>' ? "&gt;" : *text == '&' ? "&amp;" : NULL;
        TRY(escaped ? dun_str_addf(out, "%s", escaped) : dun_str_add(out, text, 1));
    }
out:
    return rc;
}

static const char *const colours[] = {"#1f6fb2", "#d1622b", "#3a8f5c", "#8a4fa3", "#b5a12a", "#5f6770"};
static const char *colour_of(size_t i) {
    return colours[i % (sizeof colours / sizeof *colours)];
}

enum { WIDTH = 760, HEIGHT = 300, LEFT = 52, BOTTOM = 28, TOP = 10 };

/* Of a curve: its points' values; those that are not finite leave a gap. */
typedef double curve_value(const json_t *results, size_t device, size_t step);

static size_t steps_of(const json_t *results, size_t device) {
    return json_array_size(json_object_get(json_array_get(results, device), "losses"));
}

static double loss_at(const json_t *results, size_t device, size_t step) {
    const json_t *losses = json_object_get(json_array_get(results, device), "losses");
    return json_number_value(json_array_get(losses, step));
}

/* log10 of the relative difference from the first device that finished; 1e-9 stands for none. */
static double difference_at(const json_t *results, size_t device, size_t step) {
    size_t reference = 0;
    while (reference < json_array_size(results) && !has_finished(json_array_get(results, reference)))
        reference++;
    if (reference >= device || step >= steps_of(results, reference))
        return NAN;
    double x = loss_at(results, reference, step), y = loss_at(results, device, step);
    return log10(fmax(fabs(x - y) / fmax(fabs(x), 1e-12), 1e-9));
}

typedef struct {
    double low, high;
    size_t n_steps;
} frame;

static frame frame_of(const json_t *results, curve_value *value) {
    frame f = {.low = INFINITY, .high = -INFINITY};
    for (size_t d = 0; d < json_array_size(results); d++) {
        if (f.n_steps < steps_of(results, d))
            f.n_steps = steps_of(results, d);
        for (size_t i = 0; i < steps_of(results, d); i++) {
            double v = value(results, d, i);
            f.low = isfinite(v) ? fmin(f.low, v) : f.low;
            f.high = isfinite(v) ? fmax(f.high, v) : f.high;
        }
    }
    return f;
}

static double x_of(const frame *f, size_t step) {
    return LEFT + (f->n_steps > 1 ? (double)step / (double)(f->n_steps - 1) : 0.5) * (WIDTH - LEFT - 10);
}

static double y_of(const frame *f, double value) {
    double span = f->high > f->low ? f->high - f->low : 1;
    return TOP + (f->high - value) / span * (HEIGHT - TOP - BOTTOM);
}

static int add_grid(dun_str *out, const frame *f, bool powers) {
    int rc = DUN_OK;
    enum { LINES = 4 };
    for (int i = 0; i <= LINES; i++) {
        double value = f->low + (f->high - f->low) * i / LINES, y = y_of(f, value);
        TRY(dun_str_addf(out,
                         "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" class=\"grid\"/>"
                         "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.3g</text>\n",
                         LEFT, WIDTH - 10, y, y, LEFT - 6, y + 4, powers ? pow(10, value) : value));
    }
    TRY(dun_str_addf(out,
                     "<text x=\"%d\" y=\"%d\">step 1</text><text x=\"%d\" y=\"%d\" "
                     "text-anchor=\"end\">step %zu</text>\n",
                     LEFT, HEIGHT - 8, WIDTH - 10, HEIGHT - 8, f->n_steps));
out:
    return rc;
}

static int add_chart(dun_str *out, const json_t *results, curve_value *value, const char *title,
                     bool powers) {
    int rc = DUN_OK;
    const frame f = frame_of(results, value);
    TRY(dun_str_addf(out, "<h2>%s</h2>\n", title));
    if (!(f.low <= f.high)) {
        TRY(dun_str_addf(out, "<p>There is nothing to draw.</p>\n"));
        goto out;
    }
    TRY(dun_str_addf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">\n", WIDTH, HEIGHT,
                     title));
    TRY(add_grid(out, &f, powers));
    for (size_t d = 0; d < json_array_size(results); d++) {
        bool open = false;
        TRY(dun_str_addf(out, "<path fill=\"none\" stroke-width=\"1.8\" stroke=\"%s\" d=\"", colour_of(d)));
        for (size_t i = 0; i < steps_of(results, d); i++) {
            double v = value(results, d, i);
            if (isfinite(v))
                TRY(dun_str_addf(out, "%s%.1f %.1f", open ? "L" : "M", x_of(&f, i), y_of(&f, v)));
            open = isfinite(v);
        }
        TRY(dun_str_addf(out, "\"/>\n"));
    }
    TRY(dun_str_addf(out, "</svg>\n"));
out:
    return rc;
}

static int add_table(dun_str *out, const json_t *results) {
    int rc = DUN_OK;
    const json_t *result;
    size_t i;
    char text[64];
    TRY(dun_str_addf(out, "<div class=\"wide\"><table><tr><th></th><th>device</th>"));
    for (size_t k = 0; k < N_COLUMNS; k++)
        TRY(dun_str_addf(out, "<th>%s</th>", columns[k].head));
    TRY(dun_str_addf(out, "</tr>\n"));
    json_array_foreach(results, i, result) {
        TRY(dun_str_addf(out, "<tr><td style=\"color:%s\">&#9644;</td><td class=\"name\">", colour_of(i)));
        TRY(add_html(out, text_of(result, "name")));
        TRY(dun_str_addf(out, "<small>"));
        TRY(add_html(out, text_of(result, "platform")));
        TRY(dun_str_addf(out, ", driver "));
        TRY(add_html(out, text_of(result, "driver")));
        if (!has_finished(result)) {
            TRY(dun_str_addf(out, "<br><b>failed: "));
            TRY(add_html(out, text_of(result, "problem")));
            TRY(dun_str_addf(out, "</b>"));
        }
        TRY(dun_str_addf(out, "</small></td>"));
        for (size_t k = 0; k < N_COLUMNS; k++) {
            cell(text, sizeof text, result, &columns[k]);
            TRY(dun_str_addf(out, "<td>%s</td>", text));
        }
        TRY(dun_str_addf(out, "</tr>\n"));
    }
    TRY(dun_str_addf(out, "</table></div>\n<pre>"));
    TRY(add_html(out, notes));
    TRY(dun_str_addf(out, "</pre>\n"));
out:
    return rc;
}

/* The self-test's largest errors, a row a test. */
static int add_checks(dun_str *out, const json_t *results) {
    int rc = DUN_OK;
    const json_t *first = NULL, *result, *value;
    const char *key;
    size_t i;
    json_array_foreach(results, i, result) {
        const json_t *worst = json_object_get(json_object_get(result, "check"), "worst");
        if (json_object_size(worst) > json_object_size(first))
            first = worst;
    }
    TRY(dun_str_addf(out, "<h2>Largest error of each test, as a part of what is allowed</h2>\n"
                          "<table><tr><th></th>"));
    for (i = 0; i < json_array_size(results); i++)
        TRY(dun_str_addf(out, "<th style=\"color:%s\">&#9644; %zu</th>", colour_of(i), i + 1));
    TRY(dun_str_addf(out, "</tr>\n"));
    json_object_foreach((json_t *)(uintptr_t)first, key, value) {
        TRY(dun_str_addf(out, "<tr><td class=\"name\">"));
        TRY(add_html(out, key));
        TRY(dun_str_addf(out, "</td>"));
        json_array_foreach(results, i, result) {
            double error = number_of(json_object_get(json_object_get(result, "check"), "worst"), key);
            TRY(isnan(error) ? dun_str_addf(out, "<td>-</td>") : dun_str_addf(out, "<td>%.3g</td>", error));
        }
        TRY(dun_str_addf(out, "</tr>\n"));
    }
    TRY(dun_str_addf(out, "</table>\n"));
out:
    return rc;
}

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1d2025;--soft:#626870;--line:#dedbd3;--bg:#f7f6f2}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e8e6e1;--soft:#9aa0a8;--line:#3a3f46;--bg:#181a1d}}"
    "body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--bg);max-width:1100px;"
    "margin:2rem auto;padding:0 1rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}"
    ".wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    "td,th{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}"
    "th{color:var(--soft);font-weight:600}.name{text-align:left;white-space:normal;min-width:14rem}"
    "small{display:block;color:var(--soft)}svg{width:100%%;max-width:900px}"
    "svg text{font-size:11px;fill:var(--soft)}.grid{stroke:var(--line)}pre{color:var(--soft);white-space:pre-wrap}";

int dun_compare_page(dun_str *out, const json_t *results, const char *title) {
    int rc = DUN_OK;
    TRY(dun_str_addf(out, "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\n"
                          "<meta name=\"viewport\" content=\"width=device-width\">\n<title>"));
    TRY(add_html(out, title));
    TRY(dun_str_addf(out, " on %zu devices</title>\n<style>", json_array_size(results)));
    TRY(dun_str_addf(out, style));
    TRY(dun_str_addf(out, "</style>\n<h1>"));
    TRY(add_html(out, title));
    TRY(dun_str_addf(out, " on %zu devices</h1>\n", json_array_size(results)));
    TRY(add_table(out, results));
    TRY(add_chart(out, results, loss_at, "Loss", false));
    TRY(add_chart(out, results, difference_at, "Relative difference from the first device", true));
    TRY(add_checks(out, results));
    TRY(dun_str_addf(out, "</html>\n"));
out:
    return rc;
}
