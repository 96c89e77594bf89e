/* Collects a run's figures, points and scenes as the JSON of its page, and writes page and pictures. */
#include "report/report.h"

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "config/config.h"
#include "report/page.h"
#include "report/pictures.h"

#include <string.h>

enum {
    NEAREST = 5, /* distances told of a point, nearest first, its own class besides */
    CONFIG_BYTES = 1 << 20,
    NAME_BYTES = 120,
};

/* {"section.key": "default"}, so that the page can show what a config changed. */
static int add_defaults(dun_str *json) {
    int rc = DUN_OK;
    TRY(dun_str_addf(json, "{"));
    for (size_t i = 0; i < DUN_N_KEYS; i++) {
        const dun_config_key *key = &dun_config_key_table[i];
        TRY(dun_str_addf(json, "%s\"%s.%s\":", i ? "," : "", key->section, key->name));
        TRY(dun_page_add_string(json, key->initial, strlen(key->initial), CONFIG_BYTES));
    }
    TRY(dun_str_addf(json, "}"));
out:
    return rc;
}

/* [class, distance, class, distance, ...] of the nearest classes and the own one, nearest first. */
static int add_nearest(dun_str *json, const float *distances, uint32_t K, uint32_t label) {
    int rc = DUN_OK;
    uint32_t found[NEAREST];
    uint32_t n = 0;
    bool own = false;
    for (; n < NEAREST && n < K; n++) {
        uint32_t best = K;
        for (uint32_t k = 0; k < K; k++) {
            bool taken = false;
            for (uint32_t j = 0; j < n; j++)
                taken |= found[j] == k;
            if (!taken && (best == K || distances[k] < distances[best]))
                best = k;
        }
        found[n] = best;
        own |= best == label;
    }
    TRY(dun_str_addf(json, "["));
    for (uint32_t i = 0; i < n; i++)
        TRY(dun_str_addf(json, "%s%u,%.5g", i ? "," : "", found[i], (double)distances[found[i]]));
    if (!own)
        TRY(dun_str_addf(json, ",%u,%.5g", label, (double)distances[label]));
    TRY(dun_str_addf(json, "]"));
out:
    return rc;
}

/* Texts of the shown points by walking predictions.tsv, which has all of them. */
static int add_texts(dun_str *json, const dun_run_data *run) {
    int rc = DUN_OK;
    const dun_projection *p = &run->projection;
    dun_row_walk walk = {0};
    dun_str lines = {0};
    TRY(dun_str_addf(json, "\"text\":["));
    for (uint32_t i = 0; i < p->n; i++) {
        const char *text = NULL;
        size_t length = 0;
        uint64_t line = 0;
        while (walk.n_read <= (uint64_t)p->rows[i]) {
            TRY(dun_run_data_row(&text, &length, &line, &walk, run));
            if (rc == 0)
                TRY(dun_error(DUN_BAD_INPUT,
                              "%s/predictions.tsv: has %llu rows, the projection names row %lld", run->path,
                              (unsigned long long)walk.n_read, (long long)p->rows[i]));
        }
        TRY(dun_str_addf(json, "%s", i ? "," : ""));
        TRY(dun_page_add_string(json, text, length, DUN_PAGE_TEXT_BYTES));
        TRY(dun_str_addf(&lines, "%s%llu", i ? "," : "", (unsigned long long)line));
    }
    TRY(dun_str_addf(json, "],\"line\":[%s],", lines.bytes ? lines.bytes : ""));
out:
    dun_str_free(&lines);
    return rc;
}

static int add_points(dun_str *json, const dun_run_data *run) {
    int rc = DUN_OK;
    const dun_projection *p = &run->projection;
    uint32_t K = p->n_classes;
    TRY(dun_str_addf(json, "{"));
    TRY(add_texts(json, run));
    TRY(dun_str_addf(json, "\"x\":"));
    TRY(dun_page_add_numbers(json, p->points, p->n, 2, 5));
    TRY(dun_str_addf(json, ",\"y\":"));
    TRY(dun_page_add_numbers(json, p->points + 1, p->n, 2, 5));
    TRY(dun_str_addf(json, ",\"label\":["));
    for (uint32_t i = 0; i < p->n; i++)
        TRY(dun_str_addf(json, "%s%lld", i ? "," : "", (long long)p->labels[i]));
    TRY(dun_str_addf(json, "],\"near\":["));
    for (uint32_t i = 0; i < p->n; i++) {
        TRY(dun_str_addf(json, "%s", i ? "," : ""));
        TRY(add_nearest(json, p->distances + (size_t)i * K, K, (uint32_t)p->labels[i]));
    }
    TRY(dun_str_addf(json, "],\"cx\":"));
    TRY(dun_page_add_numbers(json, p->centroids, K, 2, 5));
    TRY(dun_str_addf(json, ",\"cy\":"));
    TRY(dun_page_add_numbers(json, p->centroids + 1, K, 2, 5));
    TRY(dun_str_addf(json, ",\"share\":[%.5g,%.5g]}", p->pca.share[0], p->pca.share[1]));
out:
    return rc;
}

static int add_scenes(dun_str *json, const dun_run_data *run) {
    int rc = DUN_OK;
    TRY(dun_str_addf(json, "["));
    for (uint32_t i = 0; i < run->n_scenes; i++) {
        const dun_scene *s = &run->scenes[i];
        TRY(dun_str_addf(json, "%s{\"step\":%llu,\"label\":[", i ? "," : "", (unsigned long long)s->step));
        for (uint32_t j = 0; j < s->n; j++)
            TRY(dun_str_addf(json, "%s%d", j ? "," : "", (int)s->labels[j]));
        TRY(dun_str_addf(json, "],\"x\":"));
        TRY(dun_page_add_numbers(json, s->points, s->n, 2, 4));
        TRY(dun_str_addf(json, ",\"y\":"));
        TRY(dun_page_add_numbers(json, s->points + 1, s->n, 2, 4));
        TRY(dun_str_addf(json, ",\"cx\":"));
        TRY(dun_page_add_numbers(json, s->centroids, run->n_classes, 2, 4));
        TRY(dun_str_addf(json, ",\"cy\":"));
        TRY(dun_page_add_numbers(json, s->centroids + 1, run->n_classes, 2, 4));
        TRY(dun_str_addf(json, "}"));
    }
    TRY(dun_str_addf(json, "]"));
out:
    return rc;
}

static const char *name_of(const char *path) {
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    size_t begin = length;
    while (begin > 0 && path[begin - 1] != '/')
        begin--;
    return begin < length ? path + begin : path;
}

static int add_run(dun_str *json, const dun_run_data *run) {
    int rc = DUN_OK;
    const char *name = name_of(run->path);
    TRY(dun_str_addf(json, "{\"name\":"));
    TRY(dun_page_add_string(json, name, strcspn(name, "/"), NAME_BYTES));
    TRY(dun_str_addf(json, ",\"classes\":["));
    for (uint32_t k = 0; k < run->n_classes; k++) {
        TRY(dun_str_addf(json, "%s", k ? "," : ""));
        TRY(dun_page_add_string(json, run->classes[k], strlen(run->classes[k]), NAME_BYTES));
    }
    TRY(dun_str_addf(json, "],\"metrics\":"));
    TRY(dun_json_dump(json, run->metrics));
    TRY(dun_str_addf(json, ",\"history\":%s,\"config\":", run->history.bytes));
    /* Line by line, so that the newlines stay what they are. */
    TRY(dun_str_addf(json, "["));
    for (size_t at = 0; at < run->config.length;) {
        const char *line = (const char *)run->config.bytes + at;
        const char *end = memchr(line, '\n', run->config.length - at);
        size_t length = end ? (size_t)(end - line) : run->config.length - at;
        TRY(dun_str_addf(json, "%s", at ? "," : ""));
        TRY(dun_page_add_string(json, line, length, CONFIG_BYTES));
        at += length + 1;
    }
    TRY(dun_str_addf(json, "],\"points\":"));
    TRY(run->has_points ? add_points(json, run) : dun_str_addf(json, "null"));
    TRY(dun_str_addf(json, ",\"frames\":"));
    TRY(add_scenes(json, run));
    TRY(dun_str_addf(json, "}"));
out:
    return rc;
}

int dun_report_page(dun_str *html, const dun_run_data *runs, size_t n) {
    int rc = DUN_OK;
    dun_str json = {0};
    TRY(dun_str_addf(&json, "{\"program\":\"dunlin %s\",\"defaults\":", DUN_VERSION));
    TRY(add_defaults(&json));
    TRY(dun_str_addf(&json, ",\"runs\":["));
    for (size_t i = 0; i < n; i++) {
        TRY(dun_str_addf(&json, "%s", i ? "," : ""));
        TRY(add_run(&json, &runs[i]));
    }
    TRY(dun_str_addf(&json, "]}"));
    TRY(dun_page_add(html, DUN_PAGE_REPORT, "dunlin report", &json));
out:
    dun_str_free(&json);
    return rc;
}

int dun_report_write(const char *out_path, const char *const *run_paths, size_t n) {
    int rc = DUN_OK;
    dun_run_data *runs = NULL;
    size_t n_read = 0;
    dun_str html = {0};
    TRY_NEW(runs, n);
    for (; n_read < n; n_read++)
        TRY(dun_run_data_read(&runs[n_read], run_paths[n_read]));
    TRY(dun_report_page(&html, runs, n));
    TRY(dun_file_write(out_path, html.bytes, html.length));
out:
    for (size_t i = 0; i < n_read; i++)
        dun_run_data_free(&runs[i]);
    dun_free(runs);
    dun_str_free(&html);
    return rc;
}

int dun_report_finish(const dun_run_dir *run, bool pictures) {
    int rc = DUN_OK;
    dun_run_data data = {0};
    dun_str html = {0};
    TRY(dun_run_data_read(&data, run->path));
    TRY(dun_report_page(&html, &data, 1));
    TRY(dun_run_dir_write(run, "report.html", &html));
    if (pictures)
        TRY(dun_run_pictures(run, &data));
out:
    dun_run_data_free(&data);
    dun_str_free(&html);
    return rc;
}
