/* Configs once read: checks across keys, writing and reading back, the shipped files, no memory. */
#include "base/fault.h"
#include "base/mem.h"
#include "config_expect.h"

#include <math.h>
#include <stdio.h>

static const struct {
    const char *text;
    const char *parts[4]; /* none: fine */
} checks[] = {
    {"[model]\npath = m\n[prompt]\ntext = x\n", {NULL}},
    {"[model]\npath = m\n[prompt]\ninit = vocab\n", {NULL}},
    {"[model]\npath = m\npoint = logits\n[prompt]\ntext = x\n[loss]\nkind = centroid\ntemperature = 9\n"
     "[centroid]\ntrain = no\nstart = random\n[train]\nclip = 0\n",
     {NULL}},
    {"[model]\npath = m\n", {"config: ", "prompt.init = text", "prompt.text without a value", "prompt.text"}},
    {"[model]\npath = m\n[prompt]\ninit = text\n", {"dir/t.ini:4: prompt.init = text", "prompt.text"}},
    {"[model]\npath = m\n[prompt]\ninit = file\n", {"dir/t.ini:4: prompt.init = file", "prompt.file"}},
    {"[centroid]\nupdate = class-mean\n",
     {"t.ini:2: centroid.update = class-mean", "centroid.train = yes (default)",
      "needed is centroid.train = no"}},
    {"[centroid]\ntrain = yes\nupdate = class-mean\n",
     {"t.ini:3: centroid.update", "centroid.train = yes (dir/t.ini:2)"}},
    {"[centroid]\nrepulsion = 0.1\n", {"centroid.repulsion = 0.1", "centroid.update = none", "class-mean"}},
    {"[centroid]\nmomentum = 0.5\n", {"centroid.momentum", "centroid.update"}},
    {"[centroid]\nevery = 2\n", {"centroid.every = 2", "centroid.update"}},
    {"[train]\nmomentum = 0.9\n", {"train.momentum = 0.9", "train.optimizer = adam", "= sgd"}},
    {"[train]\nweight_decay = 0.1\n", {"train.weight_decay", "train.optimizer = adamw or sgd"}},
    {"[device]\ncache_kv = no\ncache_budget_mb = 10\n",
     {"t.ini:3: device.cache_budget_mb = 10", "device.cache_kv = no"}},
    {"[centroid]\nupdate = class-mean\ntrain = no\nmomentum = 0.5\noptimizer = adam\n",
     {"t.ini:4: centroid.momentum = 0.5", "centroid.optimizer = adam",
      "needed is centroid.optimizer = default or sgd"}},
    {"[centroid]\nlethargy = 0.5\n", {"centroid.lethargy = 0.5", "centroid.update = none", "class-mean"}},
    {"[loss]\nmargin = 1\nkind = centroid\n",
     {"t.ini:2: loss.margin = 1", "loss.kind = centroid", "cross-entropy"}},
    {"[model]\nlayer = 3\n", {NULL}},
    {"[model]\nlayer = 3\npoint = logits\n",
     {"t.ini:2: model.layer = 3", "model.point = logits", "needed is model.point = hidden"}},
    {"[model]\nlayers = 1+3+last\n[metric]\nstart = lda\nlr = 1e-3\n", {NULL}},
    {"[model]\nlayers = 1+last\npoint = logits\n",
     {"t.ini:2: model.layers = 1+last", "model.point = logits"}},
    {"[model]\nlayers = 1+last\nlayer = 2\n",
     {"t.ini:2: model.layers = 1+last", "model.layer = 2", "needed is model.layer = last"}},
    {"[metric]\nstart = whiten\ndimensions = 8\n",
     {"t.ini:3: metric.dimensions = 8", "metric.start = whiten", "lda or random"}},
    {"[metric]\nstart = lda\n[model]\npoint = logits\n",
     {"t.ini:2: metric.start = lda", "model.point = logits"}},
    {"[metric]\nlr = 1e-3\n", {"t.ini:2: metric.lr = 0.001", "metric.start = none"}},
    {"[prompt]\nreparametrize = yes\nbottleneck = 16\n", {NULL}},
    {"[prompt]\nbottleneck = 16\n",
     {"t.ini:2: prompt.bottleneck = 16", "prompt.reparametrize = no",
      "needed is prompt.reparametrize = yes"}},
    {"[output]\ntensorboard = yes\n", {NULL}},
    {"[data]\ntrain = t\nvalid_share = 0.2\n", {NULL}},
    {"[data]\nvalid_share = 0.2\nvalid = v\n",
     {"t.ini:2: data.valid_share = 0.2", "data.valid = v", "needed is data.valid = nothing"}},
    {"[data]\nlimit_valid = 9\nvalid_share = 0.2\n",
     {"t.ini:3: data.valid_share = 0.2", "data.limit_valid = 9"}},
};

static void test_check(void **state) {
    (void)state;
    dun_config config;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        expect_ok(parse(&config, checks[i].text));
        int rc = dun_config_check(&config);
        if (checks[i].parts[0])
            expect_usage(rc, checks[i].text, checks[i].parts, 4);
        else
            expect_ok(rc);
        dun_config_free(&config);
    }
    expect_ok(parse(&config, "[data]\ntrain = x\n"));
    expect_ok(dun_config_require(&config, DUN_KEY_data_train));
    expect_usage(dun_config_require(&config, DUN_KEY_model_path), "require",
                 (const char *const[]){"model.path is not set", "[model]", "--set model.path=..."}, 3);
    dun_config_free(&config);
}

static void write_text(dun_str *out, const dun_config *config) {
    dun_str_clear(out);
    expect_ok(dun_config_write(out, config));
}

static void expect_same_values(const dun_config *found, const dun_config *expected) {
    dun_str x = {0}, y = {0};
    for (int id = 0; id < DUN_N_KEYS; id++) {
        const dun_config_key *key = &dun_config_key_table[id];
        dun_str_clear(&x);
        dun_str_clear(&y);
        expect_ok(dun_config_get(&x, found, (enum dun_config_id)id));
        expect_ok(dun_config_get(&y, expected, (enum dun_config_id)id));
        if (strcmp(x.bytes, y.bytes) != 0)
            fail_msg("%s.%s is %s, was %s", key->section, key->name, x.bytes, y.bytes);
        if (key->type == DUN_CONFIG_REAL)
            assert_memory_equal((const char *)found + key->offset, (const char *)expected + key->offset,
                                sizeof(double));
    }
    dun_str_free(&x);
    dun_str_free(&y);
}

/* Written, read and written again gives the same text; the values differ from the defaults in every key. */
static void test_round_trip(void **state) {
    (void)state;
    static const double reals[] = {0.1, 1.0 / 3, 0.7, 1e-30, 123456789.123, 5e-324, 0x1.fffffffffffffp-2};
    static const char *const texts[] = {" a", "b ",          "\"q\"", "a\\b;\"\n\t", ";",
                                        "#",  "gr\xc3\xbcn", "x\"y",  "\\"};
    dun_config config, again;
    dun_str first = {0}, second = {0};
    expect_ok(dun_config_init(&config));
    for (size_t i = 0; i < DUN_N_KEYS; i++) {
        const dun_config_key *key = &dun_config_key_table[i];
        char other[OTHER_BYTES];
        bool is_default = true;
        const char *value = key->type == DUN_CONFIG_STRING ? texts[i % (sizeof texts / sizeof *texts)]
                                                           : other_value(other, (enum dun_config_id)i);
        expect_ok(dun_config_put(&config, (enum dun_config_id)i, value, "test"));
        expect_ok(dun_config_is(&is_default, &config, (enum dun_config_id)i, key->initial));
        if (is_default)
            fail_msg("%s.%s = %s is its default", key->section, key->name, value);
    }
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
        config.prompt.lr = reals[i];
        write_text(&first, &config);
        expect_ok(dun_config_init(&again));
        expect_ok(dun_config_parse(&again, first.bytes, first.length, "again.ini"));
        assert_memory_equal(&again.prompt.lr, &reals[i], sizeof reals[i]);
        expect_same_values(&again, &config);
        write_text(&second, &again);
        assert_string_equal(first.bytes, second.bytes);
        dun_config_free(&again);
    }
    /* The longest value with every byte escaped still fits a line. */
    char longest[DUN_CONFIG_VALUE_BYTES + 2] = {0};
    memset(longest, '"', DUN_CONFIG_VALUE_BYTES + 1);
    assert_int_equal(dun_config_put(&config, DUN_KEY_prompt_text, longest, "test"), DUN_USAGE);
    longest[DUN_CONFIG_VALUE_BYTES] = '\0';
    expect_ok(dun_config_put(&config, DUN_KEY_prompt_text, longest, "test"));
    config.prompt.lr = 1e-3;
    write_text(&first, &config);
    expect_ok(dun_config_init(&again));
    expect_ok(dun_config_parse(&again, first.bytes, first.length, "again.ini"));
    assert_string_equal(again.prompt.text, longest);
    dun_config_free(&again);
    dun_config_free(&config);
    dun_str_free(&first);
    dun_str_free(&second);
}

static void test_shipped_files(void **state) {
    (void)state;
    dun_config defaults, config;
    dun_str table = {0}, expected = {0}, found = {0};
    dun_file file;
    expect_ok(dun_config_default_ini(&table));
    bool same = dun_file_map(&file, SOURCE_DIR "/config/default.ini") == DUN_OK &&
                file.length == table.length && memcmp(file.bytes, table.bytes, table.length) == 0;
    dun_file_unmap(&file);
    if (!same) {
        write_file(BINARY_DIR "/default.ini", table.bytes);
        fail_msg("config/default.ini is not what config.def gives; copy " BINARY_DIR "/default.ini over it");
    }
    expect_ok(dun_config_init(&defaults));
    expect_ok(dun_config_init(&config));
    expect_ok(dun_config_load(&config, SOURCE_DIR "/config/default.ini"));
    write_text(&expected, &defaults);
    write_text(&found, &config);
    assert_string_equal(found.bytes, expected.bytes);
    dun_config_free(&config);
    expect_ok(dun_config_init(&config));
    expect_ok(dun_config_load(&config, SOURCE_DIR "/config/quickstart.ini"));
    expect_ok(dun_config_check(&config));
    assert_string_equal(config.prompt.text, " Overall, my feeling about this was very");
    assert_int_equal(config.centroid.start, DUN_START_MEAN);
    dun_config_free(&config);
    dun_config_free(&defaults);
    dun_str_free(&table);
    dun_str_free(&expected);
    dun_str_free(&found);
}

/* Everything once, as a command would do it. */
static int whole_use(void) {
    int rc;
    dun_config config;
    dun_str out = {0};
    TRY(dun_config_init(&config));
    TRY(dun_config_load(&config, SOURCE_DIR "/config/quickstart.ini"));
    TRY(dun_config_set(&config, "train.epochs=1"));
    TRY(dun_config_check(&config));
    TRY(dun_config_write(&out, &config));
    TRY(dun_config_default_ini(&out));
out:
    dun_str_free(&out);
    dun_config_free(&config);
    return rc;
}

static void test_no_memory(void **state) {
    (void)state;
    size_t live = dun_mem_live();
    int rc = DUN_FAILED;
    unsigned long n = 0;
    while (rc < 0 && n < 10000) {
        dun_fault_set(++n);
        rc = whole_use();
        assert_true(rc == DUN_OK || rc == DUN_FAILED);
        assert_int_equal(dun_mem_live(), live);
    }
    dun_fault_set(0);
    assert_int_equal(rc, DUN_OK);
    assert_true(n > 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_shipped_files),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
