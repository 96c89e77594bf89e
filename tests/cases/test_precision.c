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

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_losses), cmocka_unit_test(test_record),
                                       cmocka_unit_test(test_choice)};
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
