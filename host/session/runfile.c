/* Reads and writes the saved prompt, and refuses shapes and values that cannot be. */
#include "session/runfile.h"

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"
#include "io/store/safetensors.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of one prompt, and of several. */
static const char format_name[] = "dunlin-prompt-1", several_name[] = "dunlin-prompt-2";

/* Copies numbers out of a file, refusing values that are not finite. */
static int read_numbers(float **out, const dun_tensor *tensor, size_t n, uint32_t columns, const char *path) {
    int rc = DUN_OK;
    TRY_NEW(*out, n);
    dun_tensor_to_f32(*out, tensor);
    for (size_t i = 0; i < n; i++)
        if (!isfinite((*out)[i]))
            TRY(dun_error(DUN_BAD_INPUT, "%s: tensor %s has a value that is not finite in row %zu", path,
                          tensor->name, i / columns));
out:
    return rc;
}

static bool is_size(uint64_t n) {
    return n > 0 && n <= INT32_MAX;
}

/* A matrix, and no other shape. */
static int read_matrix(float **out, uint32_t *rows, uint32_t *columns, const dun_tensor *tensor,
                       const char *path) {
    int rc = DUN_OK;
    *out = NULL;
    if (!dun_tensor_is_real(tensor) || tensor->n_dims != 2 || !is_size(tensor->dims[0]) ||
        !is_size(tensor->dims[1]))
        TRY(dun_error(DUN_BAD_INPUT, "%s: tensor %s must be F32, F16 or BF16 with two dimensions", path,
                      tensor->name));
    *rows = (uint32_t)tensor->dims[0];
    *columns = (uint32_t)tensor->dims[1];
    TRY(read_numbers(out, tensor, (size_t)*rows * *columns, *columns, path));
out:
    return rc;
}

/* One prompt, or several. */
static int read_rows(dun_saved_prompt *saved, const dun_tensor *tensor, const char *path) {
    int rc = DUN_OK;
    const bool several = tensor->n_dims == 3;
    const uint64_t *dims = tensor->dims + several, n = several ? tensor->dims[0] : 1;
    if (!dun_tensor_is_real(tensor) || tensor->n_dims < 2 || tensor->n_dims > 3 || !is_size(n) ||
        !is_size(dims[0]) || !is_size(dims[1]) || n * dims[0] > INT32_MAX)
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: tensor %s must be F32, F16 or BF16 with two dimensions, or with three of several "
                      "prompts",
                      path, tensor->name));
    saved->n_prompts = (uint32_t)n;
    saved->n_rows = (uint32_t)dims[0];
    saved->width = (uint32_t)dims[1];
    TRY(read_numbers(&saved->rows, tensor, (size_t)(n * dims[0] * dims[1]), saved->width, path));
out:
    return rc;
}

int dun_saved_prompt_check_count(const dun_saved_prompt *saved, const dun_config *config, const char *path) {
    const uint32_t n = saved->n_prompts ? saved->n_prompts : 1;
    if (n == (uint32_t)config->prompt.count)
        return DUN_OK;
    return dun_error(DUN_USAGE, "%s: has %u prompt%s; prompt.count (%s) is %lld", path, n, n > 1 ? "s" : "",
                     dun_config_origin(config, DUN_KEY_prompt_count), (long long)config->prompt.count);
}

static const char *metadata_of(const dun_safetensors *file, const char *key) {
    const char *value = json_string_value(json_object_get(file->metadata, key));
    return value ? value : "";
}

static int read_class_names(dun_saved_prompt *saved, const dun_safetensors *file, const char *path) {
    int rc = DUN_OK;
    json_t *names = NULL;
    const char *text = metadata_of(file, "classes");
    TRY(dun_json_parse(&names, text, strlen(text), path, 1));
    if (!json_is_array(names) || json_array_size(names) != saved->n_classes)
        TRY(dun_error(DUN_BAD_INPUT, "%s: the metadata's classes must be a list of %u names", path,
                      saved->n_classes));
    TRY_NEW(saved->class_names, saved->n_classes);
    for (uint32_t k = 0; k < saved->n_classes; k++) {
        const char *name = json_string_value(json_array_get(names, k));
        if (!name)
            TRY(dun_error(DUN_BAD_INPUT, "%s: the metadata's class %u is not a string", path, k));
        TRY_PTR(saved->class_names[k], dun_strdup(name));
    }
out:
    json_decref(names);
    return rc;
}

/* The map that a run's points went through, where its config asks for one. */
static int read_normalization(dun_saved_prompt *saved, const dun_safetensors *file, const char *path) {
    int rc = DUN_OK;
    uint32_t rows, columns;
    const dun_tensor *tensor = dun_safetensors_find(file, "normalization");
    if (!tensor)
        goto out;
    TRY(read_matrix(&saved->normalization, &rows, &columns, tensor, path));
    const uint32_t width = saved->metric ? saved->metric_width : saved->point_width;
    if (rows != 2 || columns != width)
        TRY(dun_error(DUN_BAD_INPUT, "%s: tensor normalization is (%u, %u); (2, %u) is needed%s", path, rows,
                      columns, width, saved->metric ? "" : " where there is no tensor metric"));
out:
    return rc;
}

/* The matrix that they went through after that. */
static int read_metric(dun_saved_prompt *saved, const dun_safetensors *file, const char *path) {
    int rc = DUN_OK;
    uint32_t rows;
    const dun_tensor *tensor = dun_safetensors_find(file, "metric");
    if (!tensor)
        goto out;
    TRY(read_matrix(&saved->metric, &rows, &saved->metric_width, tensor, path));
    if (rows != saved->point_width)
        TRY(dun_error(DUN_BAD_INPUT, "%s: tensor metric has %u rows; centroids are %u wide", path, rows,
                      saved->point_width));
out:
    return rc;
}

/* The temperature that was fitted, if one was. */
static int read_calibration(dun_saved_prompt *saved, const dun_safetensors *file, const char *path) {
    int rc = DUN_OK;
    bool lost;
    const char *text = metadata_of(file, "calibration_temperature");
    if (!*text)
        goto out;
    TRY(dun_number_read(&saved->calibration, &lost, text));
    if (rc == 0 || !(saved->calibration > 0))
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: the metadata's calibration_temperature is %.40s; a number above 0 is needed", path,
                      text));
    rc = DUN_OK;
out:
    return rc;
}

/* Label words and their offsets, one a class. */
static int read_label_words(dun_saved_prompt *saved, const dun_safetensors *file, const char *path) {
    int rc = DUN_OK;
    json_t *offsets = NULL;
    const char *words = metadata_of(file, "label_words"), *text = metadata_of(file, "label_offsets");
    if (!*words)
        goto out;
    if (!*text)
        TRY(dun_error(DUN_BAD_INPUT, "%s: the metadata has label_words and no label_offsets", path));
    TRY(dun_json_parse(&offsets, text, strlen(text), path, 1));
    if (!json_is_array(offsets) || json_array_size(offsets) != saved->n_classes)
        TRY(dun_error(DUN_BAD_INPUT, "%s: the metadata's label_offsets must be a list of %u numbers", path,
                      saved->n_classes));
    TRY_PTR(saved->label_words, dun_strdup(words));
    TRY_NEW(saved->label_offsets, saved->n_classes);
    for (uint32_t k = 0; k < saved->n_classes; k++) {
        const json_t *offset = json_array_get(offsets, k);
        saved->label_offsets[k] = (float)json_number_value(offset);
        if (!json_is_number(offset) || !isfinite(saved->label_offsets[k]))
            TRY(dun_error(DUN_BAD_INPUT, "%s: the metadata's label offset %u is no finite number", path, k));
    }
out:
    json_decref(offsets);
    return rc;
}

static int read_all(dun_saved_prompt *saved, const dun_safetensors *file, const char *path) {
    int rc = DUN_OK;
    const dun_tensor *rows = dun_safetensors_find(file, "prompt_embeddings");
    const dun_tensor *centroids = dun_safetensors_find(file, "centroids");
    if (!rows)
        TRY(dun_error(DUN_BAD_INPUT, "%s: has no tensor prompt_embeddings; a saved prompt is needed", path));
    TRY(read_rows(saved, rows, path));
    snprintf(saved->model_name, sizeof saved->model_name, "%s", metadata_of(file, "model"));
    const char *kind = metadata_of(file, "kind");
    saved->foreign = strcmp(kind, format_name) != 0 && strcmp(kind, several_name) != 0;
    saved->model_hash = strtoull(metadata_of(file, "model_hash"), NULL, 16);
    if (centroids) {
        TRY(read_matrix(&saved->centroids, &saved->n_classes, &saved->point_width, centroids, path));
        TRY(read_class_names(saved, file, path));
        TRY(read_metric(saved, file, path));
        TRY(read_normalization(saved, file, path));
        TRY(read_calibration(saved, file, path));
        TRY(read_label_words(saved, file, path));
    }
out:
    return rc;
}

int dun_saved_prompt_read(dun_saved_prompt *saved, const char *path) {
    int rc = DUN_OK;
    dun_safetensors file = {0};
    *saved = (dun_saved_prompt){0};
    TRY(dun_safetensors_open(&file, path));
    TRY(read_all(saved, &file, path));
out:
    dun_safetensors_free(&file);
    if (rc < 0)
        dun_saved_prompt_free(saved);
    return rc;
}

int dun_saved_prompt_parse(dun_saved_prompt *saved, const void *bytes, size_t length, const char *name) {
    int rc = DUN_OK;
    dun_safetensors file = {0};
    *saved = (dun_saved_prompt){0};
    TRY(dun_safetensors_parse(&file, bytes, length, name));
    TRY(read_all(saved, &file, name));
out:
    dun_safetensors_free(&file);
    if (rc < 0)
        dun_saved_prompt_free(saved);
    return rc;
}

static int add_label_words(json_t *metadata, const dun_saved_prompt *saved) {
    int rc = DUN_OK;
    dun_str text = {0};
    json_t *offsets = json_array();
    if (!saved->label_words)
        goto out;
    for (uint32_t k = 0; k < saved->n_classes; k++)
        TRY(dun_json_append(offsets, dun_json_real((double)saved->label_offsets[k])));
    TRY(dun_json_dump(&text, offsets));
    TRY(dun_json_set(metadata, "label_words", json_string(saved->label_words)));
    TRY(dun_json_set(metadata, "label_offsets", json_string(text.bytes)));
out:
    dun_str_free(&text);
    json_decref(offsets);
    return rc;
}

static int make_metadata(json_t **out, const dun_saved_prompt *saved) {
    int rc = DUN_OK;
    dun_str classes = {0}, temperature = {0};
    json_t *names = json_array();
    char hash[24], scale[24];
    snprintf(hash, sizeof hash, "%016" PRIx64, saved->model_hash);
    for (uint32_t k = 0; k < saved->n_classes; k++)
        json_array_append_new(names, json_string(saved->class_names[k]));
    TRY(dun_json_dump(&classes, names));
    *out = json_pack("{s:s, s:s, s:s, s:s, s:s}", "format", "pt", "kind",
                     saved->n_prompts > 1 ? several_name : format_name, "model", saved->model_name,
                     "model_hash", hash, "classes", classes.bytes);
    if (!*out)
        TRY(dun_error(DUN_FAILED, "out of memory for the prompt's metadata"));
    if (saved->scale > 0 && (saved->scale < 1 || saved->scale > 1)) {
        snprintf(scale, sizeof scale, "%.9g", (double)saved->scale);
        TRY(dun_json_set(*out, "embedding_scale", json_string(scale)));
    }
    if (saved->calibration > 0) {
        TRY(dun_number_add(&temperature, saved->calibration));
        TRY(dun_json_set(*out, "calibration_temperature", json_string(temperature.bytes)));
    }
    TRY(add_label_words(*out, saved));
out:
    if (rc < 0) {
        json_decref(*out);
        *out = NULL;
    }
    dun_str_free(&temperature);
    json_decref(names);
    dun_str_free(&classes);
    return rc;
}

size_t dun_saved_prompt_tensors(dun_tensor out[DUN_SAVED_TENSORS], const dun_saved_prompt *saved) {
    const uint64_t K = saved->n_classes, M = saved->point_width;
    const uint64_t D = saved->metric ? saved->metric_width : M;
    size_t n = 0;
    out[n++] = (dun_tensor){"centroids", DUN_F32, 2, {K, M, 1, 1}, saved->centroids, K * M * sizeof(float)};
    if (saved->normalization)
        out[n++] = (dun_tensor){"normalization",      DUN_F32, 2, {2, D, 1, 1}, saved->normalization,
                                2 * D * sizeof(float)};
    if (saved->metric)
        out[n++] = (dun_tensor){"metric", DUN_F32, 2, {M, D, 1, 1}, saved->metric, M * D * sizeof(float)};
    return n;
}

int dun_saved_prompt_dump(dun_str *out, const dun_saved_prompt *saved) {
    int rc = DUN_OK;
    json_t *metadata = NULL;
    const uint64_t P = saved->n_rows, C = saved->width, k = saved->n_prompts ? saved->n_prompts : 1;
    const size_t bytes = k * P * C * sizeof(float);
    size_t n = 1;
    dun_tensor tensors[1 + DUN_SAVED_TENSORS] = {
        {"prompt_embeddings", DUN_F32, 2, {P, C, 1, 1}, saved->rows, bytes}};
    if (k > 1)
        tensors[0] = (dun_tensor){"prompt_embeddings", DUN_F32, 3, {k, P, C, 1}, saved->rows, bytes};
    if (saved->n_classes)
        n += dun_saved_prompt_tensors(tensors + 1, saved);
    TRY(make_metadata(&metadata, saved));
    TRY(dun_safetensors_dump(out, tensors, n, metadata, "the prompt"));
out:
    json_decref(metadata);
    return rc;
}

int dun_saved_prompt_write(const dun_saved_prompt *saved, const char *path) {
    int rc = DUN_OK;
    dun_str bytes = {0};
    TRY(dun_saved_prompt_dump(&bytes, saved));
    TRY(dun_file_write(path, bytes.bytes, bytes.length));
out:
    dun_str_free(&bytes);
    return rc;
}

void dun_saved_prompt_free(dun_saved_prompt *saved) {
    for (uint32_t k = 0; saved->class_names && k < saved->n_classes; k++)
        dun_free(saved->class_names[k]);
    dun_free(saved->class_names);
    dun_free(saved->centroids);
    dun_free(saved->normalization);
    dun_free((char *)(uintptr_t)saved->label_words);
    dun_free(saved->label_offsets);
    dun_free(saved->metric);
    dun_free(saved->rows);
    *saved = (dun_saved_prompt){0};
}
