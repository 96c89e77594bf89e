/* Models beside what transformers computes of them: a folder of NAME/hf, NAME/model.gguf and
 * NAME/reference.json (of a GGUF file that means another model, NAME/reference-gguf.json). Prints how far
 * token ids, points, top logits and the prompt's gradient are for each form of each model; exit 1 where one
 * is too far. A stored format that is refused with one to ask for is neither near nor far. In the test run it
 * goes through tests/fixtures/families; by hand:
 *
 *     reference_models FOLDER [NAME...]          all models, or those whose names begin so
 *
 * A reference has a prompt (prompt_rows, width), or the ids of its rows, prompt_ids; cases with a text, its
 * ids, `hidden`, the point where the prompt stands after it, and `top`, pairs of id and logit; and a
 * gradient: indices of cases, labels, centroids, loss, d_prompt. */
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "io/model_file.h"
#include "learn/loss.h"
#include "nn/engine.h"
#include "session/embedding.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_CASES = 32, MAX_NAMES = 512, PATH_BYTES = 1024 };
static const double most_point = 2e-5, most_gradient = 1e-4;

/* How far one form of a model is from its reference; ids: texts whose ids differ. NaN: not computed. */
typedef struct {
    int ids;
    double point, logit, loss, gradient;
} distances;

/* A model on the device with one kind of point, and its reference. */
typedef struct {
    dun_device *device;
    dun_compute compute;
    dun_engine engine;
    dun_batch batch;
    const json_t *cases, *reference;
    uint32_t row[MAX_CASES], n_cases, P, C, D;
    float *points; /* (n_cases, D) */
} scene;

static size_t ids_of(int32_t *out, const json_t *one) {
    const json_t *ids = json_object_get(one, "ids");
    for (size_t i = 0; out && i < json_array_size(ids); i++)
        out[i] = (int32_t)json_integer_value(json_array_get(ids, i));
    return json_array_size(ids);
}

static double *numbers(const json_t *list, size_t *n) {
    *n = json_array_size(list);
    double *out = dun_calloc(*n, sizeof *out);
    for (size_t i = 0; out && i < *n; i++)
        out[i] = json_number_value(json_array_get(list, i));
    return out;
}

/* || a - b || / || b || */
static double distance(const float *a, const double *b, size_t n) {
    double difference = 0, norm = 0;
    for (size_t i = 0; i < n; i++) {
        difference += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        norm += b[i] * b[i];
    }
    return sqrt(difference / norm);
}

/* Of a list of numbers; NaN where memory or a number lacks. */
static double distance_to(const float *a, const json_t *list, size_t n) {
    size_t n_list;
    double *b = numbers(list, &n_list), result = b && n == n_list ? distance(a, b, n) : (double)NAN;
    dun_free(b);
    return result;
}

static void worse(double *worst, double value) {
    if (!(*worst >= value))
        *worst = value;
}

static int write_floats(dun_buffer *out, const json_t *list) {
    int rc = DUN_OK;
    size_t n = json_array_size(list);
    float *values = NULL;
    TRY_NEW(values, n);
    for (size_t i = 0; i < n; i++)
        values[i] = (float)json_number_value(json_array_get(list, i));
    TRY(dun_buffer_write(out, 0, values, n * sizeof *values));
out:
    dun_free(values);
    return rc;
}

static void close_scene(scene *s) {
    dun_free(s->points);
    dun_batch_free(&s->batch);
    dun_engine_free(&s->engine);
    dun_compute_free(&s->compute);
}

/* The reference's prompt: its rows, or of a large model the tokens whose embeddings they are. */
static int write_prompt(scene *s, const dun_model_file *model) {
    int rc = DUN_OK;
    const json_t *rows = json_object_get(s->reference, "prompt");
    const json_t *ids = json_object_get(s->reference, "prompt_ids");
    float *embedded = NULL;
    if (json_array_size(rows ? rows : ids) != (rows ? (size_t)s->P * s->C : s->P))
        TRY(dun_error(DUN_BAD_INPUT, "the reference is of another model"));
    if (rows) {
        TRY(write_floats(&s->engine.prompt, rows));
        goto out;
    }
    TRY_NEW(embedded, (size_t)s->P * s->C);
    for (uint32_t p = 0; p < s->P; p++)
        TRY(dun_embedding_rows(embedded + (size_t)p * s->C, model,
                               (uint32_t)json_integer_value(json_array_get(ids, p)), 1));
    TRY(dun_buffer_write(&s->engine.prompt, 0, embedded, (size_t)s->P * s->C * sizeof *embedded));
out:
    dun_free(embedded);
    return rc;
}

/* The engine with the reference's prompt, and all its texts cached. */
static int open_scene(scene *s, dun_device *device, const dun_model_file *model, const json_t *reference,
                      bool logits) {
    int rc = DUN_OK;
    const dun_spec *spec = dun_model_file_spec(model);
    uint32_t rows = 0, longest = 0;
    *s = (scene){.device = device, .reference = reference, .cases = json_object_get(reference, "cases")};
    s->P = (uint32_t)json_integer_value(json_object_get(reference, "prompt_rows"));
    s->C = spec->width;
    s->n_cases = (uint32_t)json_array_size(s->cases);
    if (s->n_cases > MAX_CASES)
        TRY(dun_error(DUN_BAD_INPUT, "the reference has more than %d cases", MAX_CASES));
    for (uint32_t i = 0; i < s->n_cases; i++) {
        uint32_t n = (uint32_t)ids_of(NULL, json_array_get(s->cases, i));
        s->row[i] = rows;
        rows += n;
        longest = n > longest ? n : longest;
    }
    const dun_engine_options options = {
        .point = {.n_blocks = spec->n_layers, .final_norm = true, .logits = logits},
        .backward = true,
        .max_text_rows = rows,
        .max_texts = s->n_cases,
        .max_rows = s->P * s->n_cases,
        .max_sequences = s->n_cases,
        .max_prompt = s->P,
        .max_position = longest + s->P,
        .rows_after_text = s->P};
    TRY(dun_compute_create(&s->compute, device, spec->head_dim, "auto"));
    TRY(dun_engine_create(&s->engine, &s->compute, spec, dun_model_file_source(model), &options));
    TRY(dun_engine_create_cache(&s->engine, rows));
    TRY(dun_batch_create(&s->batch, s->n_cases, rows > options.max_rows ? rows : options.max_rows));
    s->D = dun_engine_point_width(&s->engine);
    TRY_NEW(s->points, (size_t)s->n_cases * s->D);
    TRY(write_prompt(s, model));
    dun_batch_clear(&s->batch);
    for (uint32_t i = 0; i < s->n_cases; i++) {
        const json_t *one = json_array_get(s->cases, i);
        ids_of(dun_batch_add(&s->batch, (uint32_t)ids_of(NULL, one), 0, 0), one);
    }
    TRY(dun_engine_text(&s->engine, &s->batch, 0));
out:
    return rc;
}

/* Runs the prompt after n cases, given by index. */
static int run_points(scene *s, const uint32_t *which, uint32_t n) {
    int rc;
    dun_batch_clear(&s->batch);
    for (uint32_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(s->cases, which[i]);
        int32_t *ids = dun_batch_add(&s->batch, s->P, s->row[which[i]], (uint32_t)ids_of(NULL, one));
        for (uint32_t p = 0; p < s->P; p++)
            ids[p] = -1 - (int32_t)p;
    }
    TRY(dun_engine_points(&s->engine, &s->batch));
    TRY(dun_buffer_read(s->points, dun_engine_point_buffer(&s->engine), 0,
                        (size_t)n * s->D * sizeof *s->points));
out:
    return rc;
}

static int run_all(scene *s) {
    uint32_t which[MAX_CASES];
    for (uint32_t i = 0; i < s->n_cases; i++)
        which[i] = i;
    return run_points(s, which, s->n_cases);
}

/* The loss over some cases, and its gradient of the prompt. */
static int compare_gradient(distances *d, scene *s) {
    int rc = DUN_OK;
    const json_t *gradient = json_object_get(s->reference, "gradient"),
                 *list = json_object_get(gradient, "texts");
    uint32_t which[MAX_CASES], n = (uint32_t)json_array_size(list);
    uint32_t K = (uint32_t)(json_array_size(json_object_get(gradient, "centroids")) / s->D);
    int32_t labels[MAX_CASES];
    float loss, *d_prompt = NULL;
    const dun_loss_settings settings = {.kind = DUN_LOSS_CROSS_ENTROPY, .temperature = 1};
    dun_loss l = {0};
    dun_buffer c = {0}, d_c = {0};
    for (uint32_t i = 0; i < n && i < MAX_CASES; i++) {
        which[i] = (uint32_t)json_integer_value(json_array_get(list, i));
        labels[i] = (int32_t)json_integer_value(json_array_get(json_object_get(gradient, "labels"), i));
    }
    TRY_NEW(d_prompt, (size_t)s->P * s->C);
    TRY(run_points(s, which, n));
    TRY(dun_buffer_create(&c, s->device, (size_t)K * s->D * sizeof(float), "centroids"));
    TRY(dun_buffer_create(&d_c, s->device, (size_t)K * s->D * sizeof(float), "their gradient"));
    TRY(write_floats(&c, json_object_get(gradient, "centroids")));
    TRY(dun_loss_create(&l, &s->compute, &settings, n, K, s->D));
    TRY(dun_loss_run(&l, dun_engine_point_gradient(&s->engine), &d_c, dun_engine_point_buffer(&s->engine), &c,
                     labels, NULL, n));
    TRY(dun_engine_backward(&s->engine));
    TRY(dun_loss_read(&loss, NULL, &l, n));
    TRY(dun_buffer_read(d_prompt, &s->engine.d_prompt, 0, (size_t)s->P * s->C * sizeof *d_prompt));
    const double wanted = json_number_value(json_object_get(gradient, "loss"));
    d->loss = distance(&loss, &wanted, 1);
    d->gradient = distance_to(d_prompt, json_object_get(gradient, "d_prompt"), (size_t)s->P * s->C);
out:
    dun_loss_free(&l);
    dun_buffer_free(&c);
    dun_buffer_free(&d_c);
    dun_free(d_prompt);
    return rc;
}

static int compare_points(distances *d, dun_device *device, const dun_model_file *model,
                          const json_t *reference) {
    int rc;
    scene s;
    TRY(open_scene(&s, device, model, reference, false));
    TRY(run_all(&s));
    for (uint32_t i = 0; i < s.n_cases; i++)
        worse(&d->point, distance_to(s.points + (size_t)i * s.D,
                                     json_object_get(json_array_get(s.cases, i), "hidden"), s.D));
    TRY(compare_gradient(d, &s));
out:
    close_scene(&s);
    return rc;
}

/* The reference's largest logits beside ours of the same ids. */
static int compare_logits(distances *d, dun_device *device, const dun_model_file *model,
                          const json_t *reference) {
    int rc;
    scene s;
    TRY(open_scene(&s, device, model, reference, true));
    TRY(run_all(&s));
    for (uint32_t i = 0; i < s.n_cases; i++) {
        const json_t *top = json_object_get(json_array_get(s.cases, i), "top");
        float ours[64];
        double wanted[64];
        size_t n = json_array_size(top) < 64 ? json_array_size(top) : 64;
        for (size_t rank = 0; rank < n; rank++) {
            const json_t *pair = json_array_get(top, rank);
            size_t id = (size_t)json_integer_value(json_array_get(pair, 0));
            ours[rank] = id < s.D ? s.points[(size_t)i * s.D + id] : NAN;
            wanted[rank] = json_number_value(json_array_get(pair, 1));
        }
        worse(&d->logit, distance(ours, wanted, n));
    }
out:
    close_scene(&s);
    return rc;
}

static int compare_ids(distances *d, const char *path, const json_t *reference) {
    int rc;
    dun_model_file *model = NULL;
    dun_tokens tokens = {0};
    const json_t *cases = json_object_get(reference, "cases");
    TRY(dun_model_file_open(&model, path, DUN_MODEL_TOKENIZER));
    d->ids = 0;
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *one = json_array_get(cases, i), *ids = json_object_get(one, "ids");
        const char *text = json_string_value(json_object_get(one, "text"));
        tokens.n = 0;
        TRY(dun_tokenizer_encode(&tokens, dun_model_file_tokenizer(model), text, strlen(text)));
        bool same = tokens.n == json_array_size(ids);
        for (size_t j = 0; same && j < tokens.n; j++)
            same = tokens.ids[j] == (uint32_t)json_integer_value(json_array_get(ids, j));
        d->ids += !same;
    }
out:
    dun_tokens_free(&tokens);
    dun_model_file_free(model);
    return rc;
}

static int compare_numbers(distances *d, dun_device *device, const char *path, const json_t *reference) {
    int rc;
    dun_model_file *model = NULL;
    TRY(dun_model_file_open(&model, path, DUN_MODEL_WEIGHTS));
    TRY(compare_points(d, device, model, reference));
    TRY(compare_logits(d, device, model, reference));
out:
    dun_model_file_free(model);
    return rc;
}

/* A line of the table, and below it what went wrong; returns 1 where something is too far. */
static int compare(dun_device *device, const char *name, const char *form, const char *path,
                   const json_t *reference) {
    distances d = {-1, (double)NAN, (double)NAN, (double)NAN, (double)NAN};
    char numbers_error[512] = "", ids_error[512] = "", ids[16];
    if (compare_numbers(&d, device, path, reference) < 0 &&
        strstr(dun_error_message(), "which is not read; a file in")) {
        printf("%-16s %-6s   refused: %s\n", name, form, dun_error_message());
        return 0;
    }
    if (!isfinite(d.logit))
        snprintf(numbers_error, sizeof numbers_error, "    %s\n", dun_error_message());
    if (compare_ids(&d, path, reference) < 0)
        snprintf(ids_error, sizeof ids_error, "    %s\n", dun_error_message());
    bool near = d.ids == 0 && d.point <= most_point && d.logit <= most_point && d.gradient <= most_gradient;
    snprintf(ids, sizeof ids, d.ids < 0 ? "-" : "%d of %zu", d.ids,
             json_array_size(json_object_get(reference, "cases")));
    printf("%-16s %-6s %9s %9.1e %9.1e %9.1e %9.1e  %s\n%s%s", name, form, ids, d.point, d.logit, d.loss,
           d.gradient, near ? "" : "TOO FAR", numbers_error,
           strcmp(numbers_error, ids_error) != 0 ? ids_error : "");
    return !near;
}

static json_t *open_reference(const char *path) {
    dun_file file = {0};
    json_t *root = NULL;
    if (dun_file_map(&file, path) < 0 ||
        dun_json_parse(&root, (const char *)file.bytes, file.length, path, 1) < 0)
        fprintf(stderr, "%s\n", dun_error_message());
    dun_file_unmap(&file);
    return root;
}

static int compare_model(dun_device *device, const char *folder, const char *name) {
    static const struct {
        const char *form, *file, *reference;
    } forms[] = {{"folder", "hf", ""}, {"gguf", "model.gguf", "-gguf"}};
    int failed = 0;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        char path[PATH_BYTES], reference[PATH_BYTES];
        snprintf(path, sizeof path, "%s/%s/%s", folder, name, forms[i].file);
        snprintf(reference, sizeof reference, "%s/%s/reference%s.json", folder, name, forms[i].reference);
        if (access(path, R_OK) != 0)
            continue;
        if (access(reference, R_OK) != 0)
            snprintf(reference, sizeof reference, "%s/%s/reference.json", folder, name);
        json_t *root = open_reference(reference);
        failed += root ? compare(device, name, forms[i].form, path, root) : 1;
        json_decref(root);
        fflush(stdout);
    }
    return failed;
}

static bool wanted(const char *folder, const char *name, char **prefixes) {
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s/reference.json", folder, name);
    bool is = !*prefixes;
    for (; *prefixes; prefixes++)
        is |= strncmp(name, *prefixes, strlen(*prefixes)) == 0;
    return is && access(path, R_OK) == 0;
}

static int compare_folder(dun_device *device, const char *folder, char **prefixes) {
    struct dirent **names = NULL;
    int n = scandir(folder, &names, NULL, alphasort), failed = 0, seen = 0;
    printf("%-16s %-6s %9s %9s %9s %9s %9s\n", "model", "form", "other ids", "points", "logits", "loss",
           "gradient");
    for (int i = 0; i < n; i++) {
        if (wanted(folder, names[i]->d_name, prefixes)) {
            failed += compare_model(device, folder, names[i]->d_name);
            seen++;
        }
        free(names[i]);
    }
    free(names);
    printf("%d models, %d too far (points and logits %.0e, gradients %.0e)\n", seen, failed, most_point,
           most_gradient);
    return failed || !seen;
}

int main(int n, char **arguments) {
    const char *selector = getenv("DUNLIN_TEST_DEVICE");
    dun_device *device = NULL;
    if (n < 2) {
        fprintf(stderr, "usage: %s FOLDER [NAME...]\n", arguments[0]);
        return 2;
    }
    if (dun_device_open(&device, selector ? selector : "cpu") < 0) {
        fprintf(stderr, "%s\n", dun_error_message());
        return 4;
    }
    int failed = compare_folder(device, arguments[1], arguments + 2);
    dun_device_close(device);
    return failed;
}
