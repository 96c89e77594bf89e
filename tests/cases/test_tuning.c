/* Tuning rows, tiles against a device's limits, the choice made from both, and what dunlin tune stands on:
 * child processes and the journal. */
#include "base/err.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/process.h"
#include "bench/tune_journal.h"
#include "dev/choice.h"
#include "dev/tuning.h"
#include "device_check.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const dun_device_info gpu = {.name = "Fast GPU [rev*2]",
                                    .platform = "Some Platform",
                                    .driver = "1.2.3",
                                    .type = DUN_DEVICE_GPU,
                                    .max_group_size = 1024,
                                    .local_bytes = 48 << 10,
                                    .vector_width = 1,
                                    .compute_units = 20};

static void test_rows(void **state) {
    static const struct {
        const char *text, *gemm; /* NULL: no row fits */
    } cases[] = {
        {"", NULL},
        {"# nothing\n", NULL},
        {"[a]\ngemm = local\n", "local"},
        {"[a]\nplatform = Some*\ndevice = *GPU*\ndriver = 1.2.?\nvector = 1\ngemm = reg\n", "reg"},
        {"[a]\nplatform = Other*\ngemm = reg\n[b]\ngemm = naive\n", "naive"},
        {"[a]\ngemm = reg\n[b]\ngemm = naive\n", "reg"},
        {"[a]\nvector = 16\ngemm = reg\n", NULL},
        {"[a]\nkernels = 0000000000000000\ngemm = reg\n", NULL},
        {"[a]\ndevice = Fast GPU\ngemm = reg\n", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dun_tuning row;
        bool found;
        check_ok(dun_tuning_find_in(&row, &found, &gpu, cases[i].text, "t.ini"));
        if (found != (cases[i].gemm != NULL) || (found && strcmp(row.gemm, cases[i].gemm) != 0))
            fail_msg("row %zu: found %d, \"%s\"", i, found, row.gemm);
    }
}

static void expect_bad_rows(const char *text, const char *part) {
    dun_tuning row;
    bool found;
    assert_int_equal(dun_tuning_find_in(&row, &found, &gpu, text, "t.ini"), DUN_BAD_INPUT);
    if (!strstr(dun_error_message(), part))
        fail_msg("message: %s\nlacks: %s", dun_error_message(), part);
}

static void test_bad_rows(void **state) {
    char line[400] = "[a]\nnote = ";
    (void)state;
    memset(line + strlen(line), 'x', 250);
    expect_bad_rows(line, "t.ini:2: the line has 257 bytes");
    expect_bad_rows("[a]\nspeed = 3\n", "unknown key \"speed\"");
    expect_bad_rows("[a]\nwhat is this\n", "t.ini:2: is neither");
}

/* What is written fits the device it was written for, whatever its name, and no other driver. */
static void test_written_rows(void **state) {
    dun_str text = {0};
    dun_tuning row;
    dun_device_info other = gpu;
    bool found;
    dun_tiles tiles = dun_tiles_default(&gpu, 64), back = {.head_dim = 64};
    (void)state;
    check_ok(dun_tuning_write(&text, &gpu, "local", &tiles, "a note"));
    check_ok(dun_tuning_find_in(&row, &found, &gpu, text.bytes, "t.ini"));
    assert_true(found);
    assert_string_equal(row.gemm, "local");
    assert_string_equal(row.note, "a note");
    check_ok(dun_tiles_read(&back, row.tiles, "t.ini"));
    assert_memory_equal(&back, &tiles, sizeof tiles);
    strcpy(other.driver, "1.2.4");
    check_ok(dun_tuning_find_in(&row, &found, &other, text.bytes, "t.ini"));
    assert_false(found);
    dun_str_free(&text);
}

static void test_shipped_rows(void **state) {
    dun_file file;
    dun_str text = {0};
    dun_tuning row;
    bool found;
    (void)state;
    check_ok(dun_file_map(&file, SOURCE_DIR "/config/devices.ini"));
    check_ok(dun_str_add(&text, (const char *)file.bytes, file.length));
    check_ok(dun_tuning_find_in(&row, &found, &gpu, text.bytes, "devices.ini"));
    dun_str_free(&text);
    dun_file_unmap(&file);
}

/* Tiles that a device cannot take give way to the next that it can, and it is said why. */
static void test_limits(void **state) {
    static const struct {
        uint32_t max_group, local_kb;
        const char *words, *said; /* of the fault; NULL: fits */
        uint32_t group, attention, local_m;
    } cases[] = {
        {1024, 48, "WG=256 ATT_WG=64 TS_M=64", NULL, 256, 64, 64},
        {256, 32, "WG=512", "WG=512: the device has work-groups of at most 256", 256, 64, 64},
        {256, 16, "TS_M=128 TS_N=128 TS_K=32 WPT_M=8 WPT_N=8", "local memory; the device has 16384", 64, 64,
         64},
        {64, 16, "TS_M=64 TS_N=64 WPT_M=4 WPT_N=4", "work-groups of 256 items", 64, 64, 32},
        {256, 16, "ATT_WG=256", "ATT_WG=256 needs", 64, 64, 64},
        {16, 2, "", NULL, 16, 8, 16},
        {256, 48, "SUB_GROUPS=1", "sub-groups", 64, 64, 64},
        {256, 48, "TS_M=64 WPT_M=8 TS_PAD=2 TS_VW=4", "TS_VW must divide", 64, 64, 64},
        {256, 0, "", NULL, 64, 1, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dun_device_info info = gpu;
        dun_str fault = {0}, said = {0};
        info.max_group_size = cases[i].max_group;
        info.local_bytes = cases[i].local_kb << 10;
        dun_tiles tiles = dun_tiles_default(&info, 64);
        check_ok(dun_tiles_read(&tiles, cases[i].words, "test"));
        check_ok(dun_tiles_fault(&fault, &tiles, &info));
        if (!cases[i].said != !fault.length || (cases[i].said && !strstr(fault.bytes, cases[i].said)))
            fail_msg("case %zu: \"%s\"", i, fault.length ? fault.bytes : "");
        check_ok(dun_tiles_fit(&said, &tiles, &info));
        assert_int_equal(said.length > 0, fault.length > 0);
        if (tiles.group != cases[i].group || tiles.attention_group != cases[i].attention ||
            tiles.local_m != cases[i].local_m)
            fail_msg("case %zu: WG %u, ATT_WG %u, TS_M %u", i, tiles.group, tiles.attention_group,
                     tiles.local_m);
        dun_str_free(&fault);
        dun_str_free(&said);
    }
}

static void test_words(void **state) {
    static const struct {
        const char *words, *part;
    } bad[] = {{"WG", "\"WG\" is no tile"},
               {"WG=3", "WG can be one of 1|2|4"},
               {"WG=64 SPEED=1", "\"SPEED=1\" is no tile"},
               {"REG_MR=", "REG_MR can be one of"}};
    dun_tiles tiles = dun_tiles_default(&gpu, 64);
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(dun_tiles_read(&tiles, bad[i].words, "device.tiles"), DUN_USAGE);
        if (!strstr(dun_error_message(), bad[i].part))
            fail_msg("message: %s\nlacks: %s", dun_error_message(), bad[i].part);
    }
    check_ok(dun_tiles_read(&tiles, " WG=128,  VW=8\t", "device.tiles"));
    assert_true(tiles.group == 128 && tiles.vector == 8);
}

static void test_choice(void **state) {
    dun_choice choice;
    dun_device_info info = gpu;
    (void)state;
    check_ok(dun_choose(&choice, &info, &(dun_wish){.head_dim = 64}));
    assert_string_equal(choice.gemm, "local");
    assert_non_null(strstr(choice.tiles_reason, "not tuned"));
    check_ok(dun_choose(&choice, &info, &(dun_wish){.head_dim = 64, .gemm = "naive", .tiles = "WG=128"}));
    assert_string_equal(choice.gemm, "naive");
    assert_true(choice.tiles.group == 128 && choice.tiles.local_m == 0);
    assert_non_null(strstr(choice.tiles_reason, "device.tiles"));
    check_ok(dun_choose(&choice, &info, &(dun_wish){.head_dim = 64, .gemm = "local", .half_weights = true}));
    assert_true(choice.tiles.half_weights == 1);
    check_ok(dun_choose(&choice, &info, &(dun_wish){.head_dim = 64, .gemm = "reg", .half_weights = true}));
    assert_true(choice.tiles.half_weights == 0); /* then the weights are halves of another layout */
    assert_int_equal(dun_choose(&choice, &info, &(dun_wish){.head_dim = 64, .tiles = "WG=3"}), DUN_USAGE);
    info.local_bytes = 0;
    check_ok(dun_choose(&choice, &info, &(dun_wish){.head_dim = 64}));
    assert_string_equal(choice.gemm, "clblast");
    assert_int_equal(dun_choose(&choice, &info, &(dun_wish){.head_dim = 64, .gemm = "local"}),
                     DUN_BAD_DEVICE);
    const dun_wish exact = {.head_dim = 64, .tiles = "default ATT_WG=64", .exact = true};
    assert_int_equal(dun_choose(&choice, &info, &exact), DUN_BAD_DEVICE);
}

/* DUNLIN_DEVICES names rows that come before all others; a bad one is passed over. */
static void test_own_rows(void **state) {
    static const char path[] = BINARY_DIR "/own-devices.ini";
    static const char rows[] = "[mine]\ndevice = Fast*\ngemm = reg\ntiles = WG=32 REG_MR=6\nnote = by hand\n";
    static const char bad[] = "[mine]\ndevice = Fast*\ngemm = reg\ntiles = WG=33\n";
    dun_choice choice;
    (void)state;
    setenv("DUNLIN_DEVICES", path, 1);
    check_ok(dun_file_write(path, rows, sizeof rows - 1));
    check_ok(dun_choose(&choice, &gpu, &(dun_wish){.head_dim = 64}));
    assert_string_equal(choice.gemm, "reg");
    assert_true(choice.tiles.group == 32 && choice.tiles.reg_rows == 6);
    assert_non_null(strstr(choice.tiles_reason, "by hand"));
    assert_non_null(strstr(choice.gemm_reason, "[mine]"));
    check_ok(dun_choose(&choice, &gpu, &(dun_wish){.head_dim = 64, .tiles = "default"}));
    assert_string_equal(choice.gemm, "local");
    check_ok(dun_file_write(path, bad, sizeof bad - 1));
    check_ok(dun_choose(&choice, &gpu, &(dun_wish){.head_dim = 64}));
    assert_string_equal(choice.gemm, "local");
    unsetenv("DUNLIN_DEVICES");
    (void)unlink(path);
}

static void test_process(void **state) {
    static const struct {
        const char *command, *output;
        int status, signal;
        bool timed_out;
    } cases[] = {
        {"echo hello; exit 3", "hello\n", 3, 0, false},
        {"echo hello; echo lost >&2", "hello\n", 0, 0, false},
        {"kill -SEGV $$", "", -1, 11, false},
        {"exec sleep 30", "", -1, 9, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *argv[] = {"/bin/sh", "-c", cases[i].command, NULL};
        dun_process_end end;
        dun_str output = {0};
        check_ok(dun_process_run(&end, &output, argv, DUN_STDERR_NOWHERE, cases[i].timed_out ? 0.2 : 60));
        assert_string_equal(output.bytes ? output.bytes : "", cases[i].output);
        assert_int_equal(end.status, cases[i].status);
        assert_int_equal(end.signal, cases[i].signal);
        assert_int_equal(end.timed_out, cases[i].timed_out);
        dun_str_free(&output);
    }
    const char *absent[] = {"/no/such/program", NULL}, *slow[] = {"/bin/sleep", "1000", NULL};
    dun_process_end end;
    dun_str output = {0};
    dun_want(DUN_STOP); /* it is not waited for */
    check_ok(dun_process_run(&end, &output, slow, DUN_STDERR_NOWHERE, 60));
    dun_want(DUN_GO_ON);
    assert_true(end.signal == 9 && !end.timed_out);
    assert_int_equal(dun_process_run(&end, &output, absent, DUN_STDERR_NOWHERE, 1), DUN_FAILED);
    dun_str_free(&output);
    assert_non_null(strstr(dun_error_message(), "/no/such/program"));
}

/* Unfinished: begun and not ended after it, by whole lines. */
static void test_journal(void **state) {
    dun_str path = {0}, none = {0};
    (void)state;
    check_ok(dun_str_addf(&path, "%s/tune.journal", BINARY_DIR));
    dun_journal_remove(&path);
    assert_false(dun_journal_unfinished(&path, "reg"));
    check_ok(dun_journal_add(&path, "try", "reg"));
    check_ok(dun_journal_add(&path, "end", "reg"));
    check_ok(dun_journal_add(&path, "try", "local TS_M=64"));
    assert_false(dun_journal_unfinished(&path, "reg"));
    assert_true(dun_journal_unfinished(&path, "local TS_M=64"));
    assert_false(dun_journal_unfinished(&path, "local"));
    check_ok(dun_journal_add(&path, "end", "local TS_M=64"));
    assert_false(dun_journal_unfinished(&path, "local TS_M=64"));
    dun_journal_remove(&path);
    check_ok(dun_journal_add(&none, "try", "reg")); /* no cache: nothing is written down */
    dun_str_free(&path);
}

static int no_leaks(void **state) {
    (void)state;
    assert_int_equal(dun_mem_live(), 0);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),         cmocka_unit_test(test_bad_rows),
        cmocka_unit_test(test_written_rows), cmocka_unit_test(test_shipped_rows),
        cmocka_unit_test(test_limits),       cmocka_unit_test(test_words),
        cmocka_unit_test(test_choice),       cmocka_unit_test(test_own_rows),
        cmocka_unit_test(test_process),      cmocka_unit_test(test_journal),
    };
    return cmocka_run_group_tests(tests, NULL, no_leaks);
}
