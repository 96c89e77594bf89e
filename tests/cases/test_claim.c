/* Claims on folders: whose records are taken over and whose are not, of many processes at once exactly one
 * has a folder, a killed one leaves it, and what a folder may hold already. */
#define _GNU_SOURCE /* mkdtemp, nice */
#include "base/leftovers.h"
#include "base/machine.h"
#include "base/process.h"
#include "data_expect.h"
#include "run/claim_record.h"
#include "run/folder.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char before_folder[4096], folder[32];
static char warned[1000];

static void hear(void *self, const char *message) {
    (void)self;
    snprintf(warned, sizeof warned, "%s", message);
}

static int enter_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/dunlin-claim-XXXXXX");
    assert_non_null(getcwd(before_folder, sizeof before_folder));
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    dun_warn_listen(hear, folder);
    return 0;
}

static int leave_folder(void **state) {
    (void)state;
    char command[100];
    dun_warn_ignore(folder);
    assert_int_equal(chdir(before_folder), 0);
    snprintf(command, sizeof command, "chmod -R u+rwx %s && rm -r %s", folder, folder);
    assert_int_equal(system(command), 0);
    return dun_mem_live() == 0 ? 0 : -1;
}

static void refuses(const char *part, int rc) {
    expect_error(rc, DUN_FAILED, "", part);
}

static void shell(const char *command) {
    if (system(command) != 0)
        fail_msg("%s", command);
}

static void make(const char *path, const char *bytes, size_t n) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

/* A record as `change` makes it of this process's, last touched so many seconds ago. */
static void leave_record(void (*change)(dun_holder *holder), long age_s) {
    dun_holder holder;
    dun_str text = {0};
    shell("rm -rf run && mkdir run");
    dun_holder_self(&holder);
    change(&holder);
    expect_ok(dun_holder_write(&text, &holder));
    make("run/.dunlin", text.bytes, text.length);
    dun_str_free(&text);
    const struct timespec at = {.tv_sec = time(NULL) - age_s};
    assert_int_equal(utimensat(AT_FDCWD, "run/.dunlin", (struct timespec[]){at, at}, 0), 0);
}

static void ours(dun_holder *holder) {
    (void)holder;
}
static void given_back(dun_holder *holder) {
    holder->held = false;
}
static void dead(dun_holder *holder) {
    holder->pid = 0x7fffffff;
}
static void number_again(dun_holder *holder) {
    holder->start += 1;
}
static void before_boot(dun_holder *holder) {
    strcpy(holder->boot, "another");
}
static void container(dun_holder *holder) {
    strcpy(holder->host, "a container's name");
    strcpy(holder->pids, "pid:[1]");
}
static void unknown_boot(dun_holder *holder) {
    holder->boot[0] = '\0';
}
static void elsewhere(dun_holder *holder) {
    strcpy(holder->host, "far");
    strcpy(holder->boot, "another");
}
static void elsewhere_given_back(dun_holder *holder) {
    elsewhere(holder);
    holder->held = false;
}

/* `seen`: what a look at the record says, which the kernel's lock is not asked for; `taken`: what taking
 * does. */
static void test_records(void **state) {
    (void)state;
    static const struct {
        const char *name;
        void (*change)(dun_holder *holder);
        long age_s;
        bool seen_held, held, told;
    } rows[] = {
        {"given back", given_back, 0, false, false, false},
        {"of a process that is no more", dead, 0, false, false, true},
        {"of a process whose number was given out again", number_again, 0, false, false, true},
        {"of a host of our name, now", before_boot, 0, true, true, false},
        {"of a host of our name, fifteen minutes ago", before_boot, 900, false, false, true},
        {"of an unknown kernel, now", unknown_boot, 0, true, true, false},
        {"of a container that is no more", container, 0, false, false, true},
        {"of this process, copied with the folder", ours, 5, true, false, true},
        {"of another host, now", elsewhere, 0, true, true, false},
        {"of another host, five minutes ago", elsewhere, 300, true, true, false},
        {"of another host, fifteen minutes ago", elsewhere, 900, false, false, true},
        {"of another host, given back", elsewhere_given_back, 0, false, false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        dun_claim *claim;
        bool held;
        leave_record(rows[i].change, rows[i].age_s);
        warned[0] = '\0';
        if ((dun_claim_refuse_held("run") < 0) != rows[i].seen_held)
            fail_msg("%s: a look says otherwise", rows[i].name);
        const int rc = dun_claim_take(&claim, &held, "run");
        if (held != rows[i].held || (rc < 0) != held || (claim != NULL) == held)
            fail_msg("%s: held %d, rc %d: %s", rows[i].name, held, rc, dun_error_message());
        if (held) {
            assert_int_equal(rc, DUN_FAILED);
            assert_non_null(strstr(dun_error_message(), "on host "));
            assert_non_null(strstr(dun_error_message(), "10 minutes"));
            continue;
        }
        dun_claim_tell(claim);
        if ((warned[0] != '\0') != rows[i].told)
            fail_msg("%s: told: %s", rows[i].name, warned);
        dun_claim_give_back(claim);
        if (access("run/.dunlin.takeover", F_OK) == 0)
            fail_msg("%s: the gate stays", rows[i].name);
    }
}

/* What the record, the lock and the times say together. */
static void test_sights(void **state) {
    (void)state;
    static const struct {
        const char *name;
        void (*change)(dun_holder *holder);
        enum dun_claim_lock lock;
        double untouched_s, up_s;
        bool alive;
    } rows[] = {
        {"ours", ours, DUN_LOCK_UNTRIED, 0, 1e5, true},
        {"ours, without locks", ours, DUN_LOCK_NONE, 0, 1e5, true},
        {"ours, long untouched", ours, DUN_LOCK_NONE, 1e4, 1e5, true},
        {"ours, the lock in our hands", ours, DUN_LOCK_OURS, 0, 1e5, false},
        {"no more, without locks", dead, DUN_LOCK_NONE, 0, 1e5, false},
        {"no more", dead, DUN_LOCK_UNTRIED, 0, 1e5, false},
        {"another container: the lock will tell", container, DUN_LOCK_UNTRIED, 0, 1e5, false},
        {"another container, the lock in our hands", container, DUN_LOCK_OURS, 0, 1e5, false},
        {"another container, without locks", container, DUN_LOCK_NONE, 0, 1e5, true},
        {"another container, without locks, silent", container, DUN_LOCK_NONE, 601, 1e5, false},
        {"our name, another kernel, touched just now", before_boot, DUN_LOCK_OURS, 10, 1e5, true},
        {"our name, another kernel, touched since we were started", before_boot, DUN_LOCK_OURS, 300, 400,
         true},
        {"our name, another kernel, not touched since", before_boot, DUN_LOCK_OURS, 300, 200, false},
        {"the same, a container just made on a machine just started", before_boot, DUN_LOCK_OURS, 45, 20,
         true},
        {"our name, an unknown kernel", unknown_boot, DUN_LOCK_OURS, 300, 200, true},
        {"another name, not touched since we were started", elsewhere, DUN_LOCK_OURS, 300, 200, true},
        {"another name, silent", elsewhere, DUN_LOCK_OURS, 601, 200, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        dun_holder holder;
        dun_holder_self(&holder);
        rows[i].change(&holder);
        const dun_sight sight = {
            .lock = rows[i].lock, .untouched_s = rows[i].untouched_s, .up_s = rows[i].up_s};
        if (dun_holder_is_alive(&holder, &sight) != rows[i].alive)
            fail_msg("%s: taken for %s", rows[i].name, rows[i].alive ? "gone" : "alive");
    }
}

/* What killed processes were writing goes, what may still be written stays. */
static void test_leftovers(void **state) {
    (void)state;
    enum { GONE = 0x7fffffff };
    char names[12][80];
    const unsigned tag = dun_machine_tag();
    const long self = (long)getpid(), parent = (long)getppid();
    const struct {
        long pid;
        const char *tag; /* "": ours; NULL: none */
        long age_s;
        const char *stem;
        bool stays, stays_claimed; /* of one name; of all where process 77 is known to be no more */
    } rows[] = {
        {GONE, "", 0, "a", false, false},         {GONE, "", 0, "b", true, false},
        {parent, "", 9999, "a", true, true},      {self, "", 0, "a", true, true},
        {self, "", 601, "c", true, false},        {77, "-0badcafe", 0, "a", true, false},
        {GONE, "-0badcafe", 60, "a", true, true}, {GONE - 1, "-0badcafe", 601, "a", false, false},
        {GONE, NULL, 60, "a", true, true},        {GONE - 1, NULL, 601, "a", false, false},
        {GONE, "-x", 9999, "a", true, true},      {GONE, "-0badcafe.txt", 9999, "a", true, true},
    };
    for (int claimed = 0; claimed < 2; claimed++) {
        shell("rm -rf left && mkdir left && touch left/a left/a.tmp left/.tmp2147483647");
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            const char *end = !rows[i].tag ? "" : rows[i].tag;
            char own[16];
            snprintf(own, sizeof own, "-%08x", tag);
            snprintf(names[i], sizeof names[i], "left/%s.tmp%ld%s", rows[i].stem, rows[i].pid,
                     rows[i].tag && !*rows[i].tag ? own : end);
            const struct timespec at = {.tv_sec = time(NULL) - rows[i].age_s};
            make(names[i], "", 0);
            assert_int_equal(utimensat(AT_FDCWD, names[i], (struct timespec[]){at, at}, 0), 0);
        }
        dun_leftovers_clear("left", claimed ? NULL : "a", claimed ? 77 : 0);
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            if ((access(names[i], F_OK) == 0) != (claimed ? rows[i].stays_claimed : rows[i].stays))
                fail_msg("%s, %ld seconds old: %s", names[i], rows[i].age_s,
                         access(names[i], F_OK) == 0 ? "stays" : "is gone");
        shell("[ -e left/a ] && [ -e left/a.tmp ] && [ -e left/.tmp2147483647 ]");
    }
}

static void test_damage(void **state) {
    (void)state;
    static const struct {
        const char *name, *bytes;
        size_t n;
        bool taken;
    } rows[] = {
        {"empty", "", 0, true},
        {"zeros, as after a power cut", "\0\0\0\0", 4, true},
        {"no JSON", "hello\n", 6, false},
        {"another JSON", "{\"a\":1}", 7, false},
        {"a list", "[true]", 6, false},
        {"a line and a rest", "{\"held\":false}\n\"}\n", 17, true},
        {"cut", "{\"held\":tr", 10, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        dun_claim *claim;
        bool held;
        shell("rm -rf run && mkdir run");
        make("run/.dunlin", rows[i].bytes, rows[i].n);
        const int rc = dun_claim_take(&claim, &held, "run");
        if (held || (rc >= 0) != rows[i].taken)
            fail_msg("%s: rc %d: %s", rows[i].name, rc, dun_error_message());
        if (rc < 0)
            assert_non_null(strstr(dun_error_message(), "run/.dunlin: is not what dunlin writes there"));
        dun_claim_give_back(claim);
    }
    shell("rm -rf run && mkdir run && mkdir run/.dunlin");
    dun_claim *claim;
    bool held;
    refuses("run/.dunlin: cannot be written", dun_claim_take(&claim, &held, "run"));
    refuses("nowhere/.dunlin: cannot be written", dun_claim_take(&claim, &held, "nowhere"));
}

/* The gate between those who take over from another host: whoever left it is gone, or at it. */
static void test_gate(void **state) {
    (void)state;
    dun_claim *claim;
    bool held;
    leave_record(elsewhere, 700);
    make("run/.dunlin.takeover", "", 0);
    refuses("run/.dunlin.takeover: another process takes that folder over",
            dun_claim_take(&claim, &held, "run"));
    const struct timespec at = {.tv_sec = time(NULL) - 700};
    assert_int_equal(utimensat(AT_FDCWD, "run/.dunlin.takeover", (struct timespec[]){at, at}, 0), 0);
    expect_ok(dun_claim_take(&claim, &held, "run"));
    dun_claim_give_back(claim);
    assert_int_equal(access("run/.dunlin.takeover", F_OK), -1);
    /* One of this machine goes round it. */
    leave_record(dead, 0);
    make("run/.dunlin.takeover", "", 0);
    expect_ok(dun_claim_take(&claim, &held, "run"));
    dun_claim_give_back(claim);
}

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),    cmocka_unit_test(test_damage),
        cmocka_unit_test(test_sights),     cmocka_unit_test(test_leftovers),
        cmocka_unit_test(test_gate),       cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_killed),     cmocka_unit_test(test_taken_away),
        cmocka_unit_test(test_mark),       cmocka_unit_test(test_folders),
        cmocka_unit_test(test_unwritable),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
