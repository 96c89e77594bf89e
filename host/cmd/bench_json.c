/* The JSON object of dunlin bench. */
#include "cmd/bench.h"

#include "base/err.h"
#include "base/json.h"
#include "cmd/out.h"

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
    TRY(dun_json_set(object, "processor_ms", dun_json_real(seconds.processor * 1e3)));
    TRY(dun_json_set(object, "worst_ms", dun_json_real(seconds.worst * 1e3)));
    TRY(dun_json_set(object, "repetitions", json_integer((json_int_t)seconds.n)));
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
    TRY(set_text(object, "matrix", dun_bench_matrix_names[p->matrix]));
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
    TRY(set_text(object, "stage", dun_bench_stage_names[stage]));
    TRY(set_ms(object, bench->step[stage]));
    if (stage != DUN_BENCH_WHOLE)
        TRY(dun_json_set(object, "share",
                         dun_json_real(bench->step[stage].median / dun_bench_stages_seconds(bench))));
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
    TRY(set_text(root, "precision", dun_gemm_precision(session->compute.gemm)));
    TRY(set_text(root, "precision_reason", dun_gemm_precision_reason(session->compute.gemm)));
    TRY(dun_tiles_defines(&tiles, &session->compute.tiles, DUN_CUT_ALL));
    TRY(set_text(root, "tiles", tiles.bytes));
out:
    dun_str_free(&tiles);
    return rc;
}

/* The tokens of the longest pass; texts and the step have the first so many of them. */
static int tokens_json(json_t *root, const dun_bench *bench, const dun_session *session) {
    int rc = DUN_OK;
    json_t *array = json_array();
    uint32_t n = bench->batch_size * bench->text_tokens;
    TRY(dun_json_set(root, "tokens", array));
    for (size_t i = 0; i < DUN_BENCH_TEXTS; i++) {
        const uint32_t rows = bench->texts[i].n_texts * bench->texts[i].tokens;
        n = rows > n ? rows : n;
    }
    for (uint32_t i = 0; i < n; i++)
        TRY(dun_json_append(array, json_integer(dun_bench_token(session, i))));
out:
    return rc;
}

/* What is measured only where it is wished for. */
static int extra_json(json_t *root, const char *name, dun_bench_seconds seconds) {
    int rc = DUN_OK;
    json_t *object;
    if (seconds.n == 0)
        goto out;
    object = json_object();
    TRY(dun_json_set(root, name, object));
    TRY(set_ms(object, seconds));
out:
    return rc;
}

int dun_bench_print_json(const dun_bench *bench, const dun_session *session) {
    int rc = DUN_OK;
    json_t *root = json_object(), *array = json_array(), *step;
    TRY(set_machine(root, session));
    TRY(roof_json(root, &bench->roof));
    TRY(tokens_json(root, bench, session));
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
    TRY(extra_json(root, "whole", bench->whole));
    TRY(extra_json(root, "builds", bench->builds));
    TRY(dun_out_json(root));
out:
    json_decref(array);
    json_decref(root);
    return rc;
}
