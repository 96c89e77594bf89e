/* Sweeps: grids from the command line, tables of runs, and sessions that go on with another config, whose
 * results must be those of a session of their own, to the byte. */
#include "train_sample.h"

#include "base/err.h"
#include "base/fault.h"
#include "run/sweep_table.h"
#include "session/reopen.h"

#include <math.h>

static void expect_grid(const char *const *sweeps, size_t n, size_t n_points, const char *last) {
    dun_sweep sweep = {0};
    dun_str text = {0};
    char key[DUN_SWEEP_KEY_BYTES];
    for (size_t i = 0; i < n; i++)
        check_ok(dun_sweep_add(&sweep, sweeps[i]));
    assert_int_equal(dun_sweep_points(&sweep), n_points);
    for (size_t i = 0; i < n; i++) {
        dun_sweep_key(key, &sweep, i);
        check_ok(dun_str_addf(&text, "%s=%s;", key, dun_sweep_value(&sweep, i, n_points - 1)));
    }
    assert_string_equal(text.bytes ? text.bytes : "", last);
    dun_str_free(&text);
    dun_sweep_free(&sweep);
}

static void test_grid(void **state) {
    (void)state;
    expect_grid(NULL, 0, 1, "");
    expect_grid((const char *const[]){"prompt.lr=1e-3,1e-2, 3e-2"}, 1, 3, "prompt.lr=3e-2;");
    expect_grid((const char *const[]){"train.epochs=1"}, 1, 1, "train.epochs=1;");
    /* What is dear to change varies slowest, whatever the order on the command line. */
    expect_grid((const char *const[]){"prompt.lr=1,2", "data.limit_train=3,4,5", "loss.kind=centroid",
                                      "model.point=hidden,logits"},
                4, 12, "model.point=logits;data.limit_train=5;prompt.lr=2;loss.kind=centroid;");
    expect_grid((const char *const[]){"prompt.text=\" a, b\",\"say \\\"x, y\\\"\",plain"}, 1, 3,
                "prompt.text=plain;");
    expect_grid((const char *const[]){"prompt.text=plain,\"say \\\"x, y\\\"\""}, 1, 2,
                "prompt.text=say \"x, y\";");
    expect_grid((const char *const[]){"prompt.tokens=3,"}, 1, 2, "prompt.tokens=;");
}

static void test_grid_order(void **state) {
    dun_sweep sweep = {0};
    dun_config config;
    (void)state;
    check_ok(dun_sweep_add(&sweep, "prompt.lr=0.5,0.25"));
    check_ok(dun_sweep_add(&sweep, "train.epochs=1,2,3"));
    static const double lr[] = {0.5, 0.5, 0.5, 0.25, 0.25, 0.25};
    for (size_t point = 0; point < 6; point++) {
        check_ok(dun_config_init(&config));
        check_ok(dun_sweep_apply(&config, &sweep, point));
        assert_true(config.prompt.lr == lr[point]);
        assert_int_equal(config.train.epochs, point % 3 + 1);
        assert_string_equal(dun_config_origin(&config, DUN_KEY_prompt_lr), "--sweep");
        dun_config_free(&config);
    }
    dun_sweep_free(&sweep);
}

static void test_bad_grids(void **state) {
    static const struct {
        const char *assignment, *part;
    } cases[] = {
        {"prompt.lr", "missing '='"},
        {"prompt.lt=1,2", "prompt.lr"},
        {"prompt.lr=", "prompt.lr"},
        {"prompt.lr=1,,2", "prompt.lr"},
        {"prompt.lr=1,x", "prompt.lr"},
        {"prompt.lr=1,1", "twice"},
        {"loss.kind=centroid,nothing", "loss.kind"},
        {"train.epochs=5", "swept twice"},
        {"prompt.text=\"a", "--sweep"},
    };
    (void)state;
    dun_sweep sweep = {0};
    check_ok(dun_sweep_add(&sweep, "train.epochs=1,2"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(dun_sweep_add(&sweep, cases[i].assignment), DUN_USAGE);
        if (!strstr(dun_error_message(), cases[i].part))
            fail_msg("%s: \"%s\" does not say %s", cases[i].assignment, dun_error_message(), cases[i].part);
        assert_int_equal(sweep.n_axes, 1);
    }
    dun_str many = {0};
    check_ok(dun_str_addf(&many, "experiment.seed=0"));
    for (int i = 1; i <= 5000; i++)
        check_ok(dun_str_addf(&many, ",%d", i));
    assert_int_equal(dun_sweep_add(&sweep, many.bytes), DUN_USAGE);
    assert_non_null(strstr(dun_error_message(), "combinations"));
    dun_str_free(&many);
    dun_sweep_free(&sweep);
}

/* Sections whose every key is safe to share across, and keys that must not be. */
static void test_scopes(void **state) {
    (void)state;
    for (int i = 0; i < DUN_N_KEYS; i++) {
        const dun_config_key *key = &dun_config_key_table[i];
        enum dun_scope scope = key->scope;
        if (strcmp(key->section, "device") == 0 && i != DUN_KEY_device_shares) /* a team shares out anew */
            assert_int_equal(scope, DUN_SCOPE_MODEL);
        if (strcmp(key->section, "data") == 0)
            assert_int_equal(scope, DUN_SCOPE_DATA);
        if (strcmp(key->section, "loss") == 0 || strcmp(key->section, "train") == 0)
            assert_int_equal(scope, DUN_SCOPE_RUN);
    }
    assert_int_equal(dun_config_key_table[DUN_KEY_model_path].scope, DUN_SCOPE_MODEL);
    assert_int_equal(dun_config_key_table[DUN_KEY_model_point].scope, DUN_SCOPE_MODEL);
    assert_int_equal(dun_config_key_table[DUN_KEY_prompt_placement].scope, DUN_SCOPE_MODEL);
    assert_int_equal(dun_config_key_table[DUN_KEY_prompt_template].scope, DUN_SCOPE_MODEL);
    assert_int_equal(dun_config_key_table[DUN_KEY_prompt_lr].scope, DUN_SCOPE_RUN);
}

static void set_row(dun_sweep_row *row, size_t setting, size_t point, int64_t seed, double accuracy) {
    row->setting = setting;
    row->point = point;
    row->seed = seed;
    row->config = "a,b";
    row->seconds = 2;
    row->status = isnan(accuracy) ? DUN_ROW_DIVERGED : DUN_ROW_DONE;
    row->accuracy = accuracy;
    row->baseline = 0.5;
}

static void test_table(void **state) {
    dun_sweep sweep = {0};
    dun_sweep_table table;
    dun_sweep_summary *s;
    size_t n;
    dun_str text = {0};
    json_t *object;
    (void)state;
    check_ok(dun_sweep_add(&sweep, "prompt.lr=1e-3,1e-2,9"));
    check_ok(dun_sweep_table_create(&table, &sweep, 6));
    table.n_seeds = 2;
    set_row(&table.rows[0], 0, 0, 1, 0.6);
    set_row(&table.rows[1], 0, 0, 2, 0.7);
    set_row(&table.rows[2], 1, 1, 1, 0.9);
    set_row(&table.rows[3], 1, 1, 2, NAN);
    set_row(&table.rows[4], 2, 2, 1, NAN);
    set_row(&table.rows[5], 2, 2, 2, NAN);
    table.rows[5].status = DUN_ROW_PENDING;
    table.rows[3].message = dun_strdup("the \"loss\" is nan, at step 3");
    assert_non_null(table.rows[3].message);
    check_ok(dun_sweep_summarize(&s, &n, &table));
    assert_int_equal(n, 3);
    assert_int_equal(s[0].first_row, 2);
    assert_true(s[0].mean == 0.9 && isnan(s[0].deviation) && s[0].n_done == 1 && s[0].n_rows == 2);
    assert_true(fabs(s[1].mean - 0.65) < 1e-12 && fabs(s[1].deviation - 0.1 / sqrt(2)) < 1e-12);
    assert_true(s[1].seconds == 4);
    assert_true(s[2].n_done == 0 && isnan(s[2].mean));
    dun_free(s);
    check_ok(dun_sweep_table_text(&text, &table));
    static const char *const lines[] = {"prompt.lr", "1e-2         0.9000",   "1e-3         0.6500  0.0707",
                                        "9 ",        "diverged, 1 of 2 done", "diverged, 0 of 2 done"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (!strstr(text.bytes, lines[i]))
            fail_msg("not in the table: %s\n%s", lines[i], text.bytes);
    dun_str_clear(&text);
    check_ok(dun_sweep_table_csv(&text, &table));
    assert_int_equal(strncmp(text.bytes, "config,prompt.lr,seed,status,accuracy,macro_f1,", 47), 0);
    assert_non_null(strstr(text.bytes, "\n\"a,b\",1e-3,2,done,0.7,,0.5,"));
    assert_non_null(strstr(text.bytes, ",\"the \"\"loss\"\" is nan, at step 3\"\n"));
    check_ok(dun_sweep_table_json(&object, &table));
    assert_int_equal(json_array_size(json_object_get(object, "runs")), 6);
    const json_t *best = json_array_get(json_object_get(object, "settings"), 0);
    assert_true(json_real_value(json_object_get(best, "accuracy")) == 0.9);
    assert_string_equal(json_string_value(json_object_get(json_object_get(best, "values"), "prompt.lr")),
                        "1e-2");
    json_decref(object);
    dun_str_free(&text);
    dun_sweep_table_free(&table);
    dun_sweep_free(&sweep);
}

/* One config after another in one session. Each line changes the base, not the line before. */
static const char *const variants[] = {
    "",
    "[prompt]\nlr = 0.05\n",
    "[experiment]\nseed = 7\n",
    "[prompt]\ntokens = 5\n",
    "[train]\nbatch_size = 40\n",
    "[train]\nbatch_size = 2\n[prompt]\ninit = random\ntokens = 1\n",
    "[loss]\nkind = centroid\n[centroid]\nstart = random\n",
    "[centroid]\nstart = mean\ntrain = no\n",
    "limit_train = 7\n",
    "max_length = 4\n",
    "[model]\npoint = logits\n",
    "[device]\ncache_kv = no\n",
    "[device]\ncache_kv = no\n[train]\nbatch_size = 3\n",
    "[train]\nbatch_size = 3\n",
    "[prompt]\ntemplate = \"so: {text} thus {soft}\"\n",
    "[prompt]\ntemplate = \"so: {text} thus {soft}\"\ntokens = 4\n",
    "limit_train = 7\n[prompt]\ntemplate = \"so: {text} thus {soft}\"\n",
    "[prompt]\nplacement = prefix\n",
    "limit_train = 6\n[prompt]\nplacement = prefix\n",
    "[prompt]\nreparametrize = yes\n",
    "[model]\nnormalize = zscore\n",
    "[experiment]\nseed = 9\n[model]\nnormalize = zscore\n[train]\naverage = 0.9\n",
    "[model]\nnormalize = unit\n",
    "[model]\nnormalize = unit\n[train]\nbatch_size = 40\n[centroid]\ntrain = no\nupdate = class-mean\n",
    "",
};
enum { N_VARIANTS = sizeof variants / sizeof *variants };

static void make_config(train_run *t, size_t i) {
    char text[1000];
    bool data = variants[i][0] && variants[i][0] != '[';
    snprintf(text, sizeof text, "%s", data ? variants[i] : "");
    configure(t, text);
    check_ok(dun_config_set(&t->config, "prompt.init=vocab"));
    check_ok(dun_config_set(&t->config, "prompt.tokens=3"));
    check_ok(dun_config_set(&t->config, "prompt.lr=0.01"));
    check_ok(dun_config_set(&t->config, "train.epochs=2"));
    check_ok(dun_config_set(&t->config, "train.batch_size=4"));
    check_ok(dun_config_set(&t->config, "output.report=no"));
    if (!data)
        check_ok(dun_config_parse(&t->config, variants[i], strlen(variants[i]), "variant.ini"));
}

static bool same_results(const char *a, const char *b) {
    static const char *const files[] = {"prompt.safetensors", "history.jsonl", "predictions.tsv"};
    char x[600], y[600];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(x, sizeof x, "%s/%s", a, files[i]);
        snprintf(y, sizeof y, "%s/%s", b, files[i]);
        if (!train_same_file(x, y))
            return false;
    }
    return true;
}

static void run_shared(dun_session *session, train_run *t, const char *name) {
    dun_run_dir run = {0};
    dun_run_result result = {0};
    double before = session->begun;
    check_ok(dun_session_reopen(session, &t->config, NULL));
    assert_true(session->begun > before); /* what came before is not this run's time */
    check_ok(dun_run_dir_create(&run, train_path(name), name, &t->config));
    check_ok(dun_session_ready(session));
    check_ok(dun_train(&result, session, &run, false));
    assert_true(result.probe_before >= 0 && result.probe_after >= 0);
    const dun_timings *s = &session->timings;
    assert_true(result.seconds >=
                s->load + s->build + s->texts + s->start + s->baseline + s->train + s->eval);
    dun_run_result_free(&result);
    dun_run_dir_close(&run);
}

static void test_shared(void **state) {
    static train_run alone[N_VARIANTS];
    dun_session session = {0};
    char name[40], a[600], b[600];
    (void)state;
    for (size_t i = 0; i < N_VARIANTS; i++) {
        train_run t;
        make_config(&t, i);
        snprintf(name, sizeof name, "alone-%zu", i);
        train_run_all(&t, name);
        train_run_close(&t);
    }
    for (size_t i = 0; i < N_VARIANTS; i++)
        make_config(&alone[i], i);
    for (size_t i = 0; i < N_VARIANTS; i++) {
        snprintf(name, sizeof name, "shared-%zu", i);
        run_shared(&session, &alone[i], name);
        snprintf(a, sizeof a, "%s/shared-%zu", train_folder(), i);
        snprintf(b, sizeof b, "%s/alone-%zu", train_folder(), i);
        if (!same_results(a, b))
            fail_msg("variant %zu, %s: another result than in a session of its own", i, variants[i]);
    }
    dun_session_close(&session);
    snprintf(a, sizeof a, "%s/alone-0", train_folder());
    snprintf(b, sizeof b, "%s/alone-1", train_folder());
    assert_false(same_results(a, b));
    for (size_t i = 0; i < N_VARIANTS; i++)
        dun_config_free(&alone[i].config);
}

/* What stays and what does not, by the places in memory and on the device. */
static void test_what_is_shared(void **state) {
    train_run t[4];
    dun_session session = {0};
    (void)state;
    make_config(&t[0], 0);
    make_config(&t[1], 1);  /* another rate */
    make_config(&t[2], 8);  /* fewer texts */
    make_config(&t[3], 10); /* logits */
    check_ok(dun_session_reopen(&session, &t[0].config, NULL));
    check_ok(dun_session_ready(&session));
    void *cache = session.engine.cache[0].mem, *weights = session.model, *device = session.device;
    void *texts = session.train;
    check_ok(dun_session_reopen(&session, &t[1].config, NULL));
    check_ok(dun_session_ready(&session));
    assert_ptr_equal(session.engine.cache[0].mem, cache);
    assert_ptr_equal(session.train, texts);
    check_ok(dun_session_reopen(&session, &t[2].config, NULL));
    assert_int_equal(session.n_train, 7);
    assert_false(session.team.has_texts);
    check_ok(dun_session_ready(&session));
    assert_ptr_equal(session.model, weights);
    assert_ptr_equal(session.device, device);
    check_ok(dun_session_reopen(&session, &t[3].config, NULL));
    assert_null(session.device);
    check_ok(dun_session_ready(&session));
    /* A config that cannot be: the session is closed and can be used again. */
    check_ok(dun_config_set(&t[1].config, "data.train=nothing.tsv"));
    assert_int_equal(dun_session_reopen(&session, &t[1].config, NULL), DUN_BAD_INPUT);
    assert_null(session.config);
    check_ok(dun_session_reopen(&session, &t[0].config, NULL));
    check_ok(dun_session_ready(&session));
    dun_session_close(&session);
    for (size_t i = 0; i < 4; i++)
        dun_config_free(&t[i].config);
}

static int count_pass(void *self, uint32_t first, uint32_t count) {
    (void)first;
    *(uint32_t *)self += count;
    return DUN_OK;
}

static int go_through(const train_run *a, const train_run *b) {
    int rc = DUN_OK;
    uint32_t n = 0;
    dun_session session = {0};
    TRY(dun_session_reopen(&session, &a->config, NULL));
    TRY(dun_session_ready(&session));
    TRY(dun_session_run_all(&session, &(dun_pass){.at_start = true}, 0, session.texts.n, "test", count_pass,
                            &n));
    TRY(dun_session_reopen(&session, &b->config, NULL));
    TRY(dun_session_ready(&session));
out:
    dun_session_close(&session);
    return rc;
}

/* Operations of a reopened session fail, every seventh in turn; a longer prompt cuts the engine anew. */
static void test_faults(void **state) {
    train_run a, b;
    int rc = DUN_FAILED;
    unsigned long n = 0;
    (void)state;
    make_config(&a, 0);
    make_config(&b, 3);
    size_t blocks = dun_mem_live(), objects = dun_device_live_objects();
    for (;;) {
        dun_fault_set(n += 7);
        rc = go_through(&a, &b);
        unsigned long count = dun_fault_count();
        dun_fault_set(0);
        assert_int_equal(dun_mem_live(), blocks);
        assert_int_equal(dun_device_live_objects(), objects);
        if (rc >= 0 && count < n)
            break;
    }
    dun_config_free(&a.config);
    dun_config_free(&b.config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grid),           cmocka_unit_test(test_grid_order),
        cmocka_unit_test(test_bad_grids),      cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_table),          cmocka_unit_test(test_shared),
        cmocka_unit_test(test_what_is_shared), cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, make_files_and_programs, remove_files);
}
