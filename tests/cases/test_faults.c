/* The failure points of a whole small run: the n-th allocation, OpenCL call or file write fails, for n = 1,
 * 3, 5, ... until the run gets through; with sanitizers, which take several times as long, every third, and
 * every one with FAULT_STEP=1 in the environment. Each time there is a message, nothing is left alive
 * (train_run_close looks), what an earlier run wrote is untouched, and going on with the broken run gives the
 * undisturbed result. */
#include "train_sample.h"

#include "base/err.h"
#include "base/fault.h"

#include <unistd.h>

static const char config[] = "limit_train = 6\nlimit_valid = 4\n[prompt]\ninit = vocab\ntokens = 2\n"
                             "[train]\nepochs = 2\nbatch_size = 3\n[output]\ncheckpoint_every = 1\n";

static const char *const files[] = {"prompt.safetensors", "history.jsonl", "predictions.tsv",
                                    "config.ini",         "trajectory",    "projection.safetensors"};
enum { N_FILES = sizeof files / sizeof *files };
#ifdef DUN_SANITIZED
enum { STEP = 3 };
#else
enum { STEP = 2 };
#endif
enum { BUILDING = 30 }; /* test_cache looks at each of these operations */

static void remove_run(const char *name) {
    static const char *const all[] = {"prompt.safetensors",
                                      "history.jsonl",
                                      "predictions.tsv",
                                      "config.ini",
                                      "metrics.json",
                                      "checkpoint",
                                      "checkpoint.previous",
                                      "trajectory",
                                      "projection.safetensors",
                                      "history.csv",
                                      "report.csv",
                                      "confusion.csv",
                                      ".dunlin"};
    char path[512];
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        snprintf(path, sizeof path, "%s/%s", train_path(name), all[i]);
        unlink(path);
    }
    /* A temp file that a failed write left behind would keep the folder from going. */
    if (rmdir(train_path(name)) != 0 && access(train_path(name), F_OK) == 0)
        fail_msg("%s: the folder holds files that do not belong there", name);
}

static bool same_files(const char *a, const char *b) {
    char x[512], y[512];
    for (size_t i = 0; i < N_FILES; i++) {
        snprintf(x, sizeof x, "%s/%s", train_path(a), files[i]);
        snprintf(y, sizeof y, "%s/%s", train_path(b), files[i]);
        if (!train_same_file(x, y))
            return false;
    }
    return true;
}

/* One run with its n-th operation failing. Returns its status. */
static int run_with_fault(unsigned long n, unsigned long *operations) {
    train_run t;
    dun_fault_set(0);
    configure(&t, config);
    dun_error_clear();
    dun_fault_set(n);
    int rc = train_run_open(&t, "broken");
    if (rc >= 0)
        rc = dun_train(&t.result, &t.session, &t.run, false);
    *operations = dun_fault_count();
    dun_fault_set(0);
    if (rc < 0 && !*dun_error_message())
        fail_msg("operation %lu failed without a message", n);
    train_run_close(&t);
    return rc;
}

/* Goes on with what the failure left, if it got as far as a config. */
static void resume_broken(unsigned long n) {
    train_run t;
    char path[512];
    snprintf(path, sizeof path, "%s/config.ini", train_path("broken"));
    if (access(path, F_OK) != 0)
        return;
    configure(&t, config);
    train_run_resume(&t, "broken");
    train_run_close(&t);
    if (!same_files("broken", "whole"))
        fail_msg("resumed after the failure of operation %lu, the run ends in other bytes", n);
}

/* Fails every step-th operation, one a run, until a run gets through. */
static void walk(unsigned long step) {
    unsigned long n = 1, operations = 0, walked = 0, last = 0;
    for (;; n += step) {
        int rc = run_with_fault(n, &operations);
        if (rc >= 0 && operations < n)
            break;
        /* A failure may be survived where the program has another way (a folder that cannot be synced). */
        if (rc < 0 && n >= last + 97) {
            resume_broken(n);
            last = n;
        }
        remove_run("broken");
        walked++;
    }
    assert_true(same_files("broken", "whole"));
    remove_run("broken");
    print_message("%lu of %lu operations failed, one a run\n", walked, operations);
    assert_true(walked > 900 / step);
}

static void test_walk(void **state) {
    (void)state;
    const char *asked = getenv("FAULT_STEP");
    const unsigned long step = asked && atoi(asked) > 0 ? (unsigned long)atoi(asked) : STEP;
    train_run whole;
    configure(&whole, config);
    train_run_all(&whole, "whole");
    walk(step); /* while another session has the programs, which are most of the time that a run takes */
    train_run_close(&whole);
    walk(step * BUILDING); /* where each run builds them */
}

static int begin(void **state) {
    (void)state;
    write_letters("train.tsv", 6, 3, 9, "");
    write_letters("valid.tsv", 4, 3, 9, "");
    return gguf_builder_tiny_llama(train_path("tiny.gguf"), &tiny, F32, 5);
}

static int end(void **state) {
    (void)state;
    train_folder_remove();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_walk)};
    return cmocka_run_group_tests(tests, begin, end);
}
