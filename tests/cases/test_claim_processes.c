/* Claims of processes: of many at once exactly one has a folder, a killed one leaves it, one that was taken
 * over finds that out. */
#define _GNU_SOURCE /* mkdtemp */
#include "claim_sample.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* What many processes share: how many are ready, how many have the folder, and how many were refused. */
typedef struct {
    _Atomic unsigned ready, had, refused, wrong;
} counts;

enum { PROCESSES = 16, ROUNDS = 8 };

/* All at once; one that gets the folder keeps it until all have tried. */
static void take_at_once(counts *shared, int (*take)(dun_claim **claim, bool *held)) {
    pid_t children[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            dun_claim *claim;
            bool held = false;
            shared->ready++;
            while (shared->ready < PROCESSES)
                sched_yield();
            const int rc = take(&claim, &held);
            if (rc >= 0)
                shared->had++;
            else if (held && strstr(dun_error_message(), "process "))
                shared->refused++;
            else
                shared->wrong++;
            while (shared->had + shared->refused + shared->wrong < PROCESSES)
                (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
            if (claim && dun_claim_check(claim) < 0)
                shared->wrong++;
            _exit(0); /* without giving it back */
        }
    }
    for (int i = 0; i < PROCESSES; i++)
        assert_int_equal(waitpid(children[i], NULL, 0), children[i]);
}

static int take_run(dun_claim **claim, bool *held) {
    return dun_claim_take(claim, held, "run");
}
static int claim_new(dun_claim **claim, bool *held) {
    *held = true; /* if it fails */
    return dun_folder_claim(claim, "deep/in/run");
}
static int claim_name(dun_claim **claim, bool *held) {
    int rc;
    char *path = NULL;
    *held = false;
    rc = dun_folder_claim_name(claim, &path, "run");
    dun_free(path);
    return rc;
}

static void prepare_none(void) {
    shell("rm -rf run deep runs && mkdir run");
}
static void prepare_empty(void) {
    shell("rm -rf deep && mkdir -p deep/in/run");
}
static void prepare_dead(void) {
    leave_record(dead, 0);
}
static void prepare_far(void) {
    leave_record(elsewhere, 700);
}

static void test_many_at_once(void **state) {
    (void)state;
    static const struct {
        const char *name;
        void (*prepare)(void);
        int (*take)(dun_claim **claim, bool *held);
        unsigned have;
    } rows[] = {
        {"a folder without a mark", prepare_none, take_run, 1},
        {"one whose holder is no more", prepare_dead, take_run, 1},
        {"one whose holder was far and is silent", prepare_far, take_run, 1},
        {"a folder that is not there", prepare_none, claim_new, 1},
        {"an empty folder", prepare_empty, claim_new, 1},
        {"a name", prepare_none, claim_name, PROCESSES},
    };
    counts *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(shared, MAP_FAILED);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int round = 0; round < ROUNDS; round++) {
            rows[i].prepare();
            *shared = (counts){0};
            take_at_once(shared, rows[i].take);
            if (shared->had != rows[i].have || shared->wrong || shared->had + shared->refused != PROCESSES)
                fail_msg("%s: %u of %d have it, %u are refused, %u fail otherwise", rows[i].name, shared->had,
                         PROCESSES, shared->refused, shared->wrong);
        }
    munmap(shared, sizeof *shared);
}

/* Killed at any moment, it leaves a folder that can be had. */
static void test_killed(void **state) {
    (void)state;
    prepare_none();
    for (int i = 0; i < 40; i++) {
        dun_claim *claim;
        bool held;
        int ready[2];
        char one;
        assert_int_equal(pipe(ready), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            close(ready[0]);
            (void)!write(ready[1], "x", 1);
            for (;;) {
                if (dun_claim_take(&claim, &held, "run") >= 0)
                    dun_claim_give_back(claim);
            }
        }
        close(ready[1]);
        assert_int_equal(read(ready[0], &one, 1), 1);
        close(ready[0]);
        (void)nanosleep(&(struct timespec){.tv_nsec = 100000 * (i + 1)}, NULL);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        expect_ok(dun_claim_take(&claim, &held, "run"));
        dun_claim_give_back(claim);
    }
}

static void test_taken_away(void **state) {
    (void)state;
    dun_claim *claim;
    bool held;
    prepare_none();
    expect_ok(dun_claim_take(&claim, &held, "run"));
    expect_ok(dun_claim_check(claim));
    assert_int_equal(unlink("run/.dunlin"), 0);
    expect_ok(dun_claim_check(claim)); /* nobody's */
    leave_record(elsewhere, 0);
    refuses("on host far took the folder over", dun_claim_check(claim));
    dun_claim_give_back(claim);
    refuses("on host far works there", dun_claim_refuse_held("run")); /* his record stays */
}

static void test_mark(void **state) {
    (void)state;
    dun_claim *claim, *other;
    bool held;
    char *from, here[4096];
    prepare_none();
    assert_false(dun_claim_marks("run"));
    expect_ok(dun_claim_take(&claim, &held, "run"));
    assert_true(dun_claim_marks("run"));
    /* Not twice in one process either. */
    refuses("on this host", dun_claim_take(&other, &held, "run"));
    assert_true(held && !other);
    dun_claim_give_back(claim);
    assert_true(dun_claim_marks("run"));
    expect_ok(dun_claim_refuse_held("run"));
    assert_non_null(getcwd(here, sizeof here));
    from = dun_claim_from("run");
    assert_string_equal(from, here);
    dun_free(from);
    expect_ok(dun_claim_take(&claim, &held, "run"));
    dun_claim_undo(claim); /* it was there before */
    assert_true(dun_claim_marks("run"));
    prepare_none();
    expect_ok(dun_claim_take(&claim, &held, "run"));
    dun_claim_undo(claim);
    assert_false(dun_claim_marks("run"));
    from = dun_claim_from("run");
    assert_string_equal(from, "");
    dun_free(from);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_taken_away),
        cmocka_unit_test(test_mark),
    };
    return cmocka_run_group_tests(tests, begin_claims, end_claims);
}
