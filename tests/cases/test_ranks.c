/* What ranks are told by a launcher, and what they tell each other: messages that hold together, and those
 * that do not. The ranks themselves are started by tests/ranks.sh. */
#include "base/err.h"
#include "base/mem.h"
#include "ranks/launch.h"
#include "ranks/ranks_inside.h"
#include "session/texts_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void expect_ok(int rc) {
    if (rc < 0)
        fail_msg("%d: %s", rc, dun_error_message());
}

static const char *const variables[] = {
    "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "PMI_SIZE", "PMI_RANK", "SLURM_NTASKS", "PMIX_RANK",
    "DUNLIN_RANKS"};
enum { N_VARIABLES = sizeof variables / sizeof *variables };

static void test_launchers(void **state) {
    (void)state;
    static const struct {
        const char *set[4]; /* name, value, name, value */
        const char *mpi;    /* NULL: alone */
        uint32_t rank, n;
    } rows[] = {
        {{"PMI_SIZE", "3"}, NULL, 0, 0}, /* no rank */
        {{"OMPI_COMM_WORLD_SIZE", "4", "OMPI_COMM_WORLD_RANK", "2"}, "openmpi", 2, 4},
        {{"PMI_SIZE", "3", "PMI_RANK", "0"}, "mpich", 0, 3},
        {{"SLURM_NTASKS", "8", "PMIX_RANK", "7"}, "openmpi", 7, 8},
        {{"SLURM_NTASKS", "8", "SLURM_PROCID", "7"}, NULL, 0, 0}, /* as many runs on their own */
        {{"PMI_SIZE", "many", "PMI_RANK", "0"}, NULL, 0, 0},
        {{"PMI_SIZE", "", "PMI_RANK", "0"}, NULL, 0, 0},
        {{"PMI_SIZE", "-1", "PMI_RANK", "0"}, NULL, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        dun_launch launch;
        for (size_t v = 0; v < N_VARIABLES; v++)
            unsetenv(variables[v]);
        for (size_t v = 0; v < 4 && rows[i].set[v]; v += 2)
            setenv(rows[i].set[v], rows[i].set[v + 1], 1);
        assert_int_equal(dun_launch_find(&launch), rows[i].mpi != NULL);
        assert_int_equal(dun_ranks_launched(), rows[i].mpi != NULL);
        if (!rows[i].mpi)
            continue;
        assert_string_equal(launch.mpi, rows[i].mpi);
        assert_int_equal(launch.rank, rows[i].rank);
        assert_int_equal(launch.n, rows[i].n);
        dun_launch_hide(); /* what it starts is alone */
        assert_false(dun_launch_find(&launch));
    }
    for (size_t v = 0; v < N_VARIABLES; v++)
        unsetenv(variables[v]);
    assert_int_equal(dun_ranks_n(), 1);
    assert_int_equal(dun_ranks_self(), 0);
    assert_int_equal(dun_ranks_here(), 1);
    dun_ranks_leave(0); /* of nothing */
}

/* Who says first what several meet: the first two ranks far enough apart for a launcher to end the others,
 * and the last of any number soon enough for a minute. */
static void test_turns(void **state) {
    (void)state;
    assert_true(dun_ranks_turn(0) == 0);
    for (uint32_t rank = 1; rank < 3; rank++)
        assert_true(dun_ranks_turn(rank) >= dun_ranks_turn(rank - 1) + 3);
    assert_true(dun_ranks_turn(UINT32_MAX) >= dun_ranks_turn(2));
    assert_true(dun_ranks.deadline + dun_ranks_turn(UINT32_MAX) <= 55);
}

static void test_wire(void **state) {
    (void)state;
    dun_str message = {0};
    double three[3] = {1.5, -2, 1e300}, back[3];
    expect_ok(dun_wire_begin(&message));
    expect_ok(dun_wire_u32(&message, 7));
    expect_ok(dun_wire_text(&message, "bad: \"x\""));
    expect_ok(dun_wire_text(&message, NULL));
    expect_ok(dun_wire_u64(&message, UINT64_MAX - 1));
    expect_ok(dun_wire_bytes(&message, three, sizeof three));
    expect_ok(dun_wire_bytes(&message, NULL, 0));
    dun_wire wire = dun_wire_of(&message);
    assert_int_equal(dun_wire_take_u32(&wire), 7);
    assert_string_equal(dun_wire_take_text(&wire), "bad: \"x\"");
    assert_string_equal(dun_wire_take_text(&wire), "");
    assert_true(dun_wire_take_u64(&wire) == UINT64_MAX - 1);
    dun_wire_take_bytes(back, &wire, sizeof back);
    assert_memory_equal(back, three, sizeof three);
    assert_int_equal(wire.left, 0);
    assert_false(wire.lost);
    assert_int_equal(dun_wire_take_u32(&wire), 0); /* beyond the end */
    assert_true(wire.lost);
    for (size_t n = 0; n < message.length;
         n++) { /* each beginning of it: something is lost, nothing is read beyond */
        dun_str cut = {0};
        if (n)
            expect_ok(dun_str_add(&cut, message.bytes, n));
        wire = dun_wire_of(&cut);
        (void)dun_wire_take_u32(&wire);
        (void)dun_wire_take_text(&wire);
        (void)dun_wire_take_text(&wire);
        (void)dun_wire_take_u64(&wire);
        dun_wire_take_bytes(back, &wire, sizeof back);
        assert_true(wire.lost);
        dun_str_free(&cut);
    }
    dun_str_free(&message);
    assert_int_equal(dun_mem_live(), 0);
}

/* Texts of 2, 0 and 3 tokens, of which the last does not begin with what the others share. */
static void test_texts(void **state) {
    (void)state;
    uint32_t ids[] = {5, 6, 7, 8, 9}, start[] = {0, 2, 2, 5}, label[3] = {0}, shared[] = {1, 2};
    double weight[] = {1, 1, 1};
    bool shares[] = {true, true, false};
    const dun_texts texts = {.tokens = {.ids = ids, .n = 5},
                             .start = start,
                             .label = label,
                             .weight = weight,
                             .n = 3,
                             .shared = {.ids = shared, .n = 2},
                             .shares = shares};
    dun_texts back = {0};
    dun_str message = {0};
    expect_ok(dun_wire_begin(&message));
    expect_ok(dun_texts_send_shared(&message, &texts));
    expect_ok(dun_texts_send(&message, &texts, (const uint32_t[]){2, 1, 0}, 3));
    dun_wire wire = dun_wire_of(&message);
    expect_ok(dun_texts_receive_shared(&back, &wire));
    expect_ok(dun_texts_receive(&back, &wire));
    assert_int_equal(wire.left, 0);
    assert_int_equal(back.n, 3);
    assert_int_equal(back.longest, 3);
    assert_memory_equal(back.tokens.ids, ((const uint32_t[]){7, 8, 9, 5, 6}), 5 * sizeof *ids);
    assert_int_equal(dun_texts_n_shared(&back, 0), 0);
    assert_int_equal(dun_texts_n_shared(&back, 2), 2);
    dun_texts_free(&back);
    for (size_t n = DUN_WIRE_HEAD; n < message.length; n++) {
        dun_str cut = {0};
        expect_ok(dun_str_add(&cut, message.bytes, n));
        wire = dun_wire_of(&cut);
        int rc = dun_texts_receive_shared(&back, &wire);
        rc = rc < 0 ? rc : dun_texts_receive(&back, &wire);
        assert_int_equal(rc, DUN_FAILED);
        dun_texts_free(&back);
        dun_str_free(&cut);
    }
    /* A length that no message has, before anything is allocated for it. */
    expect_ok(dun_wire_begin(&message));
    expect_ok(dun_wire_u32(&message, UINT32_MAX));
    wire = dun_wire_of(&message);
    assert_int_equal(dun_texts_receive_shared(&back, &wire), DUN_FAILED);
    expect_ok(dun_wire_u32(&message, UINT32_MAX));
    expect_ok(dun_wire_u32(&message, 0));
    wire = dun_wire_of(&message);
    assert_int_equal(dun_texts_receive(&back, &wire), DUN_FAILED);
    assert_string_equal(dun_error_message(), "a message with texts does not hold together");
    dun_texts_free(&back);
    dun_str_free(&message);
    assert_int_equal(dun_mem_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_launchers), cmocka_unit_test(test_turns),
                                       cmocka_unit_test(test_wire), cmocka_unit_test(test_texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
