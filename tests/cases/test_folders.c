/* Folders for output: what they may hold already, those that processes share, and those that cannot be
 * written. */
#define _GNU_SOURCE /* mkdtemp */
#include "claim_sample.h"

/* What a folder for output may hold. A look and a claim say the same. */
static void test_folders(void **state) {
    (void)state;
    static const struct {
        const char *make, *says; /* NULL: it can be had */
    } rows[] = {
        {"true", NULL},
        {"mkdir out", NULL},
        {"mkdir -p out && touch out/.gitkeep out/.DS_Store", NULL},
        {"mkdir real && ln -s real out", NULL},
        {"mkdir out && echo '{\"held\":false}' >out/.dunlin && touch out/config.ini.tmp12", NULL},
        {"mkdir out && touch out/notes.txt", "out: holds files that dunlin did not make there: notes.txt;"},
        {"mkdir out && touch out/b out/a", "out: holds files that dunlin did not make there: a and others;"},
        {"mkdir -p out/data", "out: holds files that dunlin did not make there: data;"},
        {"mkdir out && touch out/config.ini.tmp12", "did not make there: config.ini.tmp12;"},
        {"mkdir out && touch out/config.ini out/train.tsv", "did not make there: config.ini and others;"},
        {"mkdir out && touch out/config.ini out/checkpoint",
         "never overwritten; name another --out, or go on with"},
        {"mkdir out && touch out/config.ini out/metrics.json",
         "holds a run already, which is never overwritten"},
        {"mkdir out && echo '{\"held\":false}' >out/.dunlin && touch out/config.ini", "go on with it"},
        {"mkdir -p out/001 && touch out/sweep.json", "out: holds what dunlin made before, as 001,"},
        {"mkdir -p out/001 && touch out/.dunlin", "out: holds what dunlin made before, as 001,"},
        {"mkdir -p out/001 && touch out/plan.json", "or go on with these runs: --claim"},
        {"mkdir out && touch out/plan.json.tmp12-0badcafe", NULL},
        {"touch out", "out: is not a folder"},
        {"ln -s nothing out", "out: is a link to nothing"},
        {"mkfifo out", "out: is not a folder"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        dun_claim *claim = NULL;
        shell("rm -rf out real");
        shell(rows[i].make);
        const int looked = dun_folder_look("out");
        if (rows[i].says ? looked != DUN_FAILED || !strstr(dun_error_message(), rows[i].says) : looked < 0)
            fail_msg("%s: %d, %s", rows[i].make, looked, dun_error_message());
        const int rc = dun_folder_claim(&claim, "out");
        if ((rc < 0) != (rows[i].says != NULL))
            fail_msg("%s: claimed: %d, %s", rows[i].make, rc, dun_error_message());
        dun_claim_give_back(claim);
    }
}

/* A folder that may not be written; the superuser may write any. */
static void test_unwritable(void **state) {
    (void)state;
    static const char *const paths[] = {"shut", "shut/new", "shut/new/deep", "file/new", "file"};
    shell("rm -rf shut file && mkdir shut && chmod 555 shut && touch file");
    for (size_t i = geteuid() == 0 ? 3 : 0; i < sizeof paths / sizeof *paths; i++)
        refuses(paths[i][0] == 's' ? ": Permission denied" : "is not a folder", dun_folder_look(paths[i]));
    expect_ok(dun_folder_look("new/and/deep"));
    expect_ok(dun_folder_look(""));
    assert_int_equal(access("new", F_OK), -1);
}

/* A folder of a run that others may want: it is had where it is new or a run was begun there, by one at a
 * time. */
static void test_shared(void **state) {
    (void)state;
    dun_claim *claim, *other;
    shell("rm -rf deep");
    expect_ok(dun_folder_share(&claim, "deep/run"));
    assert_non_null(claim);
    expect_ok(dun_folder_share(&other, "deep/run"));
    assert_null(other);
    dun_claim_give_back(claim);
    shell("touch deep/run/config.ini deep/run/run.log");
    expect_ok(dun_folder_share(&claim, "deep/run"));
    assert_non_null(claim);
    dun_claim_give_back(claim);
    leave_record(elsewhere, 0);
    expect_ok(dun_folder_share(&claim, "run"));
    assert_null(claim);
    leave_record(elsewhere, 700);
    make("run/.dunlin.takeover", "", 0); /* somebody is about to have it */
    expect_ok(dun_folder_share(&claim, "run"));
    assert_null(claim);
    shell("rm -rf deep/run/* deep/run/.dunlin && touch deep/run/notes.txt");
    refuses("holds what dunlin made before, as notes.txt", dun_folder_share(&claim, "deep/run"));
    assert_null(claim);
    shell("rm -rf deep && touch deep");
    refuses("Not a directory", dun_folder_share(&claim, "deep/run"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folders),
        cmocka_unit_test(test_shared),
        cmocka_unit_test(test_unwritable),
    };
    return cmocka_run_group_tests(tests, begin_claims, end_claims);
}
