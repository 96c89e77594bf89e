/* What training makes of normalisation, calculated centroids, schedules, optimisers of a group and the moving
 * average: on a tiny model, against what their definitions say of a whole run. */
#include "base/err.h"
#include "device_check.h"
#include "train_sample.h"

#include <math.h>

enum { D = 32, N_TRAIN = 10, PROMPT = 5 * D };

static const char still[] = "[prompt]\ninit = vocab\nlr = 0\n[train]\nbatch_size = 10\n";

static void train(train_run *t, const char *name, const char *more) {
    configure(t, more);
    train_run_all(t, name);
    assert_int_equal(dun_session_point_width(&t->session), D);
}

/* Points as a fitted map leaves them: of the training texts mean 0, and deviation 1 for z-scores. */
static void test_fitted_points(void **state) {
    (void)state;
    static const char *const kinds[] = {"center", "zscore"};
    for (size_t k = 0; k < 2; k++) {
        train_run t;
        char more[200], name[32];
        snprintf(name, sizeof name, "normalize-%s", kinds[k]);
        snprintf(more, sizeof more, "[train]\nepochs = 0\n[prompt]\ninit = vocab\n[model]\nnormalize = %s\n",
                 kinds[k]);
        train(&t, name, more);
        float *points = points_of(&t.session, 0, N_TRAIN);
        for (size_t j = 0; j < D; j++) {
            double sum = 0, squares = 0;
            for (size_t i = 0; i < N_TRAIN; i++) {
                sum += (double)points[i * D + j];
                squares += (double)points[i * D + j] * (double)points[i * D + j];
            }
            assert_true(fabs(sum / N_TRAIN) <= 1e-5);
            assert_true(k == 0 || fabs(squares / N_TRAIN - 1.0) <= 1e-4);
        }
        free(points);
        train_run_close(&t);
    }
}

static void test_unit_points(void **state) {
    (void)state;
    train_run t;
    train(&t, "normalize-unit", "[train]\nepochs = 1\n[prompt]\ninit = vocab\n[model]\nnormalize = unit\n");
    float *points = points_of(&t.session, 0, N_TRAIN);
    for (size_t i = 0; i < N_TRAIN; i++) {
        double squares = 0;
        for (size_t j = 0; j < D; j++)
            squares += (double)points[i * D + j] * (double)points[i * D + j];
        assert_true(fabs(squares - 1.0) <= 1e-5);
    }
    free(points);
    assert_null(t.session.normalizer.values);
    train_run_close(&t);
}

/* The loss of the training texts under a prompt, and the prompt's gradient where it is wanted. */
static double loss_under(float *gradient, train_run *t, dun_loss *loss, const dun_buffer *centroids,
                         const float *prompt) {
    uint32_t which[N_TRAIN];
    int32_t labels[N_TRAIN];
    float value;
    dun_engine *engine = &t->session.engine;
    for (uint32_t i = 0; i < N_TRAIN; i++) {
        which[i] = i;
        labels[i] = (int32_t)t->session.texts.label[i];
    }
    check_ok(dun_session_set_prompt(&t->session, prompt));
    check_ok(dun_session_run(&t->session, which, N_TRAIN));
    check_ok(dun_loss_run(loss, dun_engine_point_gradient(engine), NULL, dun_engine_point_buffer(engine),
                          centroids, labels, NULL, N_TRAIN));
    check_ok(dun_loss_read(&value, NULL, loss, N_TRAIN));
    if (gradient) {
        check_ok(dun_session_backward(&t->session, N_TRAIN));
        check_ok(dun_buffer_read(gradient, &engine->d_prompt, 0, PROMPT * sizeof *gradient));
    }
    return (double)value;
}

/* The gradient through model, normalisation, distance and loss, along itself, against a central difference.
 */
static void test_gradient(void **state) {
    (void)state;
    static const struct {
        const char *normalize, *distance, *loss, *words;
    } cases[] = {{"none", "euclidean", "cross-entropy", ""},
                 {"center", "euclidean", "attract-repel", ""},
                 {"zscore", "euclidean", "cross-entropy", ""},
                 {"zscore", "cosine", "cross-entropy", ""},
                 {"unit", "squared", "attract-repel", ""},
                 {"unit", "cosine", "cross-entropy", ""},
                 {"none", "squared", "centroid", ""},
                 {"zscore", "squared", "centroid", ""},
                 {"none", "euclidean", "cross-entropy", "bag, quiz+x"},
                 {"center", "cosine", "cross-entropy", "bag, quiz+x"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        train_run t;
        dun_loss loss;
        char more[300], name[32];
        float gradient[PROMPT], prompt[PROMPT];
        snprintf(name, sizeof name, "gradient-%zu", i);
        snprintf(more, sizeof more,
                 "[train]\nepochs = 0\nbatch_size = 10\n[prompt]\ninit = vocab\n[centroid]\nstart = random\n"
                 "[model]\nnormalize = %s\n[loss]\ndistance = %s\nkind = %s\nlabel_words = %s\n",
                 cases[i].normalize, cases[i].distance, cases[i].loss, cases[i].words);
        train(&t, name, more);
        dun_loss_settings settings = dun_loss_settings_from(&t.config);
        dun_buffer centroids;
        check_ok(dun_buffer_create(&centroids, t.session.device, 2 * D * sizeof(float), "centroids"));
        check_ok(dun_buffer_write(&centroids, 0, t.result.centroids, 2 * D * sizeof(float)));
        check_ok(dun_loss_create(&loss, &t.session.compute, &settings, N_TRAIN, 2, D));
        if (*cases[i].words)
            check_ok(dun_loss_use_words(&loss, t.session.label_words.rows));
        loss_under(gradient, &t, &loss, &centroids, t.session.prompt.rows);
        double length = 0, h = 0.02, values[2];
        for (size_t j = 0; j < PROMPT; j++)
            length += (double)gradient[j] * (double)gradient[j];
        length = sqrt(length);
        assert_true(length > 0);
        for (int side = 0; side < 2; side++) {
            for (size_t j = 0; j < PROMPT; j++)
                prompt[j] =
                    t.session.prompt.rows[j] + (float)((side ? -h : h) * (double)gradient[j] / length);
            values[side] = loss_under(NULL, &t, &loss, &centroids, prompt);
        }
        double slope = (values[0] - values[1]) / (2 * h);
        print_message("%s, %s, %s: slope %.6f, gradient %.6f\n", cases[i].normalize, cases[i].distance,
                      cases[i].loss, slope, length);
        if (!(fabs(slope - length) <= 5e-3 * length))
            fail_msg("%s: slope %g, gradient of length %g", cases[i].normalize, slope, length);
        dun_loss_free(&loss);
        dun_buffer_free(&centroids);
        train_run_close(&t);
    }
}

/* What is saved makes the same points in a session that fits nothing. */
static void test_saved_normalization(void **state) {
    (void)state;
    train_run t, again;
    dun_saved_prompt saved;
    const char more[] = "[prompt]\ninit = vocab\nlr = 0.05\n[model]\nnormalize = zscore\n";
    train(&t, "saved-zscore", more);
    float *points = points_of(&t.session, t.session.n_train, t.session.n_valid);
    check_ok(dun_saved_prompt_read(&saved, train_run_file(&t, "prompt.safetensors")));
    assert_non_null(saved.normalization);
    assert_memory_equal(saved.normalization, t.session.normalizer.values, 2 * D * sizeof(float));
    configure(&again, more);
    check_ok(dun_session_open(&again.session, &again.config, NULL));
    check_ok(dun_session_use_prompt(&again.session, &saved, "saved"));
    check_ok(dun_session_read_data(&again.session, true));
    check_ok(dun_session_start_engine(&again.session, true));
    check_ok(dun_session_read_texts(&again.session));
    float *others = points_of(&again.session, again.session.n_train, again.session.n_valid);
    assert_memory_equal(points, others, t.session.n_valid * D * sizeof *points);
    free(points);
    free(others);
    train_run_close(&again);
    dun_saved_prompt_free(&saved);
    train_run_close(&t);
    /* A run without them is of no use to a config that asks for them. */
    train(&t, "saved-plain", "[prompt]\ninit = vocab\n");
    check_ok(dun_saved_prompt_read(&saved, train_run_file(&t, "prompt.safetensors")));
    assert_null(saved.normalization);
    configure(&again, more);
    check_ok(dun_session_open(&again.session, &again.config, NULL));
    assert_int_equal(dun_session_use_prompt(&again.session, &saved, "saved"), DUN_BAD_INPUT);
    assert_non_null(strstr(dun_error_message(), "model.normalize"));
    train_run_close(&again);
    dun_saved_prompt_free(&saved);
    train_run_close(&t);
}

/* With a prompt that does not move, class means stay, so lethargy draws each centroid there geometrically;
 * with `every` only at every so many steps. */
static void test_lethargy(void **state) {
    (void)state;
    static const struct { int every, moves; } cases[] = {{1, 7}, {3, 2}};
    for (size_t i = 0; i < 2; i++) {
        train_run start, t;
        char more[300], name[32];
        train(&start, i ? "start-b" : "start-a", "[train]\nepochs = 0\n[prompt]\ninit = vocab\n");
        snprintf(name, sizeof name, "lethargy-%zu", i);
        snprintf(more, sizeof more,
                 "%sepochs = 7\n[centroid]\ntrain = no\nupdate = class-mean\nlethargy = 0.7\nevery = %d\n",
                 still, cases[i].every);
        train(&t, name, more);
        float *points = points_of(&t.session, 0, N_TRAIN);
        double kept = pow(0.7, cases[i].moves);
        for (size_t at = 0; at < 2 * D; at++) {
            double mean = 0, n = 0;
            for (size_t k = 0; k < N_TRAIN; k++)
                if (t.session.texts.label[k] == at / D) {
                    mean += (double)points[k * D + at % D];
                    n++;
                }
            double want = kept * (double)start.result.centroids[at] + (1 - kept) * mean / n;
            if (!(fabs((double)t.result.centroids[at] - want) <= 1e-5))
                fail_msg("every %d: centroid value %zu is %g, expected %g", cases[i].every, at,
                         (double)t.result.centroids[at], want);
        }
        free(points);
        train_run_close(&t);
        train_run_close(&start);
    }
}

/* Plain descent at rate 1 is the plain move, also with a velocity; another optimiser is not. */
static void test_optimizer_of_moves(void **state) {
    (void)state;
    static const char base[] = "[prompt]\ninit = vocab\nlr = 0.02\n[train]\nbatch_size = 4\n[centroid]\n"
                               "train = no\nupdate = class-mean\nrepulsion = 0.1\n%s";
    static const char *const rows[] = {"momentum = 0.5\n", "momentum = 0.5\noptimizer = sgd\nlr = 1\n",
                                       "optimizer = adam\nlr = 0.1\n"};
    float centroids[2 * D];
    for (size_t i = 0; i < 3; i++) {
        train_run t;
        char more[400], name[32];
        snprintf(name, sizeof name, "moves-%zu", i);
        snprintf(more, sizeof more, base, rows[i]);
        train(&t, name, more);
        if (i == 0)
            memcpy(centroids, t.result.centroids, sizeof centroids);
        assert_int_equal(memcmp(centroids, t.result.centroids, sizeof centroids) == 0, i < 2);
        train_run_close(&t);
    }
}

/* A centroid's own optimiser does not touch the prompt's. */
static void test_optimizer_of_group(void **state) {
    (void)state;
    train_run t;
    train(&t, "group",
          "[prompt]\ninit = vocab\n[train]\noptimizer = adamw\nweight_decay = 0.1\n"
          "[centroid]\noptimizer = sgd\n");
    assert_true(t.result.steps > 0);
    train_run_close(&t);
}

/* lr of the history is that of the step. */
static void test_history_lr(void **state) {
    (void)state;
    train_run t;
    char line[512];
    uint64_t step = 0;
    train(&t, "history",
          "[prompt]\ninit = vocab\nlr = 0.01\n[train]\nepochs = 2\nbatch_size = 2\nschedule = linear\n"
          "warmup = 3\nclip = 0.5\n");
    FILE *file = fopen(train_run_file(&t, "history.jsonl"), "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        const char *lr = strstr(line, "\"lr\": ");
        double want = ++step <= 3 ? (double)step / 4 : 1 - (double)(step - 4) / 7;
        assert_non_null(lr);
        assert_true(fabs(strtod(lr + 6, NULL) - 0.01 * want) <= 1e-9);
    }
    fclose(file);
    assert_int_equal(step, 10);
    train_run_close(&t);
}

/* With lr_scale = auto the prompt's rate is multiplied by the quotient of the tables' deviations, a
 * centroid's is not; what history.jsonl tells is the prompt's. */
static void test_lr_scale(void **state) {
    (void)state;
    train_run t;
    char line[512];
    configure(&t, "[prompt]\ninit = vocab\nlr = 0.01\n[train]\nepochs = 1\nbatch_size = 10\n");
    check_ok(dun_config_put(&t.config, DUN_KEY_prompt_lr_scale, "auto", "test"));
    train_run_all(&t, "scaled");
    const dun_spec *spec = dun_model_file_spec(t.session.model);
    double sum = 0, squares = 0, n = (double)spec->vocab * spec->width;
    float row[64];
    assert_true(spec->width <= 64);
    for (uint32_t id = 0; id < spec->vocab; id++) {
        check_ok(dun_model_file_read(row, t.session.model, DUN_W_EMBED, 0, id, 1));
        for (uint32_t i = 0; i < spec->width; i++) {
            sum += (double)row[i];
            squares += (double)row[i] * (double)row[i];
        }
    }
    const double factor = sqrt(squares / n - sum / n * (sum / n)) / 0.135578208;
    assert_true(factor > 1.1);
    FILE *file = fopen(train_run_file(&t, "history.jsonl"), "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    fclose(file);
    const char *lr = strstr(line, "\"lr\": ");
    assert_non_null(lr);
    assert_true(fabs(strtod(lr + 6, NULL) / (0.01 * factor) - 1) <= 1e-6);
    train_run_close(&t);
}

/* The average changes what is measured and saved, not the training; after one step it is the average of the
 * start and of what the step made, by 2/11. */
static void test_average(void **state) {
    (void)state;
    static const char base[] = "[prompt]\ninit = vocab\nlr = 0.05\n[train]\nepochs = %d\nbatch_size = 10\n%s";
    static const struct {
        int epochs;
        const char *average;
    } rows[] = {{0, ""}, {1, ""}, {1, "average = 0.9\n"}, {4, ""}, {4, "average = 0.9\n"}};
    float prompts[5][PROMPT], centroids[5][2 * D], losses[5][4];
    for (size_t i = 0; i < 5; i++) {
        train_run t;
        char more[300], name[32];
        snprintf(name, sizeof name, "average-%zu", i);
        snprintf(more, sizeof more, base, rows[i].epochs, rows[i].average);
        train(&t, name, more);
        assert_int_equal(t.n_losses, rows[i].epochs);
        memcpy(losses[i], t.losses, sizeof losses[i]);
        memcpy(prompts[i], t.session.prompt.rows, sizeof prompts[i]);
        memcpy(centroids[i], t.result.centroids, sizeof centroids[i]);
        train_run_close(&t);
    }
    double kept = 2.0 / 11.0;
    for (size_t at = 0; at < PROMPT; at++)
        assert_true(fabs((double)prompts[2][at] - kept * (double)prompts[0][at] -
                         (1 - kept) * (double)prompts[1][at]) <= 1e-6);
    for (size_t at = 0; at < 2 * D; at++)
        assert_true(fabs((double)centroids[2][at] - kept * (double)centroids[0][at] -
                         (1 - kept) * (double)centroids[1][at]) <= 1e-6);
    assert_memory_equal(losses[3], losses[4], sizeof losses[3]);
    assert_memory_not_equal(prompts[3], prompts[4], sizeof prompts[3]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fitted_points),      cmocka_unit_test(test_unit_points),
        cmocka_unit_test(test_gradient),           cmocka_unit_test(test_saved_normalization),
        cmocka_unit_test(test_lethargy),           cmocka_unit_test(test_optimizer_of_moves),
        cmocka_unit_test(test_optimizer_of_group), cmocka_unit_test(test_history_lr),
        cmocka_unit_test(test_lr_scale),           cmocka_unit_test(test_average),
    };
    return cmocka_run_group_tests(tests, make_files_and_programs, remove_files);
}
