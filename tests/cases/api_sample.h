/* The public library on the tiny model of train_sample.h: handles that must come, and files of the program.
 */
#ifndef API_SAMPLE_H
#define API_SAMPLE_H

#include "train_sample.h"

#include "base/file.h"
#include "dunlin.h"

static const char *const api_keys[][2] = {
    {"prompt.init", "vocab"}, {"prompt.tokens", "3"},    {"prompt.lr", "0.02"},  {"prompt.lr_scale", "none"},
    {"train.epochs", "3"},    {"train.batch_size", "4"}, {"output.report", "no"}};
enum { API_KEYS = sizeof api_keys / sizeof *api_keys };

static inline const char *api_device(void) {
    const char *device = getenv("DUNLIN_TEST_DEVICE");
    return device ? device : "cpu";
}

#define API_OK(call) api_ok((call), #call)
static inline void api_ok(dunlin_status status, const char *call) {
    if (status != DUNLIN_OK)
        fail_msg("%s: %s: %s", call, dunlin_status_name((int)status), dunlin_error());
}

/* The status, and a message that holds `part`. */
#define API_REFUSES(call, status, part) api_refuses((call), (status), (part), #call)
static inline void api_refuses(dunlin_status got, dunlin_status status, const char *part, const char *call) {
    if (got != status || !strstr(dunlin_error(), part))
        fail_msg("%s: %s: \"%s\", not %s with \"%s\"", call, dunlin_status_name((int)got), dunlin_error(),
                 dunlin_status_name((int)status), part);
}

static inline dunlin_config *api_config(void) {
    dunlin_config *config;
    API_OK(dunlin_config_new(&config));
    API_OK(dunlin_config_set(config, "model.path", train_path("tiny.gguf")));
    API_OK(dunlin_config_set(config, "data.train", train_path("train.tsv")));
    API_OK(dunlin_config_set(config, "data.valid", train_path("valid.tsv")));
    API_OK(dunlin_config_set(config, "device.use", api_device()));
    for (size_t i = 0; i < API_KEYS; i++)
        API_OK(dunlin_config_set(config, api_keys[i][0], api_keys[i][1]));
    return config;
}

/* my.ini: the same for the program. */
static inline void api_write_config(void) {
    dun_str text = {0};
    check_ok(dun_str_addf(&text, "[model]\npath = %s\n[data]\ntrain = %s\nvalid = %s\n",
                          train_path("tiny.gguf"), train_path("train.tsv"), train_path("valid.tsv")));
    for (size_t i = 0; i < API_KEYS; i++) {
        const char *dot = strchr(api_keys[i][0], '.');
        check_ok(dun_str_addf(&text, "[%.*s]\n%s = %s\n", (int)(dot - api_keys[i][0]), api_keys[i][0],
                              dot + 1, api_keys[i][1]));
    }
    train_write_file("my.ini", text.bytes, text.length);
    dun_str_free(&text);
}

static inline char *api_text(dunlin_status (*make)(const dunlin_run *, char *, size_t, size_t *),
                             const dunlin_run *run) {
    size_t needed = 0;
    API_OK(make(run, NULL, 0, &needed));
    char *text = malloc(needed);
    assert_non_null(text);
    API_OK(make(run, text, needed, NULL));
    assert_int_equal(strlen(text) + 1, needed);
    return text;
}

/* A file of the test's folder, as a string. */
static inline char *api_file(const char *name) {
    dun_file file;
    check_ok(dun_file_map(&file, train_path(name)));
    char *text = calloc(file.length + 1, 1);
    assert_non_null(text);
    if (file.length)
        memcpy(text, file.bytes, file.length);
    dun_file_unmap(&file);
    return text;
}

static const char *const api_letters[] = {"xqzx", "bgkb", "zzq", "kbg", "xxqq", "ggk", "qzxq", "kkbb"};
static const char *const api_labels[] = {"x", "b", "x", "b", "x", "b", "x", "b"};
enum { API_TEXTS = sizeof api_letters / sizeof *api_letters };

static inline dunlin_texts *api_texts(void) {
    dunlin_texts *texts;
    API_OK(dunlin_texts_new(&texts, API_TEXTS, api_letters, NULL, api_labels, NULL));
    return texts;
}

/* Trained on these, without validation texts and without a folder. */
static inline dunlin_run *api_run(void) {
    dunlin_config *config = api_config();
    dunlin_texts *texts = api_texts();
    dunlin_run *run;
    API_OK(dunlin_train(&run, config, texts, NULL, NULL, NULL, NULL));
    dunlin_texts_free(texts);
    dunlin_config_free(config);
    return run;
}

/* Distances (API_TEXTS, 2) of these texts. */
static inline void api_distances(float *distances, dunlin_run *run) {
    dunlin_texts *texts = api_texts();
    API_OK(dunlin_classify(run, texts, distances, NULL, NULL));
    dunlin_texts_free(texts);
}

/* `dunlin` with these arguments, in the test's folder. */
static inline void api_program(const char *arguments) {
    char command[2000];
    snprintf(command, sizeof command, "cd '%s' && '%s' %s --device %s >out 2>err", train_folder(), DUNLIN,
             arguments, api_device());
    if (system(command) != 0)
        fail_msg("%s", command);
}

/* These files of two run directories, up to NULL, byte for byte. */
static inline void api_expect_same(const char *a, const char *b, const char *const *files) {
    char x[300], y[300];
    for (; *files; files++) {
        snprintf(x, sizeof x, "%s/%s", a, *files);
        snprintf(y, sizeof y, "%s/%s", b, *files);
        if (!train_same_file(train_path(x), train_path(y)))
            fail_msg("%s of %s and %s differ", *files, a, b);
    }
}

#endif
