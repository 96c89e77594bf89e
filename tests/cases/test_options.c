/* Command lines against a table of options, and the help made from it. */
#include "base/err.h"
#include "base/mem.h"
#include "cmd/cmd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_WORDS = 8 };

static int run_nothing(const dun_args *args) {
    (void)args;
    return DUN_OK;
}

static const dun_option options[] = {
    {.name = "device",
     .letter = 'd',
     .argument = "SEL",
     .environment = "DUNLIN_TEST_DEVICE",
     .help = "Where."},
    {.name = "set", .letter = 's', .argument = "KEY=VALUE", .repeatable = true, .help = "Sets a key."},
    {.name = "input",
     .argument = "lines|jsonl",
     .one_of = true,
     .environment = "DUNLIN_TEST_INPUT",
     .help = "How texts are given."},
    {.name = "json", .letter = 'j', .help = "Print JSON."},
    {.name = "verbose", .letter = 'v', .repeatable = true, .help = "Say more."},
    {0},
};

static const dun_command command = {.name = "try",
                                    .summary = "Try things.",
                                    .usage = "FILE [FILE] [--json]",
                                    .options = options,
                                    .min_operands = 1,
                                    .max_operands = 2,
                                    .run = run_nothing};

/* A command line, and what is found in it: values joined by ' ', options first ("-" for flags), then '|' and
 * the operands; or the message. */
typedef struct {
    char *words[MAX_WORDS];
    const char *found, *message;
} line_row;

static const line_row good[] = {
    {{"a"}, "| a", NULL},
    {{"a", "-"}, "| a -", NULL},
    {{"--json", "a"}, "json:- | a", NULL},
    {{"a", "--json"}, "json:- | a", NULL},
    {{"--device", "gpu", "a"}, "device:gpu | a", NULL},
    {{"--device=gpu", "a"}, "device:gpu | a", NULL},
    {{"--device=", "a"}, "device: | a", NULL},
    {{"--device=a=b", "a"}, "device:a=b | a", NULL},
    {{"--device", "--json", "a"}, "device:--json | a", NULL},
    {{"-d", "gpu", "a"}, "device:gpu | a", NULL},
    {{"-dgpu", "a"}, "device:gpu | a", NULL},
    {{"-jvv", "a"}, "json:- verbose:- verbose:- | a", NULL},
    {{"-jd", "gpu", "a"}, "json:- device:gpu | a", NULL},
    {{"-jdgpu", "a"}, "json:- device:gpu | a", NULL},
    {{"--set", "a.b=1", "x", "--set=c.d=", "-s", "e"}, "set:a.b=1 set:c.d= set:e | x", NULL},
    {{"--input", "lines", "a"}, "input:lines | a", NULL},
    {{"--input=jsonl", "a"}, "input:jsonl | a", NULL},
    {{"--", "--json"}, "| --json", NULL},
    {{"--json", "--", "-", "--"}, "json:- | - --", NULL},
    {{""}, "| ", NULL},
    {{"--help"}, "help", NULL},
    {{"-h", "--nothing"}, "help", NULL},
    {{"-jh"}, "json:- help", NULL},
    {{"--device", "-h", "a"}, "device:-h | a", NULL},
};

static const line_row bad[] = {
    {{"a", "--jsn"}, NULL, "try: unknown option --jsn; the nearest is --json (see dunlin try --help)"},
    {{"a", "--devise=gpu"},
     NULL,
     "try: unknown option --devise; the nearest is --device (see dunlin try --help)"},
    {{"a", "--hlep"}, NULL, "try: unknown option --hlep; the nearest is --help (see dunlin try --help)"},
    {{"a", "--jso"}, NULL, "try: unknown option --jso; the nearest is --json (see dunlin try --help)"},
    {{"a", "-x"}, NULL, "try: unknown option -x in -x; see dunlin try --help"},
    {{"a", "-jx"}, NULL, "try: unknown option -x in -jx; see dunlin try --help"},
    {{"a", "--json=yes"}, NULL, "try: --json takes no value"},
    {{"a", "--help=yes"}, NULL, "try: --help takes no value"},
    {{"a", "--device"}, NULL, "try: --device needs a value: --device SEL"},
    {{"a", "-d"}, NULL, "try: --device needs a value: --device SEL"},
    {{"a", "--device", "b", "-dc"}, NULL, "try: --device is given twice; it can be given once"},
    {{"a", "--json", "-j"}, NULL, "try: --json is given twice; it can be given once"},
    {{"a", "--input", "line"}, NULL, "try: --input: \"line\" is unknown; it can be one of lines|jsonl"},
    {{"a", "--input", ""}, NULL, "try: --input: \"\" is unknown; it can be one of lines|jsonl"},
    {{"a", "--input", "lines|jsonl"},
     NULL,
     "try: --input: \"lines|jsonl\" is unknown; it can be one of lines|jsonl"},
    {{NULL}, NULL, "try: something is missing; usage: dunlin try FILE [FILE] [--json]"},
    {{"--json"}, NULL, "try: something is missing; usage: dunlin try FILE [FILE] [--json]"},
    {{"a", "b", "c"}, NULL, "try: unexpected \"c\"; usage: dunlin try FILE [FILE] [--json]"},
};

static int read_row(dun_args *args, const line_row *row) {
    int n = 0;
    while (n < MAX_WORDS && row->words[n])
        n++;
    return dun_args_read(args, &command, n, row->words);
}

static void test_good_lines(void **state) {
    (void)state;
    dun_str found = {0};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        dun_args args;
        assert_int_equal(read_row(&args, &good[i]), DUN_OK);
        dun_str_clear(&found);
        for (size_t g = 0; g < args.n_given; g++)
            assert_int_equal(dun_str_addf(&found, "%s:%s ", args.given[g].option->name,
                                          args.given[g].value ? args.given[g].value : "-"),
                             0);
        assert_int_equal(dun_str_addf(&found, "%s", args.help ? "help" : "|"), 0);
        for (size_t o = 0; o < args.n_operands; o++)
            assert_int_equal(dun_str_addf(&found, " %s", dun_args_operand(&args, o)), 0);
        assert_null(dun_args_operand(&args, args.n_operands));
        assert_string_equal(found.bytes, good[i].found);
        dun_args_free(&args);
    }
    dun_str_free(&found);
    assert_int_equal(dun_mem_live(), 0);
}

static void test_bad_lines(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        dun_args args;
        dun_error_clear();
        assert_int_equal(read_row(&args, &bad[i]), DUN_USAGE);
        assert_string_equal(dun_error_message(), bad[i].message);
    }
    assert_int_equal(dun_mem_live(), 0);
}

static void test_values(void **state) {
    (void)state;
    const line_row row = {{"--set", "a=1", "--json", "x", "--set", "b=2"}, NULL, NULL};
    dun_args args;
    const char **sets, *value;
    size_t n_sets;
    assert_int_equal(read_row(&args, &row), DUN_OK);
    assert_true(dun_args_has(&args, "json"));
    assert_false(dun_args_has(&args, "device"));
    assert_null(dun_args_value(&args, "device"));
    assert_int_equal(dun_args_all(&sets, &n_sets, &args, "set"), DUN_OK);
    assert_int_equal(n_sets, 2);
    assert_string_equal(sets[0], "a=1");
    assert_string_equal(sets[1], "b=2");
    dun_free(sets);
    assert_int_equal(dun_args_all(&sets, &n_sets, &args, "input"), DUN_OK);
    assert_int_equal(n_sets, 0);
    dun_free(sets);
    assert_int_equal(dun_args_require(&value, &args, "set"), DUN_OK);
    assert_string_equal(value, "a=1");
    assert_int_equal(dun_args_require(&value, &args, "device"), DUN_USAGE);
    assert_string_equal(dun_error_message(),
                        "try: --device SEL is missing; usage: dunlin try FILE [FILE] [--json]");
    dun_args_free(&args);
    assert_int_equal(dun_mem_live(), 0);
}

static void test_environment(void **state) {
    (void)state;
    const line_row without = {{"a"}, NULL, NULL}, with = {{"a", "--device", "cpu"}, NULL, NULL};
    dun_args args;
    setenv("DUNLIN_TEST_DEVICE", "gpu", 1);
    assert_int_equal(read_row(&args, &without), DUN_OK);
    assert_string_equal(dun_args_value(&args, "device"), "gpu");
    assert_false(dun_args_has(&args, "device"));
    dun_args_free(&args);
    assert_int_equal(read_row(&args, &with), DUN_OK);
    assert_string_equal(dun_args_value(&args, "device"), "cpu");
    dun_args_free(&args);
    setenv("DUNLIN_TEST_DEVICE", "", 1);
    assert_int_equal(read_row(&args, &without), DUN_OK);
    assert_null(dun_args_value(&args, "device"));
    dun_args_free(&args);
    unsetenv("DUNLIN_TEST_DEVICE");

    setenv("DUNLIN_TEST_INPUT", "csv", 1);
    assert_int_equal(read_row(&args, &without), DUN_USAGE);
    assert_string_equal(dun_error_message(),
                        "try: DUNLIN_TEST_INPUT: \"csv\" is unknown; it can be one of lines|jsonl");
    unsetenv("DUNLIN_TEST_INPUT");
    assert_int_equal(dun_mem_live(), 0);
}

static void test_help(void **state) {
    (void)state;
    static const dun_option wide[] = {
        {.name = "out", .letter = 'o', .argument = "DIR", .help = "Folder of the run."},
        {.name = "a-very-long-option", .argument = "VALUE", .help = "Short."},
        {.name = "more",
         .repeatable = true,
         .environment = "DUNLIN_MORE",
         .help = "A help that takes more than the one line of eighty columns that there is."},
        {0},
    };
    static const dun_command shown = {
        .name = "show",
        .summary = "Shows.",
        .usage = "[--out DIR]",
        .help =
            "One paragraph\n\nand another that is so long\nthat it does not fit into one line of eighty columns.",
        .options = wide};
    static const char wanted[] =
        "Usage: dunlin show [--out DIR]\n"
        "\n"
        "Shows.\n"
        "\n"
        "One paragraph\n"
        "\n"
        "and another that is so long that it does not fit into one line of eighty\n"
        "columns.\n"
        "\n"
        "Options:\n"
        "  -o, --out DIR         Folder of the run.\n"
        "      --a-very-long-option VALUE\n"
        "                        Short.\n"
        "      --more            A help that takes more than the one line of eighty\n"
        "                        columns that there is. May be repeated. [DUNLIN_MORE]\n"
        "  -h, --help            Show this help.\n";
    dun_str text = {0};
    assert_int_equal(dun_command_help(&text, &shown), DUN_OK);
    assert_string_equal(text.bytes, wanted);
    dun_str_free(&text);
    assert_int_equal(dun_mem_live(), 0);
}

/* Rows of the real table: names differ, every option has help, no letter or name stands twice; lines
 * fit 80 columns. */
static void test_commands(void **state) {
    (void)state;
    dun_str text = {0};
    for (const dun_command *const *c = dun_commands; *c; c++) {
        for (const dun_command *const *other = dun_commands; other < c; other++)
            assert_string_not_equal((*c)->name, (*other)->name);
        assert_true((*c)->summary && (*c)->usage && (*c)->run);
        assert_true((*c)->min_operands <= (*c)->max_operands);
        for (const dun_option *o = (*c)->options; o->name; o++) {
            assert_non_null(o->help);
            assert_true(!o->one_of || o->argument);
            assert_string_not_equal(o->name, "help");
            assert_int_not_equal(o->letter, 'h');
            for (const dun_option *other = (*c)->options; other < o; other++) {
                assert_string_not_equal(o->name, other->name);
                assert_true(!o->letter || o->letter != other->letter);
            }
        }
        assert_int_equal(dun_command_help(&text, *c), DUN_OK);
    }
    assert_int_equal(dun_command_help(&text, NULL), DUN_OK);
    for (const char *line = text.bytes; *line; line += strcspn(line, "\n") + 1)
        if (strcspn(line, "\n") > 80 && strncmp(line, "Usage:", 6) != 0)
            fail_msg("too wide: %.*s", (int)strcspn(line, "\n"), line);
    dun_str_free(&text);
    assert_int_equal(dun_mem_live(), 0);
}

static void test_program_lines(void **state) {
    (void)state;
    static const struct {
        char *words[4];
        const char *message;
    } rows[] = {
        {{"dunlin"}, "no command given; dunlin --help lists them"},
        {{"dunlin", "devcies"}, "unknown command \"devcies\"; the nearest is devices (see dunlin --help)"},
        {{"dunlin", "--vresion"}, "unknown option --vresion; the nearest is --version (see dunlin --help)"},
        {{"dunlin", "help", "devcies"},
         "help: no command or topic \"devcies\"; the nearest is devices (see dunlin --help)"},
        {{"dunlin", "help", "devices", "x"},
         "help: unexpected \"x\"; usage: dunlin help [COMMAND|TOPIC|SECTION.KEY]"},
        {{"dunlin", "devices", "--jsno"},
         "devices: unknown option --jsno; the nearest is --json (see dunlin devices --help)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int n = 0;
        while (n < 4 && rows[i].words[n])
            n++;
        assert_int_equal(dun_command_run(n, rows[i].words), DUN_USAGE);
        assert_string_equal(dun_error_message(), rows[i].message);
    }
    assert_int_equal(dun_mem_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_lines),    cmocka_unit_test(test_bad_lines),
        cmocka_unit_test(test_values),        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_help),          cmocka_unit_test(test_commands),
        cmocka_unit_test(test_program_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
