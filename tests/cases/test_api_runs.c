/* Trainings through the public library: the program's bytes, bytes and directories, and what is shared. Those
 * that are stopped are test_api_stops.c's. */
#include "api_sample.h"

#include "dev/buffer.h"

#include <math.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

static const char *const whole[] = {"config.ini",  "prompt.safetensors", "history.jsonl", "predictions.tsv",
                                    "history.csv", "report.csv",         "confusion.csv", NULL};
static const char *const trained[] = {"prompt.safetensors", "history.jsonl", "predictions.tsv", NULL};

/* With the texts of its files. */
static dunlin_run *train(const char *directory, dunlin_progress_fn *progress, void *user) {
    dunlin_config *config = api_config();
    dunlin_texts *training, *validation;
    dunlin_run *run;
    API_OK(dunlin_texts_read(&training, &validation, config));
    API_OK(dunlin_train(&run, config, training, validation, directory ? train_path(directory) : NULL,
                        progress, user));
    dunlin_texts_free(training);
    dunlin_texts_free(validation);
    dunlin_config_free(config);
    return run;
}

/* One code path: in a directory and in memory, the bytes of `dunlin train`. */
static void test_same_bytes(void **state) {
    (void)state;
    dunlin_run *run = train("library", NULL, NULL), *kept = train(NULL, NULL, NULL);
    api_program("train my.ini --out program");
    api_expect_same("program", "library", whole);
    API_OK(dunlin_save(kept, train_path("kept")));
    api_expect_same("program", "kept", trained);
    API_REFUSES(dunlin_save(kept, train_path("kept")), DUNLIN_FAILED, "kept");
    dunlin_free(kept);
    dunlin_free(run);
}

/* What the program prints, and writes, of the same run and texts. */
static void expect_same_answers(const char *directory) {
    dunlin_run *run;
    char command[100];
    dunlin_texts *texts = api_texts();
    float distances[API_TEXTS][2], points[API_TEXTS * 32];
    double probabilities[API_TEXTS][2];
    uint32_t labels[API_TEXTS];
    const char *name;
    dun_str wanted = {0}, lines = {0};
    size_t K, D;
    API_OK(dunlin_open(&run, train_path(directory), NULL));
    API_OK(dunlin_sizes(run, &K, &D));
    assert_true(K == 2 && D == 32);
    API_OK(dunlin_classify(run, texts, &distances[0][0], &probabilities[0][0], labels));
    API_OK(dunlin_points(run, texts, points));
    for (size_t i = 0; i < API_TEXTS; i++) {
        check_ok(dun_str_addf(&lines, "%s\n", api_letters[i]));
        API_OK(dunlin_class_name(run, labels[i], &name));
        check_ok(dun_str_addf(&wanted, "%s\t%s\t%.6g\t%.6g\t%.6g\n", name, name, probabilities[i][labels[i]],
                              (double)distances[i][0], (double)distances[i][1]));
        assert_true(fabs(probabilities[i][0] + probabilities[i][1] - 1) < 1e-12);
    }
    train_write_file("lines.txt", lines.bytes, lines.length);
    snprintf(command, sizeof command, "classify %s lines.txt --output tsv", directory);
    api_program(command);
    char *printed = api_file("out");
    assert_string_equal(printed, wanted.bytes);
    free(printed);
    snprintf(command, sizeof command, "points %s lines.txt --out points.npy", directory);
    api_program(command);
    dun_file file;
    check_ok(dun_file_map(&file, train_path("points.npy")));
    assert_true(file.length > sizeof points &&
                memcmp(file.bytes + file.length - sizeof points, points, sizeof points) == 0);
    dun_file_unmap(&file);
    API_REFUSES(dunlin_class_name(run, 2, &name), DUNLIN_USAGE, "no class 2");
    assert_null(name);
    dun_str_free(&wanted);
    dun_str_free(&lines);
    dunlin_texts_free(texts);
    dunlin_free(run);
}

static void test_same_answers(void **state) {
    (void)state;
    expect_same_answers("program");
}

/* Validation texts that are split off, and probabilities fitted on them, as the program has them. */
static void test_split_and_calibrated(void **state) {
    (void)state;
    static const char *const files[] = {"prompt.safetensors", "predictions.tsv", "split.json", NULL};
    dunlin_config *config = api_config();
    dunlin_texts *training, *validation;
    dunlin_run *run;
    size_t count;
    write_letters("many.tsv", 120, 3, 12, "");
    API_OK(dunlin_config_set(config, "data.train", train_path("many.tsv")));
    API_OK(dunlin_config_set(config, "data.valid", ""));
    API_OK(dunlin_config_set(config, "data.valid_share", "0.5"));
    API_OK(dunlin_config_set(config, "output.calibrate", "yes"));
    API_OK(dunlin_texts_read(&training, &validation, config));
    assert_null(validation); /* they are among the training texts */
    API_OK(dunlin_texts_count(training, &count));
    assert_int_equal(count, 120);
    API_OK(dunlin_train(&run, config, training, NULL, train_path("calibrated"), NULL, NULL));
    char *info = api_text(dunlin_info, run), *at = strstr(info, "\"calibration_temperature\":");
    assert_non_null(at);
    assert_true(strtod(strchr(at, ':') + 1, NULL) > 0);
    free(info);
    dunlin_free(run);
    API_REFUSES(dunlin_train(&run, config, training, training, NULL, NULL, NULL), DUNLIN_USAGE,
                "data.valid_share = 0.5 does not go with validation texts that are given");
    api_program(
        "train my.ini --out by-program --set data.train=many.tsv --set data.valid= --set data.valid_share=0.5 "
        "--set output.calibrate=yes");
    api_expect_same("by-program", "calibrated", files);
    dunlin_texts_free(training);
    dunlin_config_free(config);
    expect_same_answers("calibrated");
}

static void test_info(void **state) {
    (void)state;
    dunlin_run *run = api_run();
    char *info = api_text(dunlin_info, run), *history = api_text(dunlin_history, run);
    static const char *const parts[] = {"\"classes\":[\"b\",\"x\"]",
                                        "\"n_classes\":2",
                                        "\"point_width\":32",
                                        "\"prompt_rows\":3",
                                        "\"directory\":null",
                                        "\"stopped\":false",
                                        "\"prompt.lr\":\"0.02\"",
                                        "\"accuracy\":null",
                                        "\"hash\":\"",
                                        "\"driver\":\""};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strstr(info, parts[i]))
            fail_msg("no %s in %s", parts[i], info);
    assert_true(strncmp(history, "[{\"step\": 1,", 12) == 0 && strstr(history, "{\"step\": 6,") &&
                !strstr(history, "valid_accuracy"));
    free(info);
    free(history);
    dunlin_free(run);
}

static void test_bytes(void **state) {
    (void)state;
    dunlin_run *run = api_run(), *again;
    float before[API_TEXTS * 2], after[API_TEXTS * 2];
    size_t n = 0, m = 0;
    API_OK(dunlin_to_bytes(run, NULL, 0, &n));
    uint8_t *bytes = malloc(n + 1), *twice = malloc(n);
    assert_true(bytes && twice);
    API_REFUSES(dunlin_to_bytes(run, bytes, n - 1, &m), DUNLIN_USAGE, "are needed");
    API_OK(dunlin_to_bytes(run, bytes, n, &m));
    assert_int_equal(n, m);
    API_OK(dunlin_from_bytes(&again, bytes, n, NULL));
    api_distances(before, run);
    api_distances(after, again);
    assert_memory_equal(before, after, sizeof before);
    API_OK(dunlin_to_bytes(again, twice, n, NULL));
    assert_memory_equal(bytes, twice, n);
    dunlin_free(again);
    dunlin_free(run);
    /* Cut anywhere, longer, damaged anywhere, of another version or kind. */
    for (size_t i = 0; i < n; i += i < 64 ? 1 : n / 50)
        API_REFUSES(dunlin_from_bytes(&again, bytes, i, NULL), DUNLIN_BAD_INPUT, "bytes");
    bytes[n] = 0;
    API_REFUSES(dunlin_from_bytes(&again, bytes, n + 1, NULL), DUNLIN_BAD_INPUT, "more follow");
    for (size_t i = 0; i < n; i += i < 64 ? 1 : n / 50) {
        bytes[i] ^= 0x10;
        API_REFUSES(dunlin_from_bytes(&again, bytes, n, NULL), DUNLIN_BAD_INPUT,
                    i >= 8 && i < 16 ? "version" : "");
        assert_null(again);
        bytes[i] ^= 0x10;
    }
    free(bytes);
    free(twice);
}

/* Of another model than the one that is there now. */
static void test_other_model(void **state) {
    (void)state;
    dunlin_run *run;
    char command[700];
    snprintf(command, sizeof command, "cd '%s' && mv tiny.gguf tiny.away && cp wide.gguf tiny.gguf",
             train_folder());
    assert_int_equal(system(command), 0);
    API_REFUSES(dunlin_open(&run, train_path("program"), NULL), DUNLIN_BAD_INPUT, "tiny.gguf");
    snprintf(command, sizeof command, "cd '%s' && rm tiny.gguf", train_folder());
    assert_int_equal(system(command), 0);
    API_REFUSES(dunlin_open(&run, train_path("program"), NULL), DUNLIN_BAD_INPUT, "no such file");
    snprintf(command, sizeof command, "cd '%s' && mv tiny.away tiny.gguf", train_folder());
    assert_int_equal(system(command), 0);
    API_REFUSES(dunlin_open(&run, train_folder(), NULL), DUNLIN_BAD_INPUT, "not a run directory");
    API_REFUSES(dunlin_open(&run, train_path("program"), "no such device"), DUNLIN_BAD_DEVICE,
                "no such device");
}

static void refuse_training(const dunlin_config *config, const dunlin_texts *training,
                            const dunlin_texts *validation, dunlin_status status, const char *part) {
    dunlin_run *run;
    API_REFUSES(dunlin_train(&run, config, training, validation, train_path("refused"), NULL, NULL), status,
                part);
    assert_null(run);
    assert_int_not_equal(access(train_path("refused"), F_OK), 0);
}

static void test_refusals(void **state) {
    (void)state;
    dunlin_config *config = api_config();
    dunlin_texts *texts = api_texts(), *bare, *one, *strange, *none;
    static const char *const same[] = {"x", "x", "x", "x", "x", "x", "x", "x"}, *const odd[] = {"x", "b",
                                                                                                "c"};
    API_OK(dunlin_texts_new(&bare, API_TEXTS, api_letters, NULL, NULL, NULL));
    API_OK(dunlin_texts_new(&one, API_TEXTS, api_letters, NULL, same, NULL));
    API_OK(dunlin_texts_new(&strange, 3, api_letters, NULL, odd, NULL));
    API_OK(dunlin_texts_new(&none, 0, NULL, NULL, api_labels, NULL));
    refuse_training(config, bare, NULL, DUNLIN_BAD_INPUT, "training: have no labels");
    refuse_training(config, texts, bare, DUNLIN_BAD_INPUT, "validation: have no labels");
    refuse_training(config, one, NULL, DUNLIN_BAD_INPUT, "at least two classes");
    refuse_training(config, none, NULL, DUNLIN_BAD_INPUT, "at least two");
    refuse_training(config, texts, strange, DUNLIN_BAD_INPUT, "validation text:2: ");
    API_OK(dunlin_config_set(config, "model.path", "no/such/model"));
    refuse_training(config, texts, NULL, DUNLIN_BAD_INPUT, "no/such/model");
    API_OK(dunlin_config_set(config, "model.path", train_path("tiny.gguf")));
    API_OK(dunlin_config_set(config, "prompt.lr", "1e30"));
    API_OK(dunlin_config_set(config, "train.epochs", "9"));
    dunlin_run *run;
    API_REFUSES(dunlin_train(&run, config, texts, NULL, NULL, NULL, NULL), DUNLIN_FAILED, "lr");
    dunlin_texts_free(none);
    dunlin_texts_free(strange);
    dunlin_texts_free(one);
    dunlin_texts_free(bare);
    dunlin_texts_free(texts);
    dunlin_config_free(config);
}

static void prompt_of(dun_str *out, const double *weights) {
    dunlin_config *config = api_config();
    dunlin_texts *texts;
    dunlin_run *run;
    size_t n;
    API_OK(dunlin_texts_new(&texts, API_TEXTS, api_letters, NULL, api_labels, weights));
    API_OK(dunlin_train(&run, config, texts, NULL, NULL, NULL, NULL));
    float distances[API_TEXTS * 2];
    api_distances(distances, run);
    n = sizeof distances;
    check_ok(dun_str_add(out, (const char *)distances, n));
    dunlin_free(run);
    dunlin_texts_free(texts);
    dunlin_config_free(config);
}

/* Equal weights are none; others are not. */
static void test_weights(void **state) {
    (void)state;
    const double equal[API_TEXTS] = {2, 2, 2, 2, 2, 2, 2, 2}, other[API_TEXTS] = {3, 1, 1, 1, 0.5, 1, 1, 1};
    dun_str a = {0}, b = {0}, c = {0};
    prompt_of(&a, NULL);
    prompt_of(&b, equal);
    prompt_of(&c, other);
    assert_memory_equal(a.bytes, b.bytes, a.length);
    assert_true(memcmp(a.bytes, c.bytes, a.length) != 0);
    dun_str_free(&a);
    dun_str_free(&b);
    dun_str_free(&c);
}

/* Weights and programs are there once, however many runs there are. */
static void test_shared(void **state) {
    (void)state;
    enum { RUNS = 3 };
    dunlin_run *runs[RUNS];
    uint64_t bytes[RUNS + 1];
    float first[API_TEXTS * 2], last[API_TEXTS * 2];
    bytes[0] = dun_buffer_live_bytes();
    for (int i = 0; i < RUNS; i++) {
        API_OK(dunlin_open(&runs[i], train_path("program"), NULL));
        bytes[i + 1] = dun_buffer_live_bytes();
    }
    assert_true(bytes[2] - bytes[1] < bytes[1] - bytes[0]); /* a tiny model's weights are the smaller part */
    assert_int_equal(bytes[2] - bytes[1], bytes[3] - bytes[2]);
    api_distances(first, runs[0]);
    dunlin_free(runs[0]); /* whoever loaded them may go */
    api_distances(last, runs[RUNS - 1]);
    assert_memory_equal(first, last, sizeof first);
    for (int i = 1; i < RUNS; i++)
        dunlin_free(runs[i]);
    assert_int_equal(dun_buffer_live_bytes(), bytes[0]);
}

static int begin(void **state) {
    make_files(state);
    api_write_config();
    return 0;
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, note_live, compare_live)
    const struct CMUnitTest tests[] = {
        T(test_same_bytes), T(test_same_answers),         T(test_info),
        T(test_bytes),      T(test_other_model),          T(test_refusals),
        T(test_weights),    T(test_split_and_calibrated), T(test_shared),
    };
    return cmocka_run_group_tests(tests, begin, remove_files);
}
