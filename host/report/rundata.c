/* Reads metrics, history, scenes and points from a run's files, thinned to what a page can show. */
#include "report/rundata.h"

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "run/rundir.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_STEPS = 2000 }; /* of a curve */

static int map(dun_file *file, const char *run_path, const char *name) {
    int rc = DUN_OK;
    char *path = NULL;
    TRY_PTR(path, dun_run_dir_file(run_path, name));
    TRY(dun_file_map(file, path));
out:
    dun_free(path);
    return rc;
}

static int read_metrics(dun_run_data *data) {
    int rc = DUN_OK;
    char *path = NULL;
    if (!dun_run_dir_complete(data->path))
        TRY(dun_error(DUN_BAD_INPUT, "%s: is not the folder of a finished run: it has no metrics.json",
                      data->path));
    TRY_PTR(path, dun_run_dir_file(data->path, "metrics.json"));
    TRY(dun_json_read(&data->metrics, path));
    (void)json_object_del(data->metrics, "files"); /* a page is for others, who need not know my folders */
    const json_t *classes = json_object_get(data->metrics, "classes");
    if (!classes && json_object_get(data->metrics, "least_distance"))
        TRY(dun_error(DUN_USAGE, "%s: is a flock's folder; its page is %s/boids.html", data->path,
                      data->path));
    data->n_classes = (uint32_t)json_array_size(classes);
    TRY_NEW(data->classes, data->n_classes);
    for (uint32_t k = 0; k < data->n_classes; k++) {
        const char *name = json_string_value(json_object_get(json_array_get(classes, k), "name"));
        if (!name)
            TRY(dun_error(DUN_BAD_INPUT, "%s: class %u has no name", path, k));
        TRY_PTR(data->classes[k], dun_strdup(name));
    }
    if (data->n_classes < 2)
        TRY(dun_error(DUN_BAD_INPUT, "%s: has no classes", path));
out:
    dun_free(path);
    return rc;
}

typedef struct {
    double *step, *epoch, *loss, *accuracy, *valid, *valid_loss; /* NAN: not there */
    size_t n, capacity[6];
} curves;

static int add_step(curves *c, const dun_step_record *record) {
    int rc = DUN_OK;
    TRY_GROW(c->step, c->capacity[0], c->n);
    TRY_GROW(c->epoch, c->capacity[1], c->n);
    TRY_GROW(c->loss, c->capacity[2], c->n);
    TRY_GROW(c->accuracy, c->capacity[3], c->n);
    TRY_GROW(c->valid, c->capacity[4], c->n);
    TRY_GROW(c->valid_loss, c->capacity[5], c->n);
    c->step[c->n] = (double)record->step;
    c->epoch[c->n] = record->epoch ? (double)record->epoch : NAN;
    c->loss[c->n] = record->loss;
    c->accuracy[c->n] = record->accuracy;
    c->valid[c->n] = record->valid_accuracy;
    c->valid_loss[c->n] = record->valid_loss;
    if (record->step)
        c->n++;
out:
    return rc;
}

/* One column; `mean` of every `group` steps, else the group's last. */
static int add_column(dun_str *out, const char *name, const double *values, size_t n, size_t group,
                      bool mean) {
    int rc = DUN_OK;
    TRY(dun_str_addf(out, "\"%s\":[", name));
    for (size_t i = 0; i < n; i += group) {
        size_t count = n - i < group ? n - i : group;
        double sum = 0;
        for (size_t j = i; j < i + count; j++)
            sum += values[j];
        double value = mean ? sum / (double)count : values[i + count - 1];
        TRY(isfinite(value) ? dun_str_addf(out, "%s%.6g", i ? "," : "", value)
                            : dun_str_addf(out, "%snull", i ? "," : ""));
    }
    TRY(dun_str_addf(out, "],"));
out:
    return rc;
}

/* [[step, value]..] of the steps after which there is one. */
static int add_valid(dun_str *out, const char *name, const curves *c, const double *values) {
    int rc = DUN_OK;
    size_t n_valid = 0, seen = 0, every, written = 0;
    for (size_t i = 0; i < c->n; i++)
        n_valid += isnan(values[i]) ? 0 : 1;
    every = n_valid > 0 ? (n_valid + MOST_STEPS - 1) / MOST_STEPS : 1;
    TRY(dun_str_addf(out, "\"%s\":[", name));
    for (size_t i = 0; i < c->n; i++) {
        if (isnan(values[i]) || (seen++, (n_valid - seen) % every))
            continue;
        TRY(dun_str_addf(out, "%s[%.15g,%.6g]", written++ ? "," : "", c->step[i], values[i]));
    }
    TRY(dun_str_addf(out, "]"));
out:
    return rc;
}

static int read_history(dun_run_data *data) {
    int rc = DUN_OK, more;
    dun_history history;
    dun_step_record record;
    curves c = {0};
    TRY(dun_history_open(&history, data->path));
    while ((more = dun_history_next(&record, &history)) == 1)
        TRY(add_step(&c, &record));
    TRY(more);
    size_t group = c.n > MOST_STEPS ? (c.n + MOST_STEPS - 1) / MOST_STEPS : 1;
    TRY(dun_str_addf(&data->history, "{\"group\":%zu,", group));
    TRY(add_column(&data->history, "step", c.step, c.n, group, false));
    TRY(add_column(&data->history, "epoch", c.epoch, c.n, group, false));
    TRY(add_column(&data->history, "loss", c.loss, c.n, group, true));
    TRY(add_column(&data->history, "accuracy", c.accuracy, c.n, group, true));
    TRY(add_valid(&data->history, "valid", &c, c.valid));
    TRY(dun_str_addf(&data->history, ","));
    TRY(add_valid(&data->history, "valid_loss", &c, c.valid_loss));
    TRY(dun_str_addf(&data->history, "}"));
out:
    dun_free(c.step);
    dun_free(c.epoch);
    dun_free(c.loss);
    dun_free(c.accuracy);
    dun_free(c.valid);
    dun_free(c.valid_loss);
    dun_history_close(&history);
    return rc;
}

static void project_rows(float *out, const float *rows, uint32_t n, const dun_pca *pca) {
    for (uint32_t i = 0; i < n; i++)
        dun_pca_project(out + (size_t)2 * i, pca, rows + (size_t)i * pca->width);
}

/* Frames on the axes of the trained points, and at the end the trained centroids alone. */
static int read_scenes(dun_run_data *data, const char *path) {
    int rc = DUN_OK;
    const dun_projection *p = &data->projection;
    dun_trajectory_file file = {0};
    dun_trajectory_frame frame;
    float *values = NULL;
    TRY(dun_trajectory_read(&file, path));
    const dun_trajectory_shape *s = &file.shape;
    if (s->n_classes != p->n_classes || s->width != p->width)
        TRY(dun_error(DUN_BAD_INPUT, "%s: its classes or its width are not those of the projection", path));
    TRY_NEW(values, ((size_t)s->n_points + s->n_classes) * s->width);
    TRY_NEW(data->scenes, (size_t)file.n_frames + 1);
    data->n_scenes = file.n_frames + 1;
    for (uint32_t i = 0; i < data->n_scenes; i++)
        TRY_NEW(data->scenes[i].centroids, (size_t)2 * s->n_classes);
    for (uint32_t i = 0; i < file.n_frames; i++) {
        dun_scene *scene = &data->scenes[i];
        TRY(dun_trajectory_get(&frame, values, &file, i));
        scene->step = frame.step;
        scene->n = frame.n;
        memcpy(scene->labels, frame.labels, sizeof frame.labels);
        project_rows(scene->points, values, frame.n, &p->pca);
        project_rows(scene->centroids, values + (size_t)s->n_points * s->width, s->n_classes, &p->pca);
    }
    dun_scene *last = &data->scenes[file.n_frames];
    last->step = s->n_steps;
    memcpy(last->centroids, p->centroids, (size_t)2 * p->n_classes * sizeof *p->centroids);
out:
    dun_free(values);
    dun_trajectory_free(&file);
    return rc;
}

static int read_points(dun_run_data *data) {
    int rc = DUN_OK;
    char *projection = NULL, *trajectory = NULL;
    TRY_PTR(projection, dun_run_dir_file(data->path, "projection.safetensors"));
    TRY_PTR(trajectory, dun_run_dir_file(data->path, "trajectory"));
    if (access(projection, F_OK) != 0)
        goto out;
    TRY(dun_projection_read(&data->projection, projection));
    data->has_points = true;
    if (data->projection.n_classes != data->n_classes)
        TRY(dun_error(DUN_BAD_INPUT, "%s: has %u classes, metrics.json %u", projection,
                      data->projection.n_classes, data->n_classes));
    if (access(trajectory, F_OK) == 0)
        TRY(read_scenes(data, trajectory));
out:
    dun_free(projection);
    dun_free(trajectory);
    return rc;
}

int dun_run_data_read(dun_run_data *data, const char *run_path) {
    int rc = DUN_OK;
    *data = (dun_run_data){.path = run_path};
    TRY(read_metrics(data));
    TRY(map(&data->config, run_path, "config.ini"));
    TRY(map(&data->rows, run_path, "predictions.tsv"));
    TRY(read_history(data));
    TRY(read_points(data));
out:
    if (rc < 0)
        dun_run_data_free(data);
    return rc;
}

void dun_run_data_free(dun_run_data *data) {
    for (uint32_t i = 0; i < data->n_scenes; i++)
        dun_free(data->scenes[i].centroids);
    dun_free(data->scenes);
    for (uint32_t k = 0; data->classes && k < data->n_classes; k++)
        dun_free(data->classes[k]);
    dun_free(data->classes);
    if (data->has_points)
        dun_projection_free(&data->projection);
    dun_str_free(&data->history);
    dun_file_unmap(&data->rows);
    dun_file_unmap(&data->config);
    json_decref(data->metrics);
    *data = (dun_run_data){0};
}

/* The field of a line with that number; the last one of a line runs to its end. */
static const char *field(size_t *length, const char *line, size_t n, int number_of_field) {
    for (; number_of_field > 0; number_of_field--) {
        const char *tab = memchr(line, '\t', n);
        if (!tab)
            return NULL;
        n -= (size_t)(tab + 1 - line);
        line = tab + 1;
    }
    const char *tab = memchr(line, '\t', n);
    *length = tab ? (size_t)(tab - line) : n;
    return line;
}

static int find_text_column(const char *line, size_t n) {
    size_t length = 0;
    for (int i = 0;; i++) {
        const char *at = field(&length, line, n, i);
        if (!at || (length == 4 && memcmp(at, "text", 4) == 0))
            return at ? i : -1;
    }
}

int dun_run_data_row(const char **text, size_t *length, uint64_t *line, dun_row_walk *walk,
                     const dun_run_data *data) {
    const dun_file *file = &data->rows;
    for (;;) {
        if (walk->at >= file->length)
            return 0;
        const char *begin = (const char *)file->bytes + walk->at;
        const char *end = memchr(begin, '\n', file->length - walk->at);
        size_t n = end ? (size_t)(end - begin) : file->length - walk->at;
        bool head = walk->at == 0;
        walk->at += n + 1;
        if (head) {
            walk->text_column = find_text_column(begin, n);
            continue;
        }
        walk->n_read++;
        *text = walk->text_column < 0 ? NULL : field(length, begin, n, walk->text_column);
        *line = 0;
        for (size_t i = 0; i < n && begin[i] >= '0' && begin[i] <= '9' && *line < UINT32_MAX; i++)
            *line = *line * 10 + (uint64_t)(begin[i] - '0');
        if (!*text)
            return dun_error(DUN_BAD_INPUT, "%s/predictions.tsv: row %llu has no text", data->path,
                             (unsigned long long)walk->n_read);
        return 1;
    }
}
