/* Reading configs: files, includes, --set, and what is refused with which message. */
#include "base/nearest.h"
#include "config_expect.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static char *long_line(size_t length) {
    char *line = malloc(length + 2);
    assert_non_null(line);
    memset(line, 'x', length);
    memcpy(line, "[prompt]\ntext=", 14);
    memcpy(line + length, "\n", 2);
    return line;
}

static const struct {
    const char *text;
    const char *parts[4];
} bad_files[] = {
    {"[trian]\n", {"dir/t.ini:1: ", "unknown section [trian]", "nearest known one is [train]"}},
    {"\n[Prompt]\n", {"dir/t.ini:2: ", "[prompt]"}},
    {"[train ]\n", {"dir/t.ini:1: ", "[train]"}},
    {"[a-section-name-far-longer-than-any-that-the-table-has-or-inih-keeps]\n", {"t.ini:1: ", "unknown"}},
    {"[train]\n\nepohcs = 3\n", {"dir/t.ini:3: ", "unknown key train.epohcs", "train.epochs"}},
    {"[train]\nlr = 3\n", {"t.ini:2: ", "unknown key train.lr", "prompt.lr"}},
    {"[model]\nbatch_sise = 3\n", {"t.ini:2: ", "train.batch_size"}},
    {"[train]\n= 3\n", {"t.ini:2: ", "no key before the '='"}},
    {"[train]\na.b = 3\n", {"t.ini:2: ", "unknown key"}},
    {"[train]\nepochs 3\n", {"dir/t.ini:2: ", "missing '='", "key = value"}},
    {"[train]\nepochs: 3\n", {"dir/t.ini:2: ", "missing '='"}},
    {"[train]\nepochs : = 3\n", {"dir/t.ini:2: ", ": before the '='"}},
    {"[train]\nepochs ; = 3\n", {"dir/t.ini:2: ", "; before the '='"}},
    {"[train\nepochs = 3\n", {"dir/t.ini:1: ", "missing ']'"}},
    {"[train] epochs = 3\n", {"dir/t.ini:1: ", "text after ']'"}},
    {"epochs = 3\n", {"dir/t.ini:1: ", "epochs stands before the first section"}},
    {"[train]\nepochs = 3\n  5\n", {"dir/t.ini:3: ", "starts with a space"}},
    {"[train]\n\tepochs = 3\n", {"dir/t.ini:2: ", "starts with a space"}},
    {"[train]\nepochs = 3\n[loss]\n[train]\nepochs = 3\n",
     {"dir/t.ini:5: ", "train.epochs is set again", "line 2"}},
    {"[train]\nepochs =\n", {"dir/t.ini:2: ", "train.epochs has no value", "from 0 to 1000000"}},
    {"[train]\nepochs = ; three\n", {"dir/t.ini:2: ", "no value"}},
    {"[train]\nepochs = three\n", {"dir/t.ini:2: ", "train.epochs = three is not a whole number"}},
    {"[train]\nepochs = 3 times\n", {"dir/t.ini:2: ", "= 3 times is not a whole number"}},
    {"[train]\nepochs = 3 # times\n", {"dir/t.ini:2: ", "not a whole number"}},
    {"[train]\nepochs = 3.0\n", {"dir/t.ini:2: ", "not a whole number"}},
    {"[train]\nepochs = 0x3\n", {"dir/t.ini:2: ", "not a whole number"}},
    {"[train]\nepochs = --3\n", {"dir/t.ini:2: ", "not a whole number"}},
    {"[train]\nepochs = -1\n", {"dir/t.ini:2: ", "train.epochs = -1 is out of range"}},
    {"[data]\nlimit_train = -1\n", {"dir/t.ini:2: ", "out of range", "of texts from 1", "or nothing"}},
    {"[data]\nlimit_train = 0\n", {"dir/t.ini:2: ", "out of range"}},
    {"[train]\nepochs = 99999999999999999999\n", {"dir/t.ini:2: ", "out of range"}},
    {"[experiment]\nseed = 9007199254740992\n", {"dir/t.ini:2: ", "out of range", "9007199254740991"}},
    {"[prompt]\nlr = nan\n", {"dir/t.ini:2: ", "prompt.lr = nan is not a number"}},
    {"[prompt]\nlr = inf\n", {"dir/t.ini:2: ", "not a number"}},
    {"[prompt]\nlr = 0x1p3\n", {"dir/t.ini:2: ", "not a number"}},
    {"[prompt]\nlr = 1,5\n", {"dir/t.ini:2: ", "not a number"}},
    {"[prompt]\nlr = 1e\n", {"dir/t.ini:2: ", "not a number"}},
    {"[prompt]\nlr = .\n", {"dir/t.ini:2: ", "not a number"}},
    {"[prompt]\nlr = 1e-3 5\n", {"dir/t.ini:2: ", "not a number"}},
    {"[prompt]\nlr = 1e999\n", {"dir/t.ini:2: ", "out of range"}},
    {"[prompt]\nlr = 1e-999\n", {"dir/t.ini:2: ", "out of range"}},
    {"[prompt]\nlr = -1e-3\n", {"dir/t.ini:2: ", "out of range", "not below 0"}},
    {"[loss]\ntemperature = 0\n", {"dir/t.ini:2: ", "out of range", "above 0"}},
    {"[train]\nbeta1 = 1\n", {"dir/t.ini:2: ", "out of range", "below 1"}},
    {"[train]\nbeta2 = 1.5\n", {"dir/t.ini:2: ", "out of range"}},
    {"[train]\nshuffle = true\n", {"dir/t.ini:2: ", "train.shuffle = true is not known", "no, yes or even"}},
    {"[train]\nprobe = true\n", {"dir/t.ini:2: ", "train.probe = true is not known", "yes or no"}},
    {"[model]\npoint = hiden\n", {"dir/t.ini:2: ", "point = hiden is not known", "hidden or logits"}},
    {"[model]\npoint = HIDDEN\n", {"dir/t.ini:2: ", "hidden or logits"}},
    {"[model]\npoint =\n", {"dir/t.ini:2: ", "no value"}},
    {"[prompt]\ntext = \"open\n", {"dir/t.ini:2: ", "not closed"}},
    {"[prompt]\ntext = \"open\\\"\n", {"dir/t.ini:2: ", "not closed"}},
    {"[prompt]\ntext = \"open\\\n", {"dir/t.ini:2: ", "escape"}},
    {"[prompt]\ntext = \"\\x41\"\n", {"dir/t.ini:2: ", "unknown escape"}},
    {"[prompt]\ntext = \"a\" b\n", {"dir/t.ini:2: ", "text after the closing quote"}},
    {"[prompt]\ntext = \"a\";b\n", {"dir/t.ini:2: ", "text after the closing quote"}},
    {"[prompt]\ntext = a\rb\n", {"dir/t.ini:2: ", "control byte"}},
    {"[prompt]\ntext = \xe4rger\n", {"dir/t.ini:2: ", "not UTF-8"}},
    {"include =\n", {"dir/t.ini:1: ", "include without a file"}},
    {"include = not-there.ini\n", {"dir/t.ini:1: ", "dir/not-there.ini", "relative"}},
    {"[train]\ninclude = base.ini\n", {"dir/t.ini:2: ", "before the first section"}},
};

static void test_file_errors(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad_files / sizeof *bad_files; i++) {
        dun_config config;
        expect_usage(parse(&config, bad_files[i].text), bad_files[i].text, bad_files[i].parts, 4);
        dun_config_free(&config);
    }
}

static void test_hostile_bytes(void **state) {
    (void)state;
    dun_config config;
    expect_usage(parse_bytes(&config, "[train]\nepochs\0 = 3\n", 20), "NUL",
                 (const char *const[]){"dir/t.ini:2: ", "NUL"}, 2);
    dun_config_free(&config);
    char *line = long_line(DUN_CONFIG_LINE_BYTES + 10);
    expect_usage(parse(&config, line), "long line", (const char *const[]){"dir/t.ini:2: ", "4097", "4096"},
                 3);
    dun_config_free(&config);
    line[DUN_CONFIG_LINE_BYTES + 9] = '\0'; /* the longest line, though too long a value */
    expect_usage(parse(&config, line), "long value", (const char *const[]){"t.ini:2: ", "too long", "2000"},
                 3);
    dun_config_free(&config);
    free(line);
    size_t length = DUN_CONFIG_FILE_BYTES + 1;
    char *large = calloc(length, 1);
    assert_non_null(large);
    memset(large, '\n', length);
    expect_usage(parse_bytes(&config, large, length), "large file",
                 (const char *const[]){"dir/t.ini: ", "1048576"}, 2);
    dun_config_free(&config);
    free(large);
    expect_ok(parse_bytes(&config, NULL, 0));
    dun_config_free(&config);
    expect_ok(parse(&config, "\xef\xbb\xbf[train]\r\nepochs = 7\r\n; no newline at the end"));
    assert_int_equal(config.train.epochs, 7);
    dun_config_free(&config);
}

static void test_defaults(void **state) {
    (void)state;
    dun_config config;
    expect_ok(dun_config_init(&config));
    expect_ok(dun_config_check(&config));
    assert_string_equal(config.experiment.name, "");
    assert_string_equal(config.device.use, "");
    assert_int_equal(config.device.cache_budget_mb, DUN_CONFIG_UNSET);
    assert_int_equal(config.model.layer, DUN_CONFIG_UNSET);
    assert_int_equal(config.model.point, DUN_POINT_HIDDEN);
    assert_int_equal(config.prompt.tokens, DUN_CONFIG_UNSET);
    assert_true(isnan(config.centroid.lr));
    assert_true(fabs(config.prompt.lr - 1e-3) <= 0);
    assert_true(config.centroid.train);
    assert_false(config.data.header);
    assert_int_equal(config.loss.kind, DUN_LOSS_CROSS_ENTROPY);
    assert_string_equal(dun_config_origin(&config, DUN_KEY_train_epochs), "default");
    dun_config_free(&config);
    for (size_t id = 0; id < DUN_N_KEYS; id++) {
        const dun_config_key *key = &dun_config_key_table[id];
        assert_true(key->help[0] && key->help[strlen(key->help) - 1] == '.');
        if (key->type == DUN_CONFIG_INTEGER) /* or DUN_CONFIG_UNSET could be a value */
            assert_true(key->range.min >= 0);
        if (key->type == DUN_CONFIG_STRING)
            assert_non_null(key->unset);
    }
}

static void test_values(void **state) {
    (void)state;
    static const struct {
        const char *line, *value;
    } texts[] = {
        {"text = plain words", "plain words"},
        {"text=  tight", "tight"},
        {"text = \" Overall this review sounds very\"", " Overall this review sounds very"},
        {"text = \"a ; b\" ; comment", "a ; b"},
        {"text = a;b ; comment", "a;b"},
        {"text = a # b", "a # b"},
        {"text = a = b: c", "a = b: c"},
        {"text = she said \"wow\"", "she said \"wow\""},
        {"text = \"she said \\\"wow\\\"\\\\\\n\\t.\"", "she said \"wow\"\\\n\t."},
        {"text = C:\\new", "C:\\new"},
        {"text = \"\"", ""},
        {"text =", ""},
        {"text = gr\xc3\xbc\xc3\x9f dich", "gr\xc3\xbc\xc3\x9f dich"},
    };
    dun_config config;
    char file[300];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        snprintf(file, sizeof file, "[prompt]\n%s\n", texts[i].line);
        expect_ok(parse(&config, file));
        assert_string_equal(config.prompt.text, texts[i].value);
        dun_config_free(&config);
    }
    expect_ok(parse(&config,
                    "# comment = 1\n  ; indented comment\n[train] ; comment\nepochs = +12 ; comment\n"
                    "[prompt]\nlr = 2.5E-2\ntokens = 7\n[train]\nshuffle = no\n"
                    "[data]\nlabel_map = bad:0, good:1\n[model]\npoint = logits\nlayer = last\n"));
    assert_int_equal(config.train.epochs, 12);
    assert_true(fabs(config.prompt.lr - 0.025) <= 0);
    assert_int_equal(config.prompt.tokens, 7);
    assert_int_equal(config.train.shuffle, DUN_SHUFFLE_NO);
    assert_string_equal(config.data.label_map, "bad:0, good:1");
    assert_int_equal(config.model.point, DUN_POINT_LOGITS);
    assert_int_equal(config.model.layer, DUN_CONFIG_UNSET);
    assert_string_equal(dun_config_origin(&config, DUN_KEY_train_shuffle), "dir/t.ini:9");
    dun_config_free(&config);
    char *line = long_line(14 + DUN_CONFIG_VALUE_BYTES);
    expect_ok(parse(&config, line));
    assert_int_equal(strlen(config.prompt.text), DUN_CONFIG_VALUE_BYTES);
    dun_config_free(&config);
    free(line);
}

/* strtod and printf follow the locale; configs must not. Only machines with such a locale notice. */
static void test_locale(void **state) {
    (void)state;
    setlocale(LC_ALL, "de_DE.UTF-8");
    dun_config config;
    dun_str out = {0};
    expect_ok(parse(&config, "[prompt]\nlr = 0.25\n"));
    expect_ok(dun_config_get(&out, &config, DUN_KEY_prompt_lr));
    assert_string_equal(out.bytes, "0.25");
    dun_str_free(&out);
    dun_config_free(&config);
    setlocale(LC_ALL, "C");
}

static void test_set(void **state) {
    (void)state;
    static const struct {
        const char *assignment, *key, *value;
    } good[] = {
        {"train.epochs=9", "train.epochs", "9"},
        {"prompt.lr=0.1", "prompt.lr", "0.1"},
        {"prompt.lr=0.30000000000000004", "prompt.lr", "0.30000000000000004"},
        {"prompt.text= two  spaces ; no comment ", "prompt.text", " two  spaces ; no comment "},
        {"prompt.text=\" quoted; \"", "prompt.text", " quoted; "},
        {"prompt.text=a=b", "prompt.text", "a=b"},
        {"prompt.tokens=", "prompt.tokens", ""},
        {"model.layer=last", "model.layer", "last"},
        {"device.use=gpu", "device.use", "gpu"},
        {"centroid.lr=", "centroid.lr", ""},
    };
    static const struct {
        const char *assignment;
        const char *parts[3];
    } bad[] = {
        {"train.epochs", {"--set: missing '='", "section.key=value"}},
        {"epochs=3", {"--set: unknown key epochs", "train.epochs"}},
        {"=3", {"--set: unknown key"}},
        {"train.epohcs=3", {"--set: unknown key train.epohcs", "train.epochs"}},
        {"train.epochs =3", {"--set: unknown key"}},
        {"a\nb.c=3", {"--set: unknown key a?b.c;"}},
        {"train.epochs.x=3", {"--set: unknown key train.epochs.x", "train.epochs"}},
        {"train.epochs=x", {"--set: train.epochs = x is not a whole number"}},
        {"prompt.text=\"open", {"--set: ", "not closed"}},
        {"prompt.text=a\rb", {"--set: prompt.text holds a control byte"}},
        {"model.path=\xff.gguf", {"--set: model.path holds", "not UTF-8"}},
        {"prompt.text=\"a\" ; b", {"--set: ", "text after the closing quote"}},
    };
    dun_config config;
    expect_ok(parse(&config, "[train]\nepochs = 1\n[prompt]\ntokens = 8\n[model]\nlayer = 3\n"));
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        enum dun_config_id id;
        dun_str out = {0};
        expect_ok(dun_config_set(&config, good[i].assignment));
        expect_ok(dun_config_find(&id, good[i].key, "test"));
        expect_ok(dun_config_get(&out, &config, id));
        assert_string_equal(out.bytes, good[i].value);
        assert_string_equal(dun_config_origin(&config, id), "--set");
        dun_str_free(&out);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_usage(dun_config_set(&config, bad[i].assignment), bad[i].assignment, bad[i].parts, 3);
    assert_int_equal(config.train.epochs, 9); /* a refused value changes nothing */
    dun_config_free(&config);
}

#define FOLDER BINARY_DIR "/test_config.tmp"

static void test_include(void **state) {
    (void)state;
    expect_ok(dun_dir_make(FOLDER "/sub"));
    write_file(FOLDER "/base.ini", "[train]\nepochs = 1\nbatch_size = 2\n[prompt]\nlr = 0.5\n");
    write_file(FOLDER "/sub/top.ini",
               "# first\ninclude = ../base.ini\ninclude = \"more.ini\"\n[train]\nepochs = 10\n");
    write_file(FOLDER "/sub/more.ini", "[train]\nbatch_size = 20\n");
    write_file(FOLDER "/circle.ini", "include = sub/circle2.ini\n");
    write_file(FOLDER "/sub/circle2.ini", "\ninclude = ../circle.ini\n");
    write_file(FOLDER "/bad.ini", "include = sub/worse.ini\n");
    write_file(FOLDER "/sub/worse.ini", "[train]\nepochs = x\n");
    write_file(FOLDER "/missing.ini", "\ninclude = " FOLDER "/no.ini\n");
    dun_config config;
    expect_ok(dun_config_init(&config));
    expect_ok(dun_config_load(&config, FOLDER "/sub/top.ini"));
    expect_ok(dun_config_set(&config, "prompt.lr=0.75"));
    assert_int_equal(config.train.epochs, 10);
    assert_int_equal(config.train.batch_size, 20);
    assert_true(fabs(config.prompt.lr - 0.75) <= 0);
    assert_string_equal(dun_config_origin(&config, DUN_KEY_train_epochs), FOLDER "/sub/top.ini:5");
    assert_string_equal(dun_config_origin(&config, DUN_KEY_train_batch_size), FOLDER "/sub/more.ini:2");
    expect_usage(dun_config_load(&config, FOLDER "/circle.ini"), "circle",
                 (const char *const[]){"circle2.ini:2: ", "include = ../circle.ini", "circle"}, 3);
    expect_usage(dun_config_load(&config, FOLDER "/bad.ini"), "error inside",
                 (const char *const[]){FOLDER "/sub/worse.ini:2: train.epochs = x"}, 1);
    expect_usage(dun_config_load(&config, FOLDER "/missing.ini"), "missing",
                 (const char *const[]){FOLDER "/missing.ini:2: ", "/no.ini: No such file"}, 2);
    expect_usage(dun_config_load(&config, FOLDER "/no.ini"), "no file",
                 (const char *const[]){FOLDER "/no.ini: No such file"}, 1);
    expect_usage(dun_config_load(&config, FOLDER), "a folder", (const char *const[]){"folder"}, 1);
    char path[sizeof FOLDER + 40], text[60];
    for (int i = 0; i < 20; i++) {
        snprintf(path, sizeof path, FOLDER "/deep%d.ini", i);
        snprintf(text, sizeof text, i < 19 ? "include = deep%d.ini\n" : "[train]\n", i + 1);
        write_file(path, text);
    }
    expect_usage(dun_config_load(&config, FOLDER "/deep0.ini"), "depth", (const char *const[]){"deeper"}, 1);
    dun_config_free(&config);
}

static void test_nearest(void **state) {
    (void)state;
    static const char *const names[] = {"train", "eval", "classify"};
    assert_int_equal(dun_edit_distance("", ""), 0);
    assert_int_equal(dun_edit_distance("abc", ""), 3);
    assert_int_equal(dun_edit_distance("kitten", "sitting"), 3);
    assert_int_equal(dun_edit_distance("trian", "train"), 1);
    assert_int_equal(dun_edit_distance("abcd", "acbd"), 1);
    char longest[200];
    memset(longest, 'x', sizeof longest);
    longest[199] = '\0';
    assert_int_equal(dun_edit_distance(longest, "x"), 62);
    assert_string_equal(dun_nearest("clasify", names, 3), "classify");
    assert_string_equal(dun_nearest("trial", names, 3), "train");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),      cmocka_unit_test(test_values),
        cmocka_unit_test(test_locale),        cmocka_unit_test(test_file_errors),
        cmocka_unit_test(test_hostile_bytes), cmocka_unit_test(test_set),
        cmocka_unit_test(test_include),       cmocka_unit_test(test_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
