/* The public library without a training: what include/dunlin.h says of statuses, arguments, buffers, configs,
 * texts, handles, models and devices. */
#include "api_sample.h"

#include <math.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_version(void **state) {
    (void)state;
    unsigned major, minor, patch;
    assert_int_equal(sscanf(DUN_VERSION, "%u.%u.%u", &major, &minor, &patch), 3);
    assert_int_equal(dunlin_version(), major * 10000 + minor * 100 + patch);
    assert_int_equal(dunlin_version(), DUNLIN_VERSION);
    assert_string_equal(dunlin_status_name(DUNLIN_BAD_INPUT), "DUNLIN_BAD_INPUT");
    assert_string_equal(dunlin_status_name(DUNLIN_INTERRUPTED), "DUNLIN_INTERRUPTED");
    assert_string_equal(dunlin_status_name(77), "unknown status");
}

/* NULL where it may not be is a status with the argument's name; out-parameters are NULL then. */
static void test_nothing(void **state) {
    (void)state;
    dunlin_config *config = api_config();
    dunlin_texts *texts = api_texts();
    char buffer[8];
    uint32_t labels[API_TEXTS];
    const char *name;
    size_t n;
    dunlin_run *run = (dunlin_run *)buffer;
    API_REFUSES(dunlin_config_new(NULL), DUNLIN_USAGE, "config is NULL");
    API_REFUSES(dunlin_config_read(NULL, "x"), DUNLIN_USAGE, "config is NULL");
    API_REFUSES(dunlin_config_read(config, NULL), DUNLIN_USAGE, "path is NULL");
    API_REFUSES(dunlin_config_set(NULL, "prompt.lr", "1"), DUNLIN_USAGE, "config is NULL");
    API_REFUSES(dunlin_config_set(config, NULL, "1"), DUNLIN_USAGE, "key is NULL");
    API_REFUSES(dunlin_config_set(config, "prompt.lr", NULL), DUNLIN_USAGE, "value is NULL");
    API_REFUSES(dunlin_config_get(NULL, "prompt.lr", NULL, 0, NULL), DUNLIN_USAGE, "config is NULL");
    API_REFUSES(dunlin_config_get(config, NULL, NULL, 0, NULL), DUNLIN_USAGE, "key is NULL");
    API_REFUSES(dunlin_texts_new(NULL, 0, NULL, NULL, NULL, NULL), DUNLIN_USAGE, "out is NULL");
    API_REFUSES(dunlin_texts_read(NULL, NULL, config), DUNLIN_USAGE, "training is NULL");
    API_REFUSES(dunlin_texts_count(NULL, &n), DUNLIN_USAGE, "texts is NULL");
    API_REFUSES(dunlin_texts_count(texts, NULL), DUNLIN_USAGE, "count is NULL");
    API_REFUSES(dunlin_train(NULL, config, texts, NULL, NULL, NULL, NULL), DUNLIN_USAGE, "run is NULL");
    API_REFUSES(dunlin_train(&run, NULL, texts, NULL, NULL, NULL, NULL), DUNLIN_USAGE, "config is NULL");
    assert_null(run);
    API_REFUSES(dunlin_train(&run, config, NULL, NULL, NULL, NULL, NULL), DUNLIN_USAGE, "training is NULL");
    API_REFUSES(dunlin_train(&run, config, texts, NULL, "", NULL, NULL), DUNLIN_USAGE, "directory is empty");
    API_REFUSES(dunlin_resume(NULL, "x", NULL, NULL, NULL, NULL, NULL), DUNLIN_USAGE, "run is NULL");
    API_REFUSES(dunlin_resume(&run, NULL, NULL, NULL, NULL, NULL, NULL), DUNLIN_USAGE, "directory is NULL");
    API_REFUSES(dunlin_resume(&run, "x", NULL, NULL, texts, NULL, NULL), DUNLIN_USAGE, "training is NULL");
    API_REFUSES(dunlin_open(NULL, "x", NULL), DUNLIN_USAGE, "run is NULL");
    API_REFUSES(dunlin_open(&run, NULL, NULL), DUNLIN_USAGE, "directory is NULL");
    API_REFUSES(dunlin_classify(NULL, texts, NULL, NULL, labels), DUNLIN_USAGE, "run is NULL");
    API_REFUSES(dunlin_points(NULL, texts, NULL), DUNLIN_USAGE, "points is NULL");
    API_REFUSES(dunlin_sizes(NULL, &n, &n), DUNLIN_USAGE, "run is NULL");
    API_REFUSES(dunlin_class_name(NULL, 0, &name), DUNLIN_USAGE, "run is NULL");
    API_REFUSES(dunlin_class_name(NULL, 0, NULL), DUNLIN_USAGE, "name is NULL");
    API_REFUSES(dunlin_info(NULL, NULL, 0, NULL), DUNLIN_USAGE, "run is NULL");
    API_REFUSES(dunlin_history(NULL, NULL, 0, NULL), DUNLIN_USAGE, "run is NULL");
    API_REFUSES(dunlin_save(NULL, NULL), DUNLIN_USAGE, "directory is NULL");
    API_REFUSES(dunlin_save(NULL, "x"), DUNLIN_USAGE, "run is NULL");
    API_REFUSES(dunlin_to_bytes(NULL, NULL, 0, NULL), DUNLIN_USAGE, "run is NULL");
    API_REFUSES(dunlin_from_bytes(NULL, "", 0, NULL), DUNLIN_USAGE, "run is NULL");
    API_REFUSES(dunlin_from_bytes(&run, NULL, 0, NULL), DUNLIN_USAGE, "bytes is NULL");
    API_REFUSES(dunlin_embed(NULL, NULL, texts, DUNLIN_POOL_LAST, NULL, 0, &n, NULL, NULL), DUNLIN_USAGE,
                "model is NULL");
    API_REFUSES(dunlin_embed("x", NULL, NULL, DUNLIN_POOL_LAST, NULL, 0, &n, NULL, NULL), DUNLIN_USAGE,
                "texts is NULL");
    dunlin_free(NULL);
    dunlin_texts_free(NULL);
    dunlin_config_free(NULL);
    dunlin_texts_free(texts);
    dunlin_config_free(config);
}

static void test_config(void **state) {
    (void)state;
    dunlin_config *config;
    char value[64] = "untouched";
    size_t needed = 0;
    static const char small[] = "[prompt]\nlr = 0.5\ntext = \" of course\"\n";
    static const char wrong[] = "[prompt]\nlr = 0.25\ntokens = none\n";
    train_write_file("small.ini", small, sizeof small - 1);
    train_write_file("wrong.ini", wrong, sizeof wrong - 1);
    API_OK(dunlin_config_new(&config));
    API_OK(dunlin_config_get(config, "train.epochs", value, sizeof value, NULL));
    assert_string_equal(value, "3"); /* the default */
    API_OK(dunlin_config_read(config, train_path("small.ini")));
    API_OK(dunlin_config_get(config, "prompt.text", value, sizeof value, &needed));
    assert_string_equal(value, " of course");
    assert_int_equal(needed, 11);
    API_REFUSES(dunlin_config_read(config, train_path("wrong.ini")), DUNLIN_USAGE, "wrong.ini:3: ");
    API_OK(dunlin_config_get(config, "prompt.lr", value, sizeof value, NULL));
    assert_string_equal(value, "0.25"); /* what stands before the fault */
    API_REFUSES(dunlin_config_read(config, train_path("nowhere.ini")), DUNLIN_USAGE, "nowhere.ini");
    API_OK(dunlin_config_set(config, "prompt.text", " \"quoted\" "));
    API_OK(dunlin_config_get(config, "prompt.text", value, sizeof value, NULL));
    assert_string_equal(value, " \"quoted\" ");
    API_REFUSES(dunlin_config_set(config, "promt.text", "x"), DUNLIN_USAGE, "prompt.text");
    API_REFUSES(dunlin_config_set(config, "prompt.lr", "fast"), DUNLIN_USAGE, "prompt.lr");
    API_OK(dunlin_config_get(config, "prompt.lr", value, sizeof value, NULL));
    assert_string_equal(value, "0.25");
    API_OK(dunlin_config_set(config, "train.clip", "2"));
    API_OK(dunlin_config_set(config, "train.clip", ""));
    API_OK(dunlin_config_get(config, "train.clip", value, sizeof value, &needed));
    assert_true(needed == 1 && !*value);
    dunlin_config_free(config);
}

static void test_buffers(void **state) {
    (void)state;
    dunlin_config *config = api_config();
    char value[8] = "before";
    size_t needed = 0;
    API_OK(dunlin_config_get(config, "prompt.init", NULL, 0, &needed));
    assert_int_equal(needed, 6);
    API_REFUSES(dunlin_config_get(config, "prompt.init", value, 5, &needed), DUNLIN_USAGE, "6 are needed");
    assert_string_equal(value, "before");
    API_OK(dunlin_config_get(config, "prompt.init", value, 6, NULL));
    assert_string_equal(value, "vocab");
    assert_string_equal(dunlin_error(), ""); /* of a call that succeeded */
    dunlin_config_free(config);
}

static void refuse_texts(size_t n, const char *const *texts, const size_t *lengths, const char *const *labels,
                         const double *weights, const char *part) {
    dunlin_texts *out = NULL;
    API_REFUSES(dunlin_texts_new(&out, n, texts, lengths, labels, weights), DUNLIN_BAD_INPUT, part);
    assert_null(out);
}

static void test_texts(void **state) {
    (void)state;
    dunlin_texts *texts;
    size_t n = 99;
    static char wide[300];
    memset(wide, 'w', sizeof wide - 1);
    const char *two[] = {"a", "b"}, *hole[] = {"a", NULL}, *blank[] = {"a", " \t"}, *longer[] = {"a", wide};
    const size_t lengths[] = {1, 2}, huge[] = {1, (size_t)65 << 20};
    const double weights[][2] = {{1, -1}, {1, NAN}, {INFINITY, 1}, {0, 0}};
    API_OK(dunlin_texts_new(&texts, 0, NULL, NULL, NULL, NULL));
    API_OK(dunlin_texts_count(texts, &n));
    assert_int_equal(n, 0);
    dunlin_texts_free(texts);
    texts = api_texts();
    API_OK(dunlin_texts_count(texts, &n));
    assert_int_equal(n, API_TEXTS);
    dunlin_texts_free(texts);
    refuse_texts(2, hole, NULL, two, NULL, "text 1 is NULL");
    refuse_texts(2, two, NULL, hole, NULL, "label of text 1 is NULL");
    refuse_texts(2, two, NULL, blank, NULL, "label of text 1 is empty");
    refuse_texts(2, two, NULL, longer, NULL, "label of text 1 has 299 bytes");
    refuse_texts(2, two, lengths, two, NULL, "text 1 has a zero byte");
    refuse_texts(2, two, huge, two, NULL, "text 1 has");
    refuse_texts(2, two, NULL, two, weights[0], "weight of text 1 is -1");
    refuse_texts(2, two, NULL, two, weights[1], "weight of text 1 is nan");
    refuse_texts(2, two, NULL, two, weights[2], "weight of text 0 is inf");
    refuse_texts(2, two, NULL, two, weights[3], "weight of every text is 0");
    API_REFUSES(dunlin_texts_new(&texts, 2, NULL, NULL, NULL, NULL), DUNLIN_USAGE, "texts is NULL");
}

static void test_texts_of_files(void **state) {
    (void)state;
    dunlin_config *config = api_config();
    dunlin_texts *training, *validation;
    size_t n;
    API_OK(dunlin_texts_read(&training, &validation, config));
    API_OK(dunlin_texts_count(training, &n));
    assert_int_equal(n, 10);
    API_OK(dunlin_texts_count(validation, &n));
    assert_int_equal(n, 8);
    dunlin_texts_free(training);
    dunlin_texts_free(validation);
    API_OK(dunlin_texts_read(&training, NULL, config));
    dunlin_texts_free(training);
    API_OK(dunlin_config_set(config, "data.valid", ""));
    API_OK(dunlin_texts_read(&training, &validation, config));
    assert_null(validation);
    dunlin_texts_free(training);
    train_write_file("bad.tsv", "a\tx\nb\n", 6);
    API_OK(dunlin_config_set(config, "data.train", train_path("bad.tsv")));
    API_REFUSES(dunlin_texts_read(&training, &validation, config), DUNLIN_BAD_INPUT, "bad.tsv:2: ");
    assert_null(training);
    dunlin_config_free(config);
}

/* A freed handle, and one of another kind, are known for what they are. */
static unsigned n_warnings;
static void count_warnings(int level, const char *text, void *user) {
    (void)user;
    n_warnings += level == DUNLIN_LOG_WARNING && strstr(text, "freed") != NULL;
}

static void test_handles(void **state) {
    (void)state;
    dunlin_config *config = api_config(), *other = api_config();
    char value[64];
    size_t n;
    dunlin_texts *texts = api_texts();
    API_REFUSES(dunlin_texts_count((dunlin_texts *)config, &n), DUNLIN_USAGE,
                "is a dunlin_config; a dunlin_texts");
    dunlin_config_free(config);
    API_REFUSES(dunlin_config_get(config, "prompt.lr", value, sizeof value, NULL), DUNLIN_USAGE, "was freed");
    API_OK(dunlin_set_log(count_warnings, NULL));
    n_warnings = 0;
    dunlin_config_free(config); /* twice */
    assert_int_equal(n_warnings, 1);
    API_OK(dunlin_set_log(NULL, NULL));
    API_OK(dunlin_config_get(other, "prompt.lr", value, sizeof value, NULL));
    dunlin_config_free(other);
    dunlin_texts_free(texts);
}

static void *fail_there(void *self) {
    dunlin_config *none = NULL;
    *(bool *)self =
        dunlin_config_set(none, "a", "b") == DUNLIN_USAGE && strstr(dunlin_error(), "config is NULL");
    return NULL;
}

/* Errors are a thread's own. */
static void test_errors(void **state) {
    (void)state;
    pthread_t thread;
    bool good = false;
    assert_int_equal(dunlin_texts_count(NULL, NULL), DUNLIN_USAGE);
    assert_int_equal(pthread_create(&thread, NULL, fail_there, &good), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(good);
    assert_string_equal(dunlin_error(), "the argument count is NULL");
}

static char *text_of(dunlin_status (*make)(char *, size_t, size_t *)) {
    size_t needed;
    API_OK(make(NULL, 0, &needed));
    char *text = malloc(needed);
    assert_non_null(text);
    API_OK(make(text, needed, NULL));
    return text;
}

static void test_tells(void **state) {
    (void)state;
    char *devices = text_of(dunlin_devices), *models = text_of(dunlin_models);
    assert_true(devices[0] == '[' && strstr(devices, "\"selector\":0") && strstr(devices, "\"gemm\":"));
    assert_int_equal(models[0], '[');
    free(devices);
    free(models);
    API_REFUSES(dunlin_check(NULL, 0, NULL, "no such device", 1, NULL, NULL), DUNLIN_BAD_DEVICE,
                "no such device");
}

static int stop_at_once(const dunlin_progress *progress, void *user) {
    ++*(unsigned *)user;
    return progress->size == sizeof *progress && strcmp(progress->phase, "check") == 0 ? 1 : 0;
}

/* A test that is only partly done is none. */
static void test_check_stops(void **state) {
    (void)state;
    unsigned n = 0;
    API_REFUSES(dunlin_check(NULL, 0, NULL, api_device(), 1, stop_at_once, &n), DUNLIN_INTERRUPTED, "");
    assert_int_equal(n, 1);
}

static void test_embed(void **state) {
    (void)state;
    dunlin_texts *texts = api_texts();
    const char *model = train_path("tiny.gguf");
    float vectors[API_TEXTS * 32], again[API_TEXTS * 32];
    size_t width = 0;
    API_OK(dunlin_embed(model, NULL, texts, DUNLIN_POOL_LAST, NULL, 0, &width, NULL, NULL));
    assert_int_equal(width, 32);
    API_REFUSES(dunlin_embed(model, api_device(), texts, DUNLIN_POOL_LAST, vectors, API_TEXTS * 32 - 1, NULL,
                             NULL, NULL),
                DUNLIN_USAGE, "there is room for 255 floats");
    API_REFUSES(
        dunlin_embed(model, api_device(), texts, (dunlin_pool)7, vectors, API_TEXTS * 32, NULL, NULL, NULL),
        DUNLIN_USAGE, "pool is 7");
    API_REFUSES(dunlin_embed("no/such/model", NULL, texts, DUNLIN_POOL_LAST, NULL, 0, &width, NULL, NULL),
                DUNLIN_BAD_INPUT, "no/such/model");
    API_OK(dunlin_embed(model, api_device(), texts, DUNLIN_POOL_LAST, vectors, API_TEXTS * 32, NULL, NULL,
                        NULL));
    API_OK(dunlin_embed(model, api_device(), texts, DUNLIN_POOL_MEAN, again, API_TEXTS * 32, &width, NULL,
                        NULL));
    assert_true(memcmp(vectors, again, sizeof again) != 0);
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        assert_true(isfinite(vectors[i]) && isfinite(again[i]));
    dunlin_texts_free(texts);
}

/* In the child of a process that used a device: at once, and with a message; the rest goes on. */
static void test_fork(void **state) {
    (void)state;
    int status = 0;
    dunlin_run *run = api_run();
    dunlin_texts *texts = api_texts();
    uint32_t labels[API_TEXTS];
    const pid_t child = fork();
    if (child == 0) {
        dunlin_config *config = NULL;
        dunlin_run *other = NULL;
        bool good = dunlin_classify(run, texts, NULL, NULL, labels) == DUNLIN_BAD_DEVICE &&
                    strstr(dunlin_error(), "forked");
        good = good && dunlin_devices(NULL, 0, NULL) == DUNLIN_BAD_DEVICE;
        good = good && dunlin_open(&other, "x", NULL) != DUNLIN_OK;
        good = good && dunlin_config_new(&config) == DUNLIN_OK;
        dunlin_config_free(config);
        dunlin_texts_free(texts);
        dunlin_free(run);
        _exit(good ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    API_OK(dunlin_classify(run, texts, NULL, NULL, labels));
    dunlin_texts_free(texts);
    dunlin_free(run);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version), cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_config),  cmocka_unit_test(test_buffers),
        cmocka_unit_test(test_texts),   cmocka_unit_test(test_texts_of_files),
        cmocka_unit_test(test_handles), cmocka_unit_test(test_errors),
        cmocka_unit_test(test_tells),   cmocka_unit_test(test_check_stops),
        cmocka_unit_test(test_embed),   cmocka_unit_test(test_fork),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
