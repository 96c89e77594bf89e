/* device.precision from config text to run directory, on a tiny random model: what is close to float32 and
 * what is not, weights as they are stored, the same bits again, what is written down, and how auto and tuning
 * rows choose. */
#include "base/err.h"
#include "dev/choice.h"
#include "dev/parts.h"
#include "train_sample.h"

#include <math.h>

enum { STEPS = 18 };
static const char settings[] = "[train]\nepochs = 6\nbatch_size = 4\n[prompt]\ninit = vocab\nlr = 0.05\n"
                               "[centroid]\nstart = random\n[output]\nreport = no\n[device]\nweights = ";

/* Trains; the losses. */
static void train(float losses[STEPS], const char *name, const char *precision, const char *weights) {
    train_run t;
    char more[400];
    snprintf(more, sizeof more, "%s%s\nprecision = %s\n", settings, weights, precision);
    configure(&t, more);
    train_run_all(&t, name);
    assert_int_equal(t.n_losses, STEPS);
    if (strcmp(weights, "f32") == 0) /* the estimate, but for what layouts pad */
        assert_in_range(dun_model_bytes(&t.session.engine.model), t.session.facts.f32_loaded,
                        t.session.facts.f32_loaded * 5 / 4);
    memcpy(losses, t.losses, STEPS * sizeof *losses);
    train_run_close(&t);
}

static double apart(const float *a, const float *b) {
    double worst = 0;
    for (int i = 0; i < STEPS; i++)
        worst = fmax(worst, fabs((double)a[i] - (double)b[i]) / fabs((double)b[i]));
    return worst;
}

static void test_losses(void **state) {
    static const struct {
        const char *word;
        double least, most; /* of what the losses may be off */
    } rows[] = {{"split", 0, 1e-4}, {"half-texts", 1e-6, 0.1}, {"half", 1e-5, 0.1}};
    float exact[STEPS], losses[STEPS], again[STEPS];
    (void)state;
    train(exact, "f32", "f32", "f32");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s-f32", rows[i].word);
        train(losses, name, rows[i].word, "f32");
        const double error = apart(losses, exact);
        print_message("%s: losses of %d steps within %.1e of float32's\n", rows[i].word, STEPS, error);
        assert_true(error >= rows[i].least && error <= rows[i].most);
        snprintf(name, sizeof name, "%s-stored", rows[i].word);
        train(again, name, rows[i].word, "stored"); /* a second time, and from the file's own numbers */
        assert_memory_equal(losses, again, sizeof losses);
    }
}

/* What is computed with is in the record, and what auto took is settled in the config of a run. */
static void test_record(void **state) {
    train_run t;
    dun_str word = {0};
    char *bytes = NULL;
    size_t length = 0;
    FILE *text = open_memstream(&bytes, &length);
    (void)state;
    configure(
        &t,
        "[train]\nepochs = 1\n[prompt]\ninit = vocab\n[output]\nreport = no\n[device]\nprecision = split\n");
    train_run_all(&t, "record");
    FILE *file = fopen(train_run_file(&t, "metrics.json"), "r");
    assert_true(file && text);
    for (int c = fgetc(file); c != EOF; c = fgetc(file))
        fputc(c, text);
    fclose(file);
    fclose(text);
    assert_non_null(strstr(bytes, "\"precision\":\"split, "));
    assert_non_null(strstr(bytes, "asked for by device.precision"));
    free(bytes);
    check_ok(dun_config_put(&t.config, DUN_KEY_device_precision, "auto", "the test"));
    check_ok(dun_run_dir_settle(&t.run, &t.config, &t.session));
    check_ok(dun_config_get(&word, &t.config, DUN_KEY_device_precision));
    assert_string_equal(word.bytes, "split"); /* of the session's products */
    dun_str_free(&word);
    train_run_close(&t);
}

/* auto is never a half, and f32 without a unit; a tuning row says otherwise; a word comes before both. */
static void test_choice(void **state) {
    static const char row[] = "[mine]\ndevice = Odd*\ngemm = naive\nprecision = half-texts\ntiles = WG=1\n";
    dun_device_info info = {
        .type = DUN_DEVICE_GPU, .name = "Odd 1", .max_group_size = 256, .local_bytes = 1 << 15};
    dun_choice choice;
    (void)state;
    check_ok(dun_choose(&choice, &info, &(dun_wish){.head_dim = 64}));
    assert_string_equal(choice.precision, "f32");
    assert_string_equal(choice.variant, "");
    assert_non_null(strstr(choice.precision_reason, "no matrix unit"));
    check_ok(dun_choose(&choice, &info, &(dun_wish){.head_dim = 64, .precision = "half"}));
    assert_string_equal(choice.precision, "half");
    assert_string_equal(choice.variant, "portable");
    assert_non_null(strstr(choice.precision_reason, "device.precision"));
    assert_int_equal(dun_choose(&choice, &info, &(dun_wish){.head_dim = 64, .precision = "double"}),
                     DUN_USAGE);
    train_write_file("rows.ini", row, sizeof row - 1);
    setenv("DUNLIN_DEVICES", train_path("rows.ini"), 1);
    check_ok(dun_choose(&choice, &info, &(dun_wish){.head_dim = 64, .precision = "auto"}));
    assert_string_equal(choice.precision, "half-texts");
    assert_non_null(strstr(choice.precision_reason, "tuned"));
    check_ok(dun_choose(&choice, &info, &(dun_wish){.head_dim = 64, .precision = "f32"}));
    assert_string_equal(choice.precision, "f32");
    unsetenv("DUNLIN_DEVICES");
}

/* Devices that compute together take the most exact of what each would take, unless it was asked for. */
static void test_together(void **state) {
    static const char row[] = "[mine]\ndevice = Odd*\ngemm = naive\nprecision = half\ntiles = WG=1\n"
                              "[yours]\ndevice = Even*\ngemm = naive\nprecision = split\ntiles = WG=1\n";
    static const struct {
        uint32_t which[3];
        size_t n;
        const char *asked, *word, *says, *not ;
    } rows[] = {
        {{0}, 1, "auto", "half", "tuned", "most exact"},
        {{0, 0}, 2, "auto", "half", "tuned", "most exact"},
        {{0, 1}, 2, "auto", "split", "most exact that one of these devices takes, Even 2: tuned", "Odd"},
        {{2, 0, 1}, 3, "auto", "f32", "takes, Plain 3: the device has no matrix unit", "tuned"},
        {{0, 1, 2}, 3, "auto", "f32", "takes, Plain 3: the device has no matrix unit", "tuned"},
        {{0, 2}, 2, "half-texts", "half-texts", "asked for by device.precision", "most exact"}};
    dun_device_info infos[3];
    (void)state;
    train_write_file("rows.ini", row, sizeof row - 1);
    setenv("DUNLIN_DEVICES", train_path("rows.ini"), 1);
    for (size_t i = 0; i < 3; i++) {
        infos[i] = (dun_device_info){.type = DUN_DEVICE_GPU, .max_group_size = 256, .local_bytes = 1 << 15};
        snprintf(infos[i].name, sizeof infos[i].name, "%s",
                 ((const char *[]){"Odd 1", "Even 2", "Plain 3"})[i]);
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        dun_choice choice, again;
        check_ok(dun_choose_together(&choice, infos, rows[i].which, rows[i].n,
                                     &(dun_wish){.head_dim = 64, .precision = rows[i].asked}));
        assert_string_equal(choice.precision, rows[i].word);
        if (!strstr(choice.precision_reason, rows[i].says) || strstr(choice.precision_reason, rows[i].not ))
            fail_msg("row %zu: %s", i, choice.precision_reason);
        check_ok(dun_choose(&again, &infos[rows[i].which[0]],
                            &(dun_wish){.head_dim = 64,
                                        .precision = choice.precision,
                                        .precision_reason = choice.precision_reason}));
        assert_string_equal(again.precision, choice.precision);
        assert_string_equal(again.precision_reason, choice.precision_reason);
    }
    unsetenv("DUNLIN_DEVICES");
}

/* Who comes second to the same weights counts them as there, whatever is left of the memory. */
static void test_second(void **state) {
    train_run first;
    dun_session second;
    enum dun_weight_form form;
    dun_str reason = {0};
    (void)state;
    configure(&first, "[prompt]\ninit = vocab\n[device]\nweights = f32\n[output]\nreport = no\n");
    check_ok(train_run_open(&first, NULL));
    check_ok(dun_config_put(&first.config, DUN_KEY_device_weights, "auto", "the test"));
    check_ok(dun_session_open(&second, &first.config, NULL));
    check_ok(dun_session_choose_weights(&form, &reason, &second, "auto", true));
    assert_int_equal(second.facts.shared, 1u << DUN_FORM_F32);
    second.facts.free = 1; /* byte */
    dun_str_clear(&reason);
    check_ok(
        dun_session_choose_weights(&form, &reason, &second, dun_gemm_name(first.session.compute.gemm), true));
    assert_int_equal(form, DUN_FORM_F32);
    assert_non_null(strstr(reason.bytes, "already"));
    dun_session_close(&second);
    check_ok(dun_config_put(&first.config, DUN_KEY_device_precision, "half", "the test"));
    check_ok(dun_session_open(&second, &first.config, NULL));
    check_ok(dun_session_choose_weights(&form, &reason, &second, "auto", true));
    assert_int_equal(second.facts.shared, 0); /* not of these products */
    second.facts.free = 1;
    assert_int_equal(dun_session_choose_weights(&form, &reason, &second, "auto", true), DUN_BAD_DEVICE);
    dun_error_clear();
    dun_session_close(&second);
    dun_str_free(&reason);
    train_run_close(&first);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_losses), cmocka_unit_test(test_record),
                                       cmocka_unit_test(test_choice), cmocka_unit_test(test_together),
                                       cmocka_unit_test(test_second)};
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
