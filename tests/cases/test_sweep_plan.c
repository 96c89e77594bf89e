/* Plans of several runs and how these stand: written once, compared, read again, with every failure on the
 * way. */
#define _GNU_SOURCE /* mkdtemp */
#include "data_expect.h"
#include "own_folder.h"
#include "run/sweep_plan.h"
#include "run/sweep_state.h"

#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int leave(void **state) {
    return leave_folder(state) == 0 && dun_mem_live() == 0 ? 0 : -1;
}

/* Two settings with two seeds of one config. */
typedef struct {
    dun_sweep sweep;
    dun_sweep_table table;
} sample;

static int make_sample(sample *s) {
    int rc = DUN_OK;
    static const char *const names[] = {"001-lr=1-seed=1", "002-lr=1-seed=2", "003-lr=2-seed=1",
                                        "004-lr=2-seed=2"};
    *s = (sample){.table = {.n_rows = 0}};
    TRY(dun_sweep_add(&s->sweep, "prompt.lr=1,2"));
    TRY(dun_sweep_table_create(&s->table, &s->sweep, 4));
    s->table.n_seeds = 2;
    for (size_t i = 0; i < 4; i++) {
        dun_sweep_row *row = &s->table.rows[i];
        row->setting = row->point = i / 2;
        row->config = "a \"name\"";
        row->seed = (int64_t)(i % 2) + 1;
        row->config_hash = 0xfedcba9876543210u + i;
        TRY_PTR(row->name, dun_strdup(names[i]));
    }
out:
    return rc;
}

static void free_sample(sample *s) {
    dun_sweep_table_free(&s->table);
    dun_sweep_free(&s->sweep);
}

static void shell(const char *command) {
    if (system(command) != 0)
        fail_msg("%s", command);
}

static void test_again(void **state) {
    (void)state;
    sample s;
    dun_sweep_plan plan;
    expect_ok(make_sample(&s));
    assert_false(dun_sweep_plan_exists("."));
    expect_ok(dun_sweep_plan_agree(&s.table, "."));
    assert_true(dun_sweep_plan_exists("."));
    expect_ok(dun_sweep_plan_agree(&s.table, "."));
    expect_ok(dun_sweep_plan_read(&plan, "."));
    assert_true(plan.table.n_rows == 4 && plan.table.n_seeds == 2 && !plan.table.several_configs);
    assert_string_equal(dun_sweep_value(&plan.sweep, 0, 1), "2");
    for (size_t i = 0; i < 4; i++) {
        const dun_sweep_row *a = &s.table.rows[i], *b = &plan.table.rows[i];
        assert_string_equal(a->name, b->name);
        assert_string_equal(a->config, b->config);
        assert_true(a->setting == b->setting && a->point == b->point && a->seed == b->seed &&
                    a->config_hash == b->config_hash);
    }
    dun_sweep_plan_free(&plan);
    s.table.rows[2].config_hash ^= 1;
    expect_error(dun_sweep_plan_agree(&s.table, "."), DUN_FAILED, "./plan.json: is of other runs: 003",
                 "another config");
    s.table.rows[2].config_hash ^= 1;
    dun_free(s.sweep.axes[0].values[1]);
    s.sweep.axes[0].values[1] = dun_strdup("3");
    expect_error(dun_sweep_plan_agree(&s.table, "."), DUN_FAILED,
                 "./plan.json: is of other runs: ", "values");
    free_sample(&s);
}

/* Where a config lies, on which device it trains and what it leaves make no other run of it. */
static void test_hash(void **state) {
    (void)state;
    static const struct {
        const char *set;
        bool same;
    } rows[] = {{"device.use=gpu", true},     {"output.report=no", true}, {"data.train=there/a.tsv", true},
                {"data.train=b.tsv", false},  {"prompt.lr=2", false},     {"experiment.seed=2", false},
                {"model.point=logits", false}};
    uint64_t hash, other;
    dun_config config;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        expect_ok(dun_config_init(&config));
        expect_ok(dun_config_set(&config, "data.train=a.tsv"));
        expect_ok(dun_sweep_config_hash(&hash, &config));
        expect_ok(dun_config_set(&config, rows[i].set));
        expect_ok(dun_sweep_config_hash(&other, &config));
        if ((hash == other) != rows[i].same)
            fail_msg("%s: is %s config", rows[i].set, rows[i].same ? "another" : "the same");
        dun_config_free(&config);
    }
}

static void test_states(void **state) {
    (void)state;
    sample s;
    bool changed;
    expect_ok(make_sample(&s));
    shell("for r in 001-lr=1-seed=1 002-lr=1-seed=2; do mkdir $r && "
          "touch $r/config.ini $r/checkpoint; done");
    shell("echo '{\"accuracy\":0.5,\"macro_avg\":{\"f1\":0.25},\"baseline\":{\"majority\":null},\"steps\":7,"
          "\"wall_seconds\":2}' >001-lr=1-seed=1/metrics.json");
    shell("echo '{\"status\":\"diverged\",\"message\":\"m\",\"steps\":3}' >003-lr=2-seed=1.json");
    expect_ok(dun_sweep_look(&changed, &s.table, "."));
    assert_true(changed);
    const dun_sweep_row *rows = s.table.rows;
    assert_true(rows[0].status == DUN_ROW_DONE && rows[0].accuracy == 0.5 && rows[0].macro_f1 == 0.25 &&
                isnan(rows[0].majority) && rows[0].steps == 7 && rows[0].seconds == 2);
    assert_string_equal(rows[0].run, "./001-lr=1-seed=1");
    assert_true(rows[1].status == DUN_ROW_INTERRUPTED && isnan(rows[1].accuracy));
    assert_true(rows[2].status == DUN_ROW_DIVERGED && rows[2].steps == 3 && !rows[2].run);
    assert_string_equal(rows[2].message, "m");
    assert_true(rows[3].status == DUN_ROW_PENDING && !rows[3].run && !rows[3].message);
    expect_ok(dun_sweep_look(&changed, &s.table, "."));
    assert_false(changed);
    /* A note of a failure goes where it is tried again; one that cannot be read is a failure. */
    s.table.rows[3].status = DUN_ROW_FAILED;
    s.table.rows[3].message = dun_strdup("no \"luck\"");
    expect_ok(dun_sweep_row_note(&rows[3], "."));
    expect_ok(dun_sweep_row_look(&s.table.rows[3], "."));
    assert_true(rows[3].status == DUN_ROW_FAILED && !dun_sweep_row_is_over(&rows[3]));
    assert_string_equal(rows[3].message, "no \"luck\"");
    expect_ok(dun_sweep_row_forget(&rows[3], "."));
    expect_ok(dun_sweep_row_forget(&rows[3], "."));
    expect_ok(dun_sweep_row_look(&s.table.rows[3], "."));
    assert_int_equal(rows[3].status, DUN_ROW_PENDING);
    shell("echo '[' >004-lr=2-seed=2.json");
    expect_ok(dun_sweep_row_look(&s.table.rows[3], "."));
    assert_int_equal(rows[3].status, DUN_ROW_FAILED);
    assert_non_null(strstr(rows[3].message, "004-lr=2-seed=2.json:"));
    free_sample(&s);
}

static int write_and_read(void) {
    int rc = DUN_OK;
    bool changed;
    sample s;
    dun_sweep_plan plan = {0};
    (void)unlink("plan.json");
    TRY(make_sample(&s));
    TRY(dun_sweep_plan_agree(&s.table, "."));
    TRY(dun_sweep_plan_agree(&s.table, "."));
    TRY(dun_sweep_plan_read(&plan, "."));
    TRY(dun_sweep_look(&changed, &plan.table, "."));
out:
    dun_sweep_plan_free(&plan);
    free_sample(&s);
    return rc;
}

static void test_failures(void **state) {
    (void)state;
    walk_failures(write_and_read);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_failures),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave);
}
