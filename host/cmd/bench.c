/* dunlin bench: how fast the model of a config runs on its device. */
#include "bench/bench.h"

#include "base/err.h"
#include "base/json.h"
#include "base/table.h"
#include "cmd/cmd.h"
#include "cmd/out.h"
#include "cmd/shell/common.h"
#include "report/progress.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const matrix_names[DUN_N_MATRICES] = {
    [DUN_MAT_Q] = "q",       [DUN_MAT_KV] = "kv",           [DUN_MAT_O] = "o",
    [DUN_MAT_HEAD] = "head", [DUN_MAT_GATE_UP] = "gate_up", [DUN_MAT_DOWN] = "down",
};

static const char *const stage_names[DUN_BENCH_STAGES] = {
    [DUN_BENCH_POINTS] = "points",       [DUN_BENCH_LOSS] = "loss",  [DUN_BENCH_BACKWARD] = "backward",
    [DUN_BENCH_OPTIMISER] = "optimiser", [DUN_BENCH_WHOLE] = "step",
};

/* GFLOP/s */
static double speed(double flops, double seconds) {
    return flops / seconds * 1e-9;
}

/* The stages' median seconds together. */
static double stages_seconds(const dun_bench *bench) {
    double sum = 0;
    for (unsigned i = 0; i < DUN_BENCH_WHOLE; i++)
        sum += bench->step[i].median;
    return sum;
}

static int print_products(dun_str *out, const dun_bench *bench) {
    int rc = DUN_OK;
    static const char *const head[] = {"product", "direction", "M", "N", "K", "matrices", "best", "median"};
    dun_table table;
    dun_table_init(&table, "llrrrrrr");
    for (size_t i = 0; i < sizeof head / sizeof *head; i++)
        TRY(dun_table_add(&table, "%s", head[i]));
    for (uint32_t i = 0; i < bench->n_products; i++) {
        const dun_bench_product *p = &bench->products[i];
        TRY(dun_table_add(&table, "%s", matrix_names[p->matrix]));
        TRY(dun_table_add(&table, "%s", p->backward ? "backward" : "forward"));
        TRY(dun_table_add(&table, "%u", p->m));
        TRY(dun_table_add(&table, "%u", p->backward ? p->columns : p->rows));
        TRY(dun_table_add(&table, "%u", p->backward ? p->rows : p->columns));
        TRY(dun_table_add(&table, "%u", p->n_matrices));
        TRY(dun_table_add(&table, "%.1f", speed(p->flops, p->seconds.best)));
        TRY(dun_table_add(&table, "%.1f", speed(p->flops, p->seconds.median)));
    }
    TRY(dun_str_addf(out, "Products, GFLOP/s; one repetition is the matrices of all layers\n\n"));
    TRY(dun_table_print(out, &table));
out:
    dun_table_free(&table);
    return rc;
}

static int print_texts(dun_str *out, const dun_bench *bench) {
    int rc = DUN_OK;
    static const char *const head[] = {"tokens", "texts a pass",  "tokens/s, best",
                                       "median", "GFLOP/s, best", "median"};
    dun_table table;
    dun_table_init(&table, "rrrrrr");
    for (size_t i = 0; i < sizeof head / sizeof *head; i++)
        TRY(dun_table_add(&table, "%s", head[i]));
    for (size_t i = 0; i < DUN_BENCH_TEXTS; i++) {
        const dun_bench_text *t = &bench->texts[i];
        double tokens = (double)t->n_texts * t->tokens;
        TRY(dun_table_add(&table, "%u", t->tokens));
        TRY(dun_table_add(&table, "%u", t->n_texts));
        TRY(dun_table_add(&table, "%.1f", tokens / t->seconds.best));
        TRY(dun_table_add(&table, "%.1f", tokens / t->seconds.median));
        TRY(dun_table_add(&table, "%.1f", speed(t->work.flops, t->seconds.best)));
        TRY(dun_table_add(&table, "%.1f", speed(t->work.flops, t->seconds.median)));
    }
    TRY(dun_str_addf(out, "\nTexts, keys and values of random tokens\n\n"));
    TRY(dun_table_print(out, &table));
out:
    dun_table_free(&table);
    return rc;
}

/* Adds a GFLOP/s cell, empty where nothing was counted. */
static int add_speed(dun_table *table, double flops, double seconds) {
    return flops > 0 ? dun_table_add(table, "%.1f", speed(flops, seconds)) : dun_table_add(table, "%s", "");
}

static int print_step(dun_str *out, const dun_bench *bench) {
    int rc = DUN_OK;
    static const char *const head[] = {"stage", "ms, best", "median", "share", "GFLOP/s, best", "median"};
    dun_table table;
    dun_table_init(&table, "lrrrrr");
    for (size_t i = 0; i < sizeof head / sizeof *head; i++)
        TRY(dun_table_add(&table, "%s", head[i]));
    for (unsigned i = 0; i < DUN_BENCH_STAGES; i++) {
        const dun_bench_seconds *s = &bench->step[i];
        TRY(dun_table_add(&table, "%s", stage_names[i]));
        TRY(dun_table_add(&table, "%.3f", s->best * 1e3));
        TRY(dun_table_add(&table, "%.3f", s->median * 1e3));
        TRY(i == DUN_BENCH_WHOLE ? dun_table_add(&table, "%s", "")
                                 : dun_table_add(&table, "%.1f %%", 100 * s->median / stages_seconds(bench)));
        TRY(add_speed(&table, bench->step_work[i].flops, s->best));
        TRY(add_speed(&table, bench->step_work[i].flops, s->median));
    }
    TRY(dun_str_addf(out, "\nA training step, %u texts of %u tokens and a prompt of %u rows\n\n",
                     bench->batch_size, bench->text_tokens, bench->n_prompt));
    TRY(dun_table_print(out, &table));
    TRY(dun_str_addf(out, "\nstep: all stages with one wait at the end. GFLOP/s count products only, 2 M N K "
                          "each.\n"));
out:
    dun_table_free(&table);
    return rc;
}

static int roof_row(dun_table *table, const dun_roof *roof, const dun_roof_work *work, double seconds) {
    int rc = DUN_OK;
    const dun_roof_parts parts = dun_roof_parts_of(roof, work, seconds);
    TRY(dun_table_add(table, "%.3f", seconds * 1e3));
    TRY(dun_table_add(table, "%.1f %%", 100 * parts.arithmetic));
    TRY(dun_table_add(table, "%.1f %%", 100 * parts.memory));
    TRY(dun_table_add(table, "%.1f %%", 100 * parts.launches));
    TRY(dun_table_add(table, "%llu", (unsigned long long)work->launches));
out:
    return rc;
}

static int print_roof_head(dun_str *out, const dun_roof *roof) {
    int rc = DUN_OK;
    TRY(dun_str_addf(out, "\nThe device's roof, measured here:"));
    for (unsigned p = 0; p < DUN_ROOF_PRECISIONS; p++)
        if (roof->flops[p] > 0)
            TRY(dun_str_addf(out, " %s %.1f GFLOP/s,", dun_roof_names[p], roof->flops[p] * 1e-9));
    TRY(dun_str_addf(out, " read %.1f GB/s, copy %.1f GB/s,\nlaunch %.1f us, launch and wait %.1f us\n\n",
                     roof->read * 1e-9, roof->copy * 1e-9, roof->launch * 1e6, roof->wait * 1e6));
out:
    return rc;
}

static int print_roof(dun_str *out, const dun_bench *bench) {
    int rc = DUN_OK;
    static const char *const head[] = {"work", "ms, best", "arithmetic", "memory", "launches", "number"};
    dun_table table;
    dun_table_init(&table, "lrrrrr");
    for (size_t i = 0; i < sizeof head / sizeof *head; i++)
        TRY(dun_table_add(&table, "%s", head[i]));
    for (size_t i = 0; i < DUN_BENCH_TEXTS; i++) {
        const dun_bench_text *t = &bench->texts[i];
        TRY(dun_table_add(&table, "texts, %u x %u tokens", t->n_texts, t->tokens));
        TRY(roof_row(&table, &bench->roof, &t->work, t->seconds.best));
    }
    TRY(dun_table_add(&table, "step"));
    TRY(roof_row(&table, &bench->roof, &bench->step_work[DUN_BENCH_WHOLE],
                 bench->step[DUN_BENCH_WHOLE].best));
    TRY(print_roof_head(out, &bench->roof));
    TRY(dun_table_print(out, &table));
    TRY(dun_str_addf(
        out, "\narithmetic, memory, launches: the part of the time that each would take alone at the roof "
             "(products in\nf32; their weights, inputs and outputs once); what none explains is left.\n"));
out:
    dun_table_free(&table);
    return rc;
}

static int print_table(const dun_bench *bench) {
    int rc = DUN_OK;
    dun_str text = {0};
    TRY(print_products(&text, bench));
    TRY(print_texts(&text, bench));
    TRY(print_step(&text, bench));
    TRY(print_roof(&text, bench));
    TRY(dun_out_text(&text));
out:
    dun_str_free(&text);
    return rc;
}

static int set_text(json_t *object, const char *key, const char *value) {
    return dun_json_set(object, key, json_string(value));
}

static int set_count(json_t *object, const char *key, uint32_t value) {
    return dun_json_set(object, key, json_integer((json_int_t)value));
}

/* "best_NAME" and "median_NAME": work divided by seconds. */
static int set_rates(json_t *object, const char *name, double work, dun_bench_seconds seconds) {
    int rc = DUN_OK;
    dun_str key = {0};
    TRY(dun_str_addf(&key, "best_%s", name));
    TRY(dun_json_set(object, key.bytes, dun_json_real(work / seconds.best)));
    dun_str_clear(&key);
    TRY(dun_str_addf(&key, "median_%s", name));
    TRY(dun_json_set(object, key.bytes, dun_json_real(work / seconds.median)));
out:
    dun_str_free(&key);
    return rc;
}

static int set_ms(json_t *object, dun_bench_seconds seconds) {
    int rc = DUN_OK;
    TRY(dun_json_set(object, "best_ms", dun_json_real(seconds.best * 1e3)));
    TRY(dun_json_set(object, "median_ms", dun_json_real(seconds.median * 1e3)));
out:
    return rc;
}

static int set_parts(json_t *object, const dun_roof *roof, const dun_roof_work *work, double seconds) {
    int rc = DUN_OK;
    const dun_roof_parts parts = dun_roof_parts_of(roof, work, seconds);
    TRY(dun_json_set(object, "launches", json_integer((json_int_t)work->launches)));
    TRY(dun_json_set(object, "roof_arithmetic", dun_json_real(parts.arithmetic)));
    TRY(dun_json_set(object, "roof_memory", dun_json_real(parts.memory)));
    TRY(dun_json_set(object, "roof_launches", dun_json_real(parts.launches)));
out:
    return rc;
}

static int roof_json(json_t *root, const dun_roof *roof) {
    int rc = DUN_OK;
    json_t *object = json_object();
    dun_str key = {0};
    TRY(dun_json_set(root, "roof", object));
    for (unsigned p = 0; p < DUN_ROOF_PRECISIONS; p++) {
        if (!(roof->flops[p] > 0))
            continue;
        dun_str_clear(&key);
        TRY(dun_str_addf(&key, "%s_gflops", dun_roof_names[p]));
        TRY(dun_json_set(object, key.bytes, dun_json_real(roof->flops[p] * 1e-9)));
    }
    TRY(dun_json_set(object, "read_gb_per_s", dun_json_real(roof->read * 1e-9)));
    TRY(dun_json_set(object, "copy_gb_per_s", dun_json_real(roof->copy * 1e-9)));
    TRY(dun_json_set(object, "launch_us", dun_json_real(roof->launch * 1e6)));
    TRY(dun_json_set(object, "wait_us", dun_json_real(roof->wait * 1e6)));
out:
    dun_str_free(&key);
    return rc;
}

static int product_json(json_t *array, const dun_bench_product *p) {
    int rc = DUN_OK;
    json_t *object = json_object();
    TRY(dun_json_append(array, object));
    TRY(set_text(object, "matrix", matrix_names[p->matrix]));
    TRY(set_text(object, "direction", p->backward ? "backward" : "forward"));
    TRY(set_count(object, "m", p->m));
    TRY(set_count(object, "n", p->backward ? p->columns : p->rows));
    TRY(set_count(object, "k", p->backward ? p->rows : p->columns));
    TRY(set_count(object, "matrices", p->n_matrices));
    TRY(set_ms(object, p->seconds));
    TRY(set_rates(object, "gflops", p->flops * 1e-9, p->seconds));
out:
    return rc;
}

static int text_json(json_t *array, const dun_bench_text *t, const dun_roof *roof) {
    int rc = DUN_OK;
    json_t *object = json_object();
    TRY(dun_json_append(array, object));
    TRY(set_count(object, "tokens", t->tokens));
    TRY(set_count(object, "texts", t->n_texts));
    TRY(set_ms(object, t->seconds));
    TRY(set_rates(object, "tokens_per_s", (double)t->n_texts * t->tokens, t->seconds));
    TRY(set_rates(object, "gflops", t->work.flops * 1e-9, t->seconds));
    TRY(set_parts(object, roof, &t->work, t->seconds.best));
out:
    return rc;
}

static int stage_json(json_t *stages, const dun_bench *bench, unsigned stage) {
    int rc = DUN_OK;
    json_t *object = json_object();
    TRY(dun_json_append(stages, object));
    TRY(set_text(object, "stage", stage_names[stage]));
    TRY(set_ms(object, bench->step[stage]));
    if (stage != DUN_BENCH_WHOLE)
        TRY(dun_json_set(object, "share", dun_json_real(bench->step[stage].median / stages_seconds(bench))));
    if (bench->step_work[stage].flops > 0)
        TRY(set_rates(object, "gflops", bench->step_work[stage].flops * 1e-9, bench->step[stage]));
    if (stage == DUN_BENCH_WHOLE)
        TRY(set_parts(object, &bench->roof, &bench->step_work[stage], bench->step[stage].best));
out:
    return rc;
}

static int set_machine(json_t *root, const dun_session *session) {
    int rc = DUN_OK;
    const dun_device_info *info = dun_device_describe(session->device);
    dun_str tiles = {0};
    TRY(set_text(root, "version", DUN_VERSION));
    TRY(set_text(root, "model", dun_model_file_spec(session->model)->name));
    TRY(set_text(root, "device", info->name));
    TRY(set_text(root, "platform", info->platform));
    TRY(set_text(root, "driver", info->driver));
    TRY(set_text(root, "gemm", dun_gemm_name(session->compute.gemm)));
    TRY(set_text(root, "gemm_reason", dun_gemm_reason(session->compute.gemm)));
    TRY(dun_tiles_defines(&tiles, &session->compute.tiles, DUN_CUT_ALL));
    TRY(set_text(root, "tiles", tiles.bytes));
out:
    dun_str_free(&tiles);
    return rc;
}

static int print_json(const dun_bench *bench, const dun_session *session) {
    int rc = DUN_OK;
    json_t *root = json_object(), *array = json_array(), *step;
    TRY(set_machine(root, session));
    TRY(roof_json(root, &bench->roof));
    TRY(dun_json_set(root, "products", json_incref(array)));
    for (uint32_t i = 0; i < bench->n_products; i++)
        TRY(product_json(array, &bench->products[i]));
    json_decref(array);
    array = json_array();
    TRY(dun_json_set(root, "texts", json_incref(array)));
    for (size_t i = 0; i < DUN_BENCH_TEXTS; i++)
        TRY(text_json(array, &bench->texts[i], &bench->roof));
    json_decref(array);
    array = json_array();
    step = json_object();
    TRY(dun_json_set(root, "step", step));
    TRY(set_count(step, "batch_size", bench->batch_size));
    TRY(set_count(step, "prompt_rows", bench->n_prompt));
    TRY(set_count(step, "text_tokens", bench->text_tokens));
    TRY(dun_json_set(step, "stages", json_incref(array)));
    for (unsigned i = 0; i < DUN_BENCH_STAGES; i++)
        TRY(stage_json(array, bench, i));
    TRY(dun_out_json(root));
out:
    json_decref(array);
    json_decref(root);
    return rc;
}

enum { MAX_ROWS = 1 << 20 };

static int run(const dun_args *args) {
    int rc = DUN_OK;
    dun_overrides overrides = {0};
    dun_experiment experiment = {0};
    dun_bench bench;
    dun_progress progress;
    int64_t rows = 0; /* as many as a batch has */
    dun_observer observer = dun_progress_observer(&progress);
    TRY(dun_talk(&progress, args));
    TRY(dun_args_count(&rows, args, "rows", 1, MAX_ROWS));
    TRY(dun_overrides_read(&overrides, args));
    TRY(dun_experiment_open_config(&experiment, dun_args_operand(args, 0), &overrides, &observer));
    uint32_t longest = dun_bench_longest_text(&experiment.session);
    if (experiment.config.data.max_length < longest)
        experiment.config.data.max_length = longest;
    TRY(dun_session_start_engine(&experiment.session, true));
    TRY(dun_bench_run(&bench, &experiment.session, (uint32_t)rows));
    TRY(dun_args_has(args, "json") ? print_json(&bench, &experiment.session) : print_table(&bench));
out:
    dun_progress_close(&progress);
    dun_experiment_close(&experiment);
    dun_overrides_free(&overrides);
    return rc;
}

static const dun_option options[] = {
    {.name = "json", .help = "Print one JSON object instead of tables."},
    {.name = "rows",
     .argument = "N",
     .help = "Rows of the products, instead of those of a training batch and of a pass over texts."},
    DUN_OVERRIDE_OPTIONS,
    DUN_TALK_OPTIONS,
    {0},
};

const dun_command dun_command_bench = {
    .name = "bench",
    .summary = "Measure how fast the model of a config runs on a device.",
    .usage = "CONFIG [--json] [--rows N] [--device SELECTOR]",
    .help = "Measures every product of the model forward and backward (its head where points\n"
            "are logits, with one row a text, as the model runs it), the pass over texts of\n"
            "22 and of 512 tokens, and the stages of a training step; then what the device can\n"
            "do at most, in arithmetic, memory and launches, and which part of that text and\n"
            "step use. Tokens are random, the data sets of the config are not read. Each\n"
            "figure is the best and the median of several repetitions after a first one that\n"
            "does not count.",
    .options = options,
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
