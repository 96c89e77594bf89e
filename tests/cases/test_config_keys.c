/* Every column of config.def's rows, key by key: what a key touches, which paths are looked for, what it
 * needs of other keys, what the shells offer for it, and that something reads it. */
#define _XOPEN_SOURCE 700 /* nftw */
#include "base/mem.h"
#include "cmd/shell/shell.h"
#include "cmd/shell/topics.h"
#include "config/paths.h"
#include "config_expect.h"

#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

static const char template[] = "so {text} and {soft}";

static void put(dun_config *config, enum dun_config_id id, const char *value) {
    expect_ok(dun_config_put(config, id, value, "test"));
}

/* The scope between a config and one that differs in a single key. */
static enum dun_scope scope_of(enum dun_config_id id, bool with_template) {
    dun_config a, b;
    char other[OTHER_BYTES];
    enum dun_scope scope = DUN_SCOPE_MODEL, none = DUN_SCOPE_MODEL;
    expect_ok(dun_config_init(&a));
    expect_ok(dun_config_init(&b));
    if (with_template) {
        put(&a, DUN_KEY_prompt_template, template);
        put(&b, DUN_KEY_prompt_template, template);
    }
    expect_ok(dun_config_scope_between(&none, &a, &b));
    assert_int_equal(none, DUN_SCOPE_RUN);
    put(&b, id, other_value(other, id));
    expect_ok(dun_config_scope_between(&scope, &a, &b));
    dun_config_free(&a);
    dun_config_free(&b);
    return scope;
}

static void test_scope(void **state) {
    (void)state;
    size_t n[DUN_SCOPE_MODEL + 1] = {0}, n_rows = 0;
    for (int i = 0; i < DUN_N_KEYS; i++) {
        const enum dun_config_id id = (enum dun_config_id)i;
        const dun_config_key *key = &dun_config_key_table[i];
        const bool rows = key->traits & DUN_TRAIT_ROWS;
        n[key->scope]++;
        n_rows += rows;
        if (scope_of(id, false) != key->scope)
            fail_msg("%s.%s touches another thing than its row says", key->section, key->name);
        if (scope_of(id, true) != (rows ? DUN_SCOPE_MODEL : key->scope))
            fail_msg("%s.%s with a template", key->section, key->name);
        /* What a point is made by can never be shared as if nothing had changed. */
        if (key->traits & DUN_TRAIT_POINT)
            assert_true(key->scope > DUN_SCOPE_RUN);
    }
    assert_true(n[DUN_SCOPE_RUN] && n[DUN_SCOPE_DATA] && n[DUN_SCOPE_MODEL] && n_rows);
}

/* A file beside the config, named as one would there: found for paths alone. */
static void test_paths(void **state) {
    (void)state;
    char folder[] = "/tmp/dunlin-keys-XXXXXX", file[64], origin[64];
    size_t n_paths = 0;
    assert_non_null(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/only-here.txt", folder);
    snprintf(origin, sizeof origin, "%s/my.ini:7", folder);
    write_file(file, "x");
    for (int i = 0; i < DUN_N_KEYS; i++) {
        const enum dun_config_id id = (enum dun_config_id)i;
        const dun_config_key *key = &dun_config_key_table[i];
        const bool is_path = key->traits & DUN_TRAIT_PATH;
        dun_config config;
        dun_str found = {0};
        if (key->type != DUN_CONFIG_STRING) {
            assert_false(is_path);
            continue;
        }
        n_paths += is_path;
        expect_ok(dun_config_init(&config));
        expect_ok(dun_config_put(&config, id, "only-here.txt", origin));
        expect_ok(dun_paths_resolve(&config));
        expect_ok(dun_config_get(&found, &config, id));
        if (strcmp(found.bytes, is_path ? file : "only-here.txt") != 0)
            fail_msg("%s.%s = only-here.txt of %s became %s", key->section, key->name, origin, found.bytes);
        assert_string_equal(dun_config_origin(&config, id), origin);
        dun_str_free(&found);
        dun_config_free(&config);
    }
    assert_true(n_paths >= 6);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(rmdir(folder), 0);
}

typedef struct {
    enum dun_config_id id, needed_id;
    const char *is, *needed, *reason;
    bool of_model;
} need;

#define NOT_DEFAULT .is = NULL
#define IS(word) .is = word
#define IN_A_MODEL_IS(word) .is = word, .of_model = true
#define NEEDS(section, key, when, other_section, other_key, values, because)                                 \
    {.id = DUN_KEY_##section##_##key,                                                                        \
     when,                                                                                                   \
     .needed_id = DUN_KEY_##other_section##_##other_key,                                                     \
     .needed = values,                                                                                       \
     .reason = because},
static const need needs[] = {
#include "config/config.def"
};

static bool is_one_of(const char *list, const char *word) {
    char all[200], wanted[60];
    snprintf(all, sizeof all, "|%s|", list);
    snprintf(wanted, sizeof wanted, "|%s|", word);
    return strstr(all, wanted);
}

/* A value of the needed key that will not do; for "*" nothing, and for nothing one. */
static const char *wrong_value(const need *n) {
    static const char *const yes_no[] = {"yes", "no", NULL};
    const dun_config_key *key = &dun_config_key_table[n->needed_id];
    if (strcmp(n->needed, "*") == 0)
        return "";
    if (!*n->needed || key->type == DUN_CONFIG_INTEGER)
        return "3";
    for (const char *const *word = key->choices ? key->choices : yes_no; *word; word++)
        if (!is_one_of(n->needed, *word))
            return *word;
    fail_msg("%s.%s: every value is allowed", key->section, key->name);
    return NULL;
}

static const char *first_of(char out[60], const char *list) {
    snprintf(out, 60, "%.*s", (int)strcspn(list, "|"), list);
    return out;
}

/* Does the check fail for this reason, what else the key needs being there? */
static bool refused(const need *n, const char *needed_value, bool named_model) {
    dun_config config;
    char other[OTHER_BYTES], right[60];
    expect_ok(dun_config_init(&config));
    put(&config, DUN_KEY_prompt_init, "vocab");
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++)
        if (needs[i].id == n->id && needs[i].needed_id != n->needed_id) {
            put(&config, needs[i].needed_id, first_of(right, needs[i].needed));
            for (size_t j = 0; j < sizeof needs / sizeof *needs; j++) /* and what that needs itself */
                if (needs[j].id == needs[i].needed_id && needs[j].is && strcmp(needs[j].is, right) == 0)
                    put(&config, needs[j].needed_id, needs[j].needed);
        }
    if (named_model)
        put(&config, DUN_KEY_model_path, "m");
    put(&config, n->id, n->is ? n->is : other_value(other, n->id));
    put(&config, n->needed_id, needed_value);
    int rc = dun_config_check(&config);
    bool is = rc == DUN_USAGE && strstr(dun_error_message(), n->reason) &&
              strstr(dun_error_message(), dun_config_key_table[n->needed_id].name);
    dun_config_free(&config);
    return is;
}

static void test_needs(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++) {
        const need *n = &needs[i];
        char right[60];
        const char *wrong = wrong_value(n);
        if (!refused(n, wrong, true))
            fail_msg("need %zu, %s: not asked", i, n->reason);
        if (refused(n, wrong, false) == n->of_model)
            fail_msg("need %zu, %s: without a model", i, n->reason);
        if (refused(n, first_of(right, n->needed), true))
            fail_msg("need %zu, %s: asked though it is met", i, n->reason);
    }
}

/* Files after a path, devices after a key that names them, and words after one that has some. */
static void test_completions(void **state) {
    (void)state;
    dun_str script = {0}, arm = {0};
    expect_ok(dun_complete_bash(&script));
    for (int i = 0; i < DUN_N_KEYS; i++) {
        const dun_config_key *key = &dun_config_key_table[i];
        const char *action = key->traits & DUN_TRAIT_PATH                     ? "_dunlin_file ;;"
                             : key->traits & DUN_TRAIT_DEVICES                ? "_dunlin_selector ;;"
                             : key->choices || key->type == DUN_CONFIG_YES_NO ? "_dunlin_words '"
                                                                              : ": ;;";
        dun_str_clear(&arm);
        expect_ok(dun_str_addf(&arm, " %s.%s) %s", key->section, key->name, action));
        if (!strstr(script.bytes, arm.bytes))
            fail_msg("the completion lacks%s", arm.bytes);
    }
    dun_str_free(&arm);
    dun_str_free(&script);
}

/* No place of a script is left without its part. */
static void test_scripts_are_whole(void **state) {
    (void)state;
    int (*const scripts[])(dun_str *) = {dun_complete_bash, dun_complete_zsh, dun_complete_fish};
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        dun_str text = {0};
        expect_ok(scripts[i](&text));
        for (const char *at = text.bytes; (at = strchr(at, '@')); at++) {
            size_t name = strspn(at + 1, "abcdefghijklmnopqrstuvwxyz");
            if (name && at[1 + name] == '@')
                fail_msg("script %zu: %.*s is still there", i, (int)name + 2, at);
        }
        dun_str_free(&text);
    }
}

static dun_str sources; /* of host/ but for host/config */

static int add_source(const char *path, const struct stat *info, int kind, struct FTW *walk) {
    (void)info, (void)walk;
    dun_file file;
    size_t length = strlen(path);
    if (kind != FTW_F || strstr(path, "/host/config/") ||
        (strcmp(path + length - 2, ".c") != 0 && strcmp(path + length - 2, ".h") != 0))
        return 0;
    expect_ok(dun_file_map(&file, path));
    expect_ok(dun_str_add(&sources, (const char *)file.bytes, file.length));
    dun_file_unmap(&file);
    return 0;
}

/* Nothing of the environment is read that help does not tell of; a key's variable is told of once for all. */
static void expect_told(const char *before) {
    char name[60];
    size_t n = 0;
    for (const char *at = sources.bytes; (at = strstr(at, before)); n++) {
        at += strlen(before);
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, "\""), at);
        bool told = strncmp(name, "DUNLIN_", 7) != 0 || strcmp(name, "DUNLIN_DEVICE_USE") == 0;
        for (const dun_topic_row *row = dun_environment_rows; row->name && !told; row++)
            told = strcmp(row->name, name) == 0;
        if (!told)
            fail_msg("help says nothing of %s", name);
    }
    assert_true(n > 1);
}

static void read_sources(void) {
    assert_int_equal(nftw(SOURCE_DIR "/host", add_source, 16, FTW_PHYS), 0);
}

static void test_environment(void **state) {
    (void)state;
    read_sources();
    expect_told("getenv(\"");
    expect_told(".environment = \"");
    dun_str_free(&sources);
}

/* A key that nothing reads would be a promise that is not kept. */
static void test_every_key_is_read(void **state) {
    (void)state;
    char read[100], named[100];
    read_sources();
    for (int i = 0; i < DUN_N_KEYS; i++) {
        const dun_config_key *key = &dun_config_key_table[i];
        snprintf(read, sizeof read, "config->%s.%s", key->section, key->name);
        snprintf(named, sizeof named, "config.%s.%s", key->section, key->name);
        bool is_read = strstr(sources.bytes, read) || strstr(sources.bytes, named);
        snprintf(named, sizeof named, "config_word(config, DUN_KEY_%s_%s)", key->section, key->name);
        if (!is_read && !strstr(sources.bytes, named))
            fail_msg("nothing reads %s.%s", key->section, key->name);
    }
    dun_str_free(&sources);
}

static void test_words(void **state) {
    (void)state;
    dun_config config;
    expect_ok(dun_config_init(&config));
    for (int i = 0; i < DUN_N_KEYS; i++) {
        const enum dun_config_id id = (enum dun_config_id)i;
        const dun_config_key *key = &dun_config_key_table[i];
        if (key->type != DUN_CONFIG_CHOICE) {
            assert_null(dun_config_word(&config, id));
            continue;
        }
        assert_string_equal(dun_config_word(&config, id), key->initial);
        for (const char *const *word = key->choices; *word; word++) {
            put(&config, id, *word);
            assert_string_equal(dun_config_word(&config, id), *word);
        }
    }
    dun_config_free(&config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scope),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_needs),
        cmocka_unit_test(test_completions),
        cmocka_unit_test(test_scripts_are_whole),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_every_key_is_read),
        cmocka_unit_test(test_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
