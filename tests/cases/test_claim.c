/* Claims, one at a time: whose records are taken over and whose are not, what is damaged, what killed
 * processes were writing. */
#define _GNU_SOURCE /* mkdtemp */
#include "base/leftovers.h"
#include "base/machine.h"
#include "claim_sample.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),   cmocka_unit_test(test_damage), cmocka_unit_test(test_sights),
        cmocka_unit_test(test_leftovers), cmocka_unit_test(test_gate),
    };
    return cmocka_run_group_tests(tests, begin_claims, end_claims);
}
