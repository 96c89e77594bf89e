/* Several devices that train together, here one device several times over: the bytes of one device alone
 * however the texts are shared out, also after a failure anywhere and a resume. */
#include "base/err.h"
#include "base/fault.h"
#include "session/reopen.h"
#include "train_sample.h"

#include <limits.h>

#define LINES "limit_train = 9\nlimit_valid = 6\n[train]\nepochs = 3\nbatch_size = 4\n"
#define SUFFIX LINES "[prompt]\ninit = vocab\ntokens = 2\nlr = 1e-2\n"
#define CHECKPOINTS SUFFIX "[output]\ncheckpoint_every = 1\n"

/* `n` times the device under test, or one of its own when n is 0. */
static void configure_team(train_run *t, const char *lines, int n, const char *shares) {
    char use[512] = "";
    configure(t, lines);
    for (int i = 0; i < n; i++) {
        size_t length = strlen(use);
        snprintf(use + length, sizeof use - length, "%s%s", i ? ", " : "", t->config.device.use);
    }
    if (n > 0)
        check_ok(dun_config_put(&t->config, DUN_KEY_device_use, use, "the test"));
    if (shares)
        check_ok(dun_config_put(&t->config, DUN_KEY_device_shares, shares, "the test"));
}

/* Batches of two whole blocks of texts and a short one, then one of three texts. */
static void take_many(train_run *t) {
    check_ok(dun_config_put(&t->config, DUN_KEY_data_train, train_path("many.tsv"), "the test"));
    check_ok(dun_config_put(&t->config, DUN_KEY_data_limit_train, "23", "the test"));
    check_ok(dun_config_put(&t->config, DUN_KEY_train_batch_size, "20", "the test"));
}

static void check_same_files(const train_run *a, const train_run *b, const char *what) {
    static const char *const files[] = {"prompt.safetensors", "history.jsonl", "predictions.tsv"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (!train_same_file(train_run_file(a, files[i]), train_run_file(b, files[i])))
            fail_msg("%s: %s differs", what, files[i]);
}

static void test_same_bytes(void **state) {
    (void)state;
    static const char *const lines[] = {
        SUFFIX,
        SUFFIX "template = \"bg gk: {text} so {soft:2}\"\n",
        SUFFIX "placement = prefix\n",
        SUFFIX "count = 3\n",
        SUFFIX "template = \"bg gk: {soft:1} so {text}. {soft:1}\"\n",
        SUFFIX "[device]\ncache_kv = f16\n",
        SUFFIX "[device]\ngemm = local\n",
        SUFFIX "[centroid]\ntrain = no\nupdate = class-mean\n[device]\ngemm = naive\n",
        SUFFIX "[model]\nlayers = 1+last\nnormalize = zscore\n[metric]\nstart = lda\ndimensions = 9\n",
        SUFFIX "[model]\npoint = logits\nnormalize = zscore\n[device]\ncache_kv = no\n"};
    static const struct {
        int n;
        const char *shares;
    } teams[] = {{2, "50,50"}, {2, "61,39"}, {2, "0,1"}, {3, "40, 1, 59"}, {2, NULL}};
    write_letters("many.tsv", 23, 3, 12, "");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        train_run one;
        configure_team(&one, lines[i], 0, NULL);
        take_many(&one);
        char name[64];
        snprintf(name, sizeof name, "one-%zu", i);
        train_run_all(&one, name);
        for (size_t k = 0; k < sizeof teams / sizeof *teams; k++) {
            train_run t;
            configure_team(&t, lines[i], teams[k].n, teams[k].shares);
            take_many(&t);
            snprintf(name, sizeof name, "team-%zu-%zu", i, k);
            train_run_all(&t, name);
            assert_int_equal(t.session.team.n, teams[k].n);
            assert_int_equal(t.n_losses, one.n_losses);
            check_same_files(&t, &one, name);
            train_run_close(&t);
        }
        train_run_close(&one);
    }
}

static void test_repeats(void **state) {
    (void)state;
    train_run a, b;
    configure_team(&a, SUFFIX, 2, NULL);
    train_run_all(&a, "first");
    check_ok(dun_run_dir_settle(&a.run, &a.config, &a.session)); /* what was measured is asked for again */
    assert_true(a.config.device.shares[0]);
    configure_team(&b, SUFFIX, 2, a.config.device.shares);
    train_run_all(&b, "second");
    check_ok(dun_run_dir_settle(&b.run, &b.config, &b.session));
    check_same_files(&a, &b, "measured shares");
    assert_true(train_same_file(train_run_file(&a, "config.ini"), train_run_file(&b, "config.ini")));
    train_run_close(&b);
    train_run_close(&a);
}

/* Texts stay with their owners, and everything is made anew, where only what shapes it has changed. */
static void test_reopened(void **state) {
    (void)state;
    train_run t;
    configure_team(&t, SUFFIX, 2, "1,1");
    check_ok(train_run_open(&t, NULL));
    const uint32_t *owner = t.session.team.owner;
    check_ok(dun_session_ready(&t.session));
    assert_ptr_equal(t.session.team.owner, owner);
    assert_int_equal(t.session.team.members[0].n_texts, 8);
    check_ok(dun_config_put(&t.config, DUN_KEY_device_shares, "1,4", "the test"));
    check_ok(dun_session_ready(&t.session));
    assert_int_equal(t.session.team.members[0].n_texts, 3);
    check_ok(dun_config_put(&t.config, DUN_KEY_train_batch_size, "40", "the test"));
    check_ok(dun_session_ready(&t.session));
    const dun_local *other = t.session.team.members[1].self;
    assert_int_equal(other->engine->options.max_sequences, 40);
    assert_int_equal(other->texts->n, 12);
    train_run_close(&t);
    configure_team(&t, SUFFIX, 0, NULL);
    check_ok(train_run_open(&t, NULL));
    check_ok(dun_config_put(&t.config, DUN_KEY_device_shares, "1,4", "the test"));
    assert_int_equal(dun_session_ready(&t.session), DUN_USAGE);
    dun_error_clear();
    train_run_close(&t);
}

/* A run whose n-th operation fails. */
static int run_with_fault(unsigned long n, const char *name, unsigned long *operations) {
    train_run t;
    dun_fault_set(0);
    configure_team(&t, CHECKPOINTS, 2, "2,1");
    dun_error_clear();
    dun_fault_set(n);
    int rc = train_run_open(&t, name);
    if (rc >= 0)
        rc = dun_train(&t.result, &t.session, &t.run, false);
    *operations = dun_fault_count();
    dun_fault_set(0);
    if (rc < 0 && !*dun_error_message())
        fail_msg("operation %lu failed without a message", n);
    train_run_close(&t);
    return rc;
}

static void resume(const char *name) {
    train_run t;
    configure_team(&t, CHECKPOINTS, 2, "2,1");
    train_run_resume(&t, name);
    train_run_close(&t);
}

static void test_faults(void **state) {
    (void)state;
    enum { SOME = 60, RESUMED = 6 };
    unsigned long total, operations, n_failed = 0;
    assert_int_equal(run_with_fault(0, "whole", &total), DUN_OK);
    run_with_fault(ULONG_MAX, "counted", &total);
    for (unsigned long i = 0; i < SOME; i++) {
        char name[32], path[64];
        unsigned long n = 1 + total * i / SOME;
        snprintf(name, sizeof name, "broken-%lu", i);
        bool failed = run_with_fault(n, name, &operations) < 0; /* what loses its tuning alone goes on */
        n_failed += failed;
        if (!failed || i < SOME - RESUMED)
            continue;
        resume(name);
        snprintf(path, sizeof path, "%s/prompt.safetensors", name);
        if (!train_same_file(train_path(path), train_path("whole/prompt.safetensors")))
            fail_msg("operation %lu of %lu failed; resumed, the prompt differs", n, total);
    }
    print_message("%lu fallible operations\n", total);
    assert_in_range(n_failed, SOME * 2 / 3, SOME);
}

static void test_refused(void **state) {
    (void)state;
    static const struct {
        int n;
        const char *shares, *message;
    } cases[] = {{2, "1", "device.use names 2 devices"},   {2, "1,1,1", "device.use names 2 devices"},
                 {2, "1,b", "device.use names 2 devices"}, {2, "1,-1", "device.use names 2 devices"},
                 {2, "0,0", "no device has a share"},      {1, "1,1", "device.use = "}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        train_run t;
        configure_team(&t, SUFFIX, cases[i].n, cases[i].shares);
        assert_int_equal(train_run_open(&t, NULL), DUN_USAGE);
        assert_non_null(strstr(dun_error_message(), "device.shares = "));
        assert_non_null(strstr(dun_error_message(), cases[i].message));
        dun_error_clear();
        train_run_close(&t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_bytes), cmocka_unit_test(test_repeats),
                                       cmocka_unit_test(test_reopened), cmocka_unit_test(test_faults),
                                       cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, make_files_and_programs, remove_files);
}
