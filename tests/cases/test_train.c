/* Training on a tiny random model: that it learns, repeats itself, does not depend on the cache, and that
 * losses of batches
 * and limits are what their definitions say. */
#include "base/err.h"
#include "device_check.h"
#include "train_sample.h"

#include <math.h>
#include <unistd.h>

static double mean(const float *values, uint32_t n) {
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += (double)values[i];
    return sum / n;
}

static bool has_file(const train_run *t, const char *name) {
    return access(train_run_file(t, name), R_OK) == 0;
}

static void test_learns(void **state) {
    (void)state;
    static const char *const settings[] = {
        "[train]\nepochs = 12\nbatch_size = 4\n[prompt]\ninit = vocab\nlr = 0.05\n[centroid]\nstart = random\n",
        ("[train]\nepochs = 12\nbatch_size = 4\n[prompt]\ninit = random\nlr = 0.05\n[centroid]\n"
         "start = random\n[model]\npoint = logits\n"),
        "[train]\nepochs = 12\nbatch_size = 4\n[prompt]\ninit = vocab\nlr = 0.05\n[loss]\nkind = centroid\n"};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        train_run t;
        char name[32];
        snprintf(name, sizeof name, "learns-%zu", i);
        configure(&t, settings[i]);
        train_run_all(&t, name);
        assert_int_equal(t.n_losses, 12 * 3);
        double before = mean(t.losses, 3), after = mean(t.losses + 33, 3);
        print_message("mean loss %.4f in the first epoch, %.4f in the last\n", before, after);
        if (!(after < 0.5 * before))
            fail_msg("settings %zu: the mean loss went from %g to %g", i, before, after);
        assert_true(t.result.last_loss == t.losses[35]);
        assert_int_equal(t.result.metrics.n, 8);
        assert_true(t.result.metrics.accuracy == 1.0);
        assert_true(t.result.majority == 0.625);
        assert_true(has_file(&t, "metrics.json") && has_file(&t, "predictions.tsv"));
        train_run_close(&t);
    }
}

static void test_repeats(void **state) {
    (void)state;
    static const char *const settings[] = {
        "[train]\nbatch_size = 4\n[prompt]\ninit = random\n",
        "[train]\nbatch_size = 4\n[prompt]\ninit = random\n[experiment]\nseed = 2\n"};
    static const char *const compared[] = {"prompt.safetensors", "history.jsonl", "predictions.tsv"};
    train_run a, b, other;
    configure(&a, settings[0]);
    train_run_all(&a, "repeat-a");
    train_run_close(&a);
    configure(&b, settings[0]);
    train_run_all(&b, "repeat-b");
    train_run_close(&b);
    configure(&other, settings[1]);
    train_run_all(&other, "repeat-other");
    train_run_close(&other);
    for (size_t i = 0; i < sizeof compared / sizeof *compared; i++) {
        char path[3][64];
        snprintf(path[0], sizeof path[0], "repeat-a/%s", compared[i]);
        snprintf(path[1], sizeof path[1], "repeat-b/%s", compared[i]);
        snprintf(path[2], sizeof path[2], "repeat-other/%s", compared[i]);
        if (!train_same_file(train_path(path[0]), train_path(path[1])))
            fail_msg("%s: differs from run to run", compared[i]);
        if (train_same_file(train_path(path[0]), train_path(path[2])))
            fail_msg("%s: does not depend on the seed", compared[i]);
    }
}

/* What is kept, a part of it, or nothing: the same losses, prompt and history. */
static void test_cache(void **state) {
    (void)state;
    static const struct {
        const char *name, *lines;
        bool some, all; /* kept */
    } caches[] = {{"cache-f32", "cache_kv = f32", true, true},
                  {"cache-budget", "cache_budget_mb = 1", true, false},
                  {"cache-no", "cache_kv = no", false, false}};
    float *prompt = NULL, losses[TRAIN_LOSSES] = {0};
    size_t bytes = 0;
    write_letters("many.tsv", 100, 60, 90, "");
    for (size_t i = 0; i < sizeof caches / sizeof *caches; i++) {
        train_run t;
        char more[200];
        snprintf(more, sizeof more,
                 "max_length = 60\n[train]\nepochs = 2\nbatch_size = 16\n[prompt]\ninit = vocab\nlr = 0.02\n"
                 "[device]\n%s\n",
                 caches[i].lines);
        configure_data(&t, "many.tsv", more);
        train_run_all(&t, caches[i].name);
        print_message("%s: %u of %u texts kept\n", caches[i].lines, t.session.first->cache.n_resident,
                      t.session.texts.n);
        assert_int_equal(t.session.first->cache.n_resident > 0, caches[i].some);
        assert_int_equal(t.session.first->cache.n_resident == t.session.texts.n, caches[i].all);
        assert_int_equal(t.n_losses, 14);
        if (i == 0) {
            bytes = (size_t)t.session.prompt.n_rows * t.session.prompt.width * sizeof *prompt;
            prompt = malloc(bytes);
            assert_non_null(prompt);
            memcpy(prompt, t.session.prompt.rows, bytes);
            memcpy(losses, t.losses, sizeof losses);
        }
        assert_memory_equal(losses, t.losses, sizeof losses);
        assert_memory_equal(prompt, t.session.prompt.rows, bytes);
        train_run_close(&t);
    }
    free(prompt);
}

static double apart(const float *a, const float *b, size_t n) {
    double squares = 0;
    for (size_t i = 0; i < n; i++) {
        double difference = (double)a[i] - (double)b[i] + 1e-6;
        squares += difference * difference;
    }
    return sqrt(squares);
}

/* The loss of a text alone, from its definition. */
static double text_loss(const train_run *t, const float *point, uint32_t label) {
    const float *centroids = t->result.centroids;
    size_t D = dun_session_point_width(&t->session);
    double d[2] = {apart(point, centroids, D), apart(point, centroids + D, D)};
    if (t->config.loss.kind == DUN_LOSS_CENTROID)
        return t->config.loss.distance_factor * d[label] +
               t->config.loss.repulsion_factor / apart(centroids, centroids + D, D);
    return log(1 + exp((d[label] - d[1 - label]) / t->config.loss.temperature));
}

/* With learning rates of zero nothing changes, and a step's loss is the mean over its texts: the texts in
 * file order, the last batch smaller. */
static void test_file_order(void **state) {
    (void)state;
    static const struct {
        uint32_t batch_size;
        const char *loss;
    } settings[] = {{1, ""},
                    {4, ""},
                    {5, "[loss]\ntemperature = 3\n"},
                    {40, ""},
                    {4, "[loss]\nkind = centroid\ndistance_factor = 2\nrepulsion_factor = 30\n"}};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        train_run t;
        char more[300], name[32];
        uint32_t size = settings[i].batch_size, n = 10, steps = (n + size - 1) / size;
        snprintf(name, sizeof name, "order-%zu", i);
        snprintf(more, sizeof more,
                 "[train]\nepochs = 2\nshuffle = no\nbatch_size = %u\n[prompt]\ninit = vocab\nlr = 0\n%s",
                 size, settings[i].loss);
        configure(&t, more);
        train_run_all(&t, name);
        assert_int_equal(t.session.n_train, n);
        assert_int_equal(t.n_losses, 2 * steps);
        float *points = points_of(&t.session, 0, n);
        size_t D = dun_session_point_width(&t.session);
        for (uint32_t step = 0; step < 2 * steps; step++) {
            uint32_t first = step % steps * size, end = first + size < n ? first + size : n;
            double sum = 0;
            for (uint32_t j = first; j < end; j++)
                sum += text_loss(&t, points + j * D, t.session.texts.label[j]);
            double want = sum / (end - first), error = fabs((double)t.losses[step] - want);
            if (!(error <= 1e-4 * fabs(want) + 1e-6))
                fail_msg("batches of %u, step %u: loss %g, expected %g", size, step + 1,
                         (double)t.losses[step], want);
        }
        free(points);
        train_run_close(&t);
    }
}

static int compare_floats(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Shuffled: every epoch has every text once, in another order. */
static void test_shuffle(void **state) {
    (void)state;
    train_run t;
    configure(&t, "[train]\nepochs = 2\nbatch_size = 1\n[prompt]\ninit = vocab\nlr = 0\n");
    train_run_all(&t, "shuffle");
    assert_int_equal(t.n_losses, 20);
    assert_memory_not_equal(t.losses, t.losses + 10, 10 * sizeof *t.losses);
    qsort(t.losses, 10, sizeof *t.losses, compare_floats);
    qsort(t.losses + 10, 10, sizeof *t.losses, compare_floats);
    assert_memory_equal(t.losses, t.losses + 10, 10 * sizeof *t.losses);
    train_run_close(&t);
}

/* Evenly shuffled: of every two texts that are five apart one batch of five has one and the next the other.
 */
static void test_shuffle_evenly(void **state) {
    (void)state;
    enum { N = 10, SIZE = 5 };
    train_run t;
    float loss[N];
    uint32_t found = 0;
    configure(&t, "[train]\nepochs = 3\nshuffle = even\nbatch_size = 5\n[prompt]\ninit = vocab\nlr = 0\n");
    train_run_all(&t, "even");
    float *points = points_of(&t.session, 0, N);
    for (uint32_t i = 0; i < N; i++)
        loss[i] =
            (float)text_loss(&t, points + i * dun_session_point_width(&t.session), t.session.texts.label[i]);
    for (uint32_t epoch = 0; epoch < 3; epoch++) {
        for (uint32_t second = 0; second < 1u << SIZE; second++) { /* the bit of i: text i + SIZE, not i */
            double sums[2] = {0};
            for (uint32_t i = 0; i < SIZE; i++) {
                sums[0] += (double)loss[second >> i & 1 ? i + SIZE : i];
                sums[1] += (double)loss[second >> i & 1 ? i : i + SIZE];
            }
            if (fabs(sums[0] / SIZE - (double)t.losses[2 * epoch]) <= 1e-5 &&
                fabs(sums[1] / SIZE - (double)t.losses[2 * epoch + 1]) <= 1e-5)
                found |= 1u << epoch;
        }
    }
    assert_int_equal(found, 7);
    assert_memory_not_equal(t.losses, t.losses + 2, 2 * sizeof *t.losses);
    free(points);
    train_run_close(&t);
}

/* Places keep their class modulo the stride, none is lost, and rounds differ; with stride 1 it is the plain
 * one. */
static void test_strided_order(void **state) {
    (void)state;
    enum { N = 23 };
    static const uint32_t strides[] = {1, 2, 7, 22, 23, 40};
    uint32_t order[N], other[N];
    for (size_t k = 0; k < sizeof strides / sizeof *strides; k++) {
        bool seen[N] = {0};
        dun_random_shuffle_strided(order, N, strides[k], 1, DUN_STREAM_TEST, 1);
        dun_random_shuffle_strided(other, N, strides[k], 1, DUN_STREAM_TEST, 2);
        for (uint32_t i = 0; i < N; i++) {
            assert_true(order[i] < N && !seen[order[i]]);
            assert_int_equal(order[i] % strides[k], i % strides[k]);
            seen[order[i]] = true;
        }
        if (strides[k] != 22) /* which leaves one pair that may change places */
            assert_int_equal(memcmp(order, other, sizeof order) != 0, strides[k] < 22);
    }
    dun_random_shuffle_strided(order, N, 1, 1, DUN_STREAM_TEST, 1);
    dun_random_shuffle(other, N, 1, DUN_STREAM_TEST, 1);
    assert_memory_equal(order, other, sizeof order);
}

/* What lies behind max_length tokens does not matter. */
static void test_max_length(void **state) {
    (void)state;
    train_run t;
    float losses[TRAIN_LOSSES];
    const char more[] = "max_length = 8\n[prompt]\ninit = vocab\nlr = 0.02\n[train]\nbatch_size = 4\n";
    write_letters("short.tsv", 10, 8, 8, "");
    write_letters("long.tsv", 10, 8, 8, "jjjjjjjjjjjjjjjj");
    configure_data(&t, "short.tsv", more);
    train_run_all(&t, "short");
    assert_int_equal(t.session.texts.longest, 8);
    memcpy(losses, t.losses, sizeof losses);
    train_run_close(&t);
    configure_data(&t, "long.tsv", more);
    train_run_all(&t, "long");
    assert_int_equal(t.session.texts.longest, 8);
    assert_memory_equal(losses, t.losses, sizeof losses);
    train_run_close(&t);
    configure_data(&t, "long.tsv", "max_length = 300\n[prompt]\ninit = vocab\n");
    assert_int_equal(train_run_open(&t, NULL), DUN_USAGE);
    assert_non_null(strstr(dun_error_message(), "256"));
    train_run_close(&t);
    configure_data(&t, "long.tsv", "max_length = 252\n[prompt]\ninit = vocab\n");
    assert_int_equal(train_run_open(&t, NULL), DUN_USAGE);
    assert_non_null(strstr(dun_error_message(), "5 rows"));
    train_run_close(&t);
}

static void test_not_finite(void **state) {
    (void)state;
    train_run t;
    configure(&t, "[prompt]\ninit = vocab\nlr = 1e30\n");
    check_ok(train_run_open(&t, "nan"));
    assert_int_equal(train_run_train(&t), DUN_FAILED);
    print_message("%s\n", dun_error_message());
    assert_non_null(strstr(dun_error_message(), "loss"));
    assert_non_null(strstr(dun_error_message(), "step 1"));
    assert_true(isnan(t.result.last_loss)); /* so that a sweep's table says that it diverged */
    assert_non_null(strstr(dun_error_message(), "prompt.lr"));
    assert_false(has_file(&t, "metrics.json") || has_file(&t, "prompt.safetensors"));
    train_run_close(&t);
}

static void test_run_directory(void **state) {
    (void)state;
    train_run t;
    dun_run_dir again = {0};
    char before[512];
    assert_non_null(getcwd(before, sizeof before));
    configure(&t, "[prompt]\ninit = vocab\n");
    train_run_all(&t, "kept");
    /* Not while it is open, nor later. */
    assert_int_equal(dun_run_dir_create(&again, train_path("kept"), "x", &t.config), DUN_FAILED);
    assert_non_null(strstr(dun_error_message(), "works there since"));
    dun_claim_give_back(t.run.claim);
    t.run.claim = NULL;
    assert_int_equal(dun_run_dir_create(&again, train_path("kept"), "x", &t.config), DUN_FAILED);
    assert_non_null(strstr(dun_error_message(), "kept: "));
    assert_non_null(strstr(dun_error_message(), "never overwritten"));
    assert_true(has_file(&t, "metrics.json"));
    /* Without a folder of its own: runs/NAME, then runs/NAME-2, and so on. */
    assert_int_equal(chdir(train_folder()), 0);
    for (int i = 1; i <= 3; i++) {
        static const char *const wanted[] = {"runs/x", "runs/x-2", "runs/x-3"};
        check_ok(dun_run_dir_create(&again, "", "x", &t.config));
        assert_string_equal(again.path, wanted[i - 1]);
        assert_false(dun_run_dir_complete(again.path));
        dun_run_dir_close(&again);
    }
    assert_int_equal(chdir(before), 0);
    train_run_close(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns),         cmocka_unit_test(test_repeats),
        cmocka_unit_test(test_cache),          cmocka_unit_test(test_file_order),
        cmocka_unit_test(test_shuffle),        cmocka_unit_test(test_max_length),
        cmocka_unit_test(test_shuffle_evenly), cmocka_unit_test(test_strided_order),
        cmocka_unit_test(test_not_finite),     cmocka_unit_test(test_run_directory),
    };
    return cmocka_run_group_tests(tests, make_files_and_programs, remove_files);
}
