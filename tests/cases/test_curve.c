/* Training against PyTorch, from config text to run directory: losses of every step, the prompt and the
 * centroids after the last, on the real model where it was fetched. A part of it in every run; all of it,
 * also in split, where DUNLIN_TEST_WHOLE is set. */
#include "base/mem.h"
#include "device_check.h"
#include "reference_file.h"
#include "train_run.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Of each file the first run, unless all of them: what is longest is the model's arithmetic. */
static bool whole(void) {
    return getenv("DUNLIN_TEST_WHOLE") != NULL;
}

static const char real_model[] = "models/SmolLM2-135M-Instruct.Q4_1.gguf";

typedef struct {
    const char *json, *tsv, *prompt; /* the prompt's words make the file's prompt_ids */
    const char *name;
    double most_loss, most_prompt, most_apart; /* relative */
    double most_split; /* of losses in split beside float32's: 1e-4 was meant, docs/measured.md has what is */
} curve;

static const curve curves[] = {
    {"tests/reference/curve.json", "tests/reference/curve.tsv", "I found it rather", "own", 0.01, 0.02, 0.01,
     1e-4},
    {"../shared/reference/curve.json", "../shared/reference/curve.tsv", " Overall this review sounds very",
     "shared", 0.02, 0.05, 0.02, 2e-2},
};

/* The words of the prompt are the tokens that the reference started from. */
static void expect_prompt_ids(const dun_session *session, const char *words, const json_t *ids) {
    dun_tokens tokens = {0};
    check_ok(dun_tokenizer_encode(&tokens, session->tokenizer, words, strlen(words)));
    assert_int_equal(tokens.n, json_array_size(ids));
    for (size_t i = 0; i < tokens.n; i++)
        assert_int_equal(tokens.ids[i], json_integer_value(json_array_get(ids, i)));
    dun_tokens_free(&tokens);
}

static void expect_losses(const train_run *t, const json_t *expected, double most) {
    double worst = 0;
    assert_int_equal(t->n_losses, json_array_size(expected));
    for (size_t i = 0; i < t->n_losses; i++) {
        double want = json_number_value(json_array_get(expected, i));
        double error = fabs((double)t->losses[i] - want) / fabs(want);
        if (!(error <= most))
            fail_msg("step %zu: loss %g, expected %g", i + 1, (double)t->losses[i], want);
        worst = error > worst ? error : worst;
    }
    print_message("%zu losses, worst %.2e (at most %.0e)\n", (size_t)t->n_losses, worst, most);
}

static void expect_apart(const train_run *t, double expected, double most) {
    size_t D = dun_session_point_width(&t->session);
    double squares = 0;
    for (size_t j = 0; j < D; j++) {
        double difference = (double)t->result.centroids[j] - (double)t->result.centroids[D + j] + 1e-6;
        squares += difference * difference;
    }
    double error = fabs(sqrt(squares) - expected) / expected;
    print_message("%-40s %.2e (at most %.0e)\n", "distance of the centroids", error, most);
    if (!(error <= most))
        fail_msg("the centroids are %g apart, expected %g", sqrt(squares), expected);
}

static void configure(train_run *t, const curve *c, const json_t *expected, const char *precision) {
    const char *point = json_string_value(json_object_get(expected, "point"));
    print_message("%s, %s, %s\n", c->json, point, precision);
    train_run_config(t,
                     "[model]\npath = %s\npoint = %s\n"
                     "[data]\ntrain = %s\nvalid = %s\nlimit_valid = 2\nmax_length = %d\n"
                     "[prompt]\ntext = \"%s\"\nlr = %.17g\n"
                     "[train]\nepochs = 1\nbatch_size = %d\nshuffle = no\nprobe = no\n[output]\nreport = no\n"
                     "[device]\nprecision = %s\n",
                     real_model, point, c->tsv, c->tsv,
                     (int)json_integer_value(json_object_get(expected, "max_length")), c->prompt,
                     json_number_value(json_object_get(expected, "lr")),
                     (int)json_integer_value(json_object_get(expected, "batch_size")), precision);
}

/* In split, three products of bfloat16 parts: the losses of float32. */
static void expect_split(const curve *c, const json_t *expected, const float *losses, size_t n) {
    const double most = c->most_split;
    train_run t;
    char name[32];
    double worst = 0;
    snprintf(name, sizeof name, "%s-split", c->name);
    configure(&t, c, expected, "split");
    train_run_all(&t, name);
    assert_int_equal(t.n_losses, n);
    for (size_t i = 0; i < n; i++)
        worst = fmax(worst, fabs((double)t.losses[i] - (double)losses[i]) / fabs((double)losses[i]));
    print_message("%zu losses within %.2e of float32's (at most %.0e)\n", n, worst, most);
    assert_true(worst <= most);
    train_run_close(&t);
}

static void dun_check_run(const curve *c, const json_t *ids, const json_t *expected, size_t index) {
    train_run t;
    char name[32];
    float losses[TRAIN_LOSSES];
    snprintf(name, sizeof name, "%s-%zu", c->name, index);
    configure(&t, c, expected, "f32");
    train_run_all(&t, name);
    const size_t n = t.n_losses;
    memcpy(losses, t.losses, n * sizeof *losses);
    expect_prompt_ids(&t.session, c->prompt, ids);
    expect_losses(&t, json_object_get(expected, "losses"), c->most_loss);
    reference_expect("prompt after training", t.session.prompt.rows,
                     json_object_get(expected, "prompt_after"), c->most_prompt);
    expect_apart(&t, json_number_value(json_object_get(expected, "centroid_distance_01")), c->most_apart);
    train_run_close(&t);
    if (index == 0 && (c == &curves[0] || whole()))
        expect_split(c, expected, losses, n);
}

static void test_curve(void **state) {
    const curve *c = *state;
    size_t i;
    const json_t *run;
    json_t *root = reference_open(c->json);
    if (!root || !reference_exists(real_model)) {
        json_decref(root);
        print_message("%s or the real model is not here\n", c->json);
        skip();
    }
    assert_true(json_array_size(json_object_get(root, "runs")) > 0);
    json_array_foreach(json_object_get(root, "runs"), i, run) if (i == 0 || c == &curves[0] || whole())
        dun_check_run(c, json_object_get(root, "prompt_ids"), run, i);
    json_decref(root);
}

static int remove_folder(void **state) {
    (void)state;
    train_folder_remove();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        {"test_curve of this project", test_curve, NULL, NULL, (void *)(uintptr_t)&curves[0]},
        {"test_curve shared", test_curve, NULL, NULL, (void *)(uintptr_t)&curves[1]},
    };
    return cmocka_run_group_tests(tests, NULL, remove_folder);
}
