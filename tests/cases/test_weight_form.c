/* The rule of device.weights: which form, with what reason, and what is said where none fits. */
#include "base/err.h"
#include "session/weights.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define MB ((uint64_t)1000000)

static const struct {
    const char *about;
    enum dun_device_weights wanted;
    uint64_t f32, f16, stored, free; /* MB */
    bool floats_alone;
    int rc;
    enum dun_weight_form form;
    const char *says[4], *not ;
} rows[] = {
    {"all of half of what is free",
     DUN_WEIGHTS_AUTO,
     500,
     200,
     80,
     1000,
     false,
     DUN_OK,
     DUN_FORM_F32,
     {"500 MB", "less than half of the 1000 MB", "this computer"},
     "products"},
    {"more than half",
     DUN_WEIGHTS_AUTO,
     501,
     200,
     80,
     1000,
     false,
     DUN_OK,
     DUN_FORM_STORED,
     {"501 MB", "more than half of the 1000 MB"},
     "products"},
    {"never halves", DUN_WEIGHTS_AUTO, 5000, 80, 90, 1000, false, DUN_OK, DUN_FORM_STORED, {"more"}, NULL},
    {"memory that nobody knows",
     DUN_WEIGHTS_AUTO,
     5000,
     200,
     80,
     0,
     false,
     DUN_OK,
     DUN_FORM_F32,
     {"not known"},
     "half"},
    {"products of floats",
     DUN_WEIGHTS_AUTO,
     800,
     200,
     80,
     1000,
     true,
     DUN_OK,
     DUN_FORM_F32,
     {"more than half", "floats alone"},
     NULL},
    {"products of floats, too large",
     DUN_WEIGHTS_AUTO,
     1001,
     200,
     80,
     1000,
     true,
     DUN_BAD_DEVICE,
     0,
     {"1001 MB as f32", "no form fits", "stored 80 MB"},
     "what fits"},
    {"too large in any form",
     DUN_WEIGHTS_AUTO,
     9000,
     4500,
     1400,
     1000,
     false,
     DUN_BAD_DEVICE,
     0,
     {"1400 MB as stored, and this computer has 1000 MB free", "no form fits", "f32 9000 MB", "f16 4500 MB"},
     NULL},
    {"as it was asked for",
     DUN_WEIGHTS_STORED,
     10,
     5,
     3,
     1000,
     false,
     DUN_OK,
     DUN_FORM_STORED,
     {"asked for by device.weights"},
     "half"},
    {"halves", DUN_WEIGHTS_F16, 10, 5, 3, 1000, false, DUN_OK, DUN_FORM_F16, {"asked for"}, NULL},
    {"floats beyond half",
     DUN_WEIGHTS_F32,
     1000,
     500,
     300,
     1000,
     false,
     DUN_OK,
     DUN_FORM_F32,
     {"asked for"},
     NULL},
    {"floats beyond all",
     DUN_WEIGHTS_F32,
     1001,
     500,
     300,
     1000,
     false,
     DUN_BAD_DEVICE,
     0,
     {"1001 MB as f32", "device.weights = f16 (500 MB), device.weights = stored (300 MB)"},
     "no form"},
    {"halves beyond all",
     DUN_WEIGHTS_F16,
     4000,
     1001,
     1000,
     1000,
     false,
     DUN_BAD_DEVICE,
     0,
     {"1001 MB as f16", "what fits is device.weights = stored (1000 MB)"},
     "f32 (4000"},
    {"stored weights of floats, which halves undercut",
     DUN_WEIGHTS_STORED,
     4000,
     900,
     1800,
     1000,
     false,
     DUN_BAD_DEVICE,
     0,
     {"1800 MB as stored", "what fits is device.weights = f16 (900 MB)"},
     NULL},
    {"floats beyond all, and nothing else reads",
     DUN_WEIGHTS_F32,
     1001,
     500,
     300,
     1000,
     true,
     DUN_BAD_DEVICE,
     0,
     {"no form fits"},
     "what fits"},
    {"asked for, of memory that nobody knows",
     DUN_WEIGHTS_F32,
     1001,
     500,
     300,
     0,
     false,
     DUN_OK,
     DUN_FORM_F32,
     {"asked for"},
     NULL},
};

static void test_rule(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const dun_weights_facts facts = {.f32 = rows[i].f32 * MB,
                                         .f32_loaded = rows[i].f32 * MB,
                                         .f16 = rows[i].f16 * MB,
                                         .stored = rows[i].stored * MB,
                                         .free = rows[i].free * MB,
                                         .free_of = "this computer",
                                         .reads_stored = !rows[i].floats_alone};
        enum dun_weight_form form = DUN_FORM_F16;
        dun_str reason = {0};
        const int rc = dun_weights_choose(&form, &reason, &facts, rows[i].wanted);
        const char *said = rc < 0 ? dun_error_message() : reason.bytes;
        if (rc != rows[i].rc || (rc == DUN_OK && form != rows[i].form))
            fail_msg("%s: status %d, form %s: %s", rows[i].about, rc, dun_weights_word(form), said);
        for (size_t k = 0; k < 4 && rows[i].says[k]; k++)
            if (!strstr(said, rows[i].says[k]))
                fail_msg("%s: \"%s\" lacks \"%s\"", rows[i].about, said, rows[i].says[k]);
        if (rows[i].not &&strstr(said, rows[i].not ))
            fail_msg("%s: \"%s\" has \"%s\"", rows[i].about, said, rows[i].not );
        dun_str_free(&reason);
    }
}

/* A byte more than half is more. */
static void test_edge(void **state) {
    (void)state;
    for (uint64_t f32 = 499; f32 <= 502; f32++) {
        const dun_weights_facts facts = {
            .f32 = f32, .free = 1001, .free_of = "the device", .reads_stored = true};
        enum dun_weight_form form;
        dun_str reason = {0};
        assert_int_equal(dun_weights_choose(&form, &reason, &facts, DUN_WEIGHTS_AUTO), DUN_OK);
        assert_int_equal(form, f32 <= 500 ? DUN_FORM_F32 : DUN_FORM_STORED);
        assert_non_null(strstr(reason.bytes, "the device"));
        dun_str_free(&reason);
    }
}

/* The rule goes by both copies; what is too little, by what will be loaded. */
static void test_one_copy(void **state) {
    (void)state;
    dun_weights_facts facts = {.f32 = 1500 * MB,
                               .f32_loaded = 800 * MB,
                               .stored = 100 * MB,
                               .free = 1000 * MB,
                               .free_of = "this computer"};
    enum dun_weight_form form;
    dun_str reason = {0};
    assert_int_equal(dun_weights_choose(&form, &reason, &facts, DUN_WEIGHTS_F32), DUN_OK);
    facts.reads_stored = true;
    assert_int_equal(dun_weights_choose(&form, &reason, &facts, DUN_WEIGHTS_AUTO), DUN_OK);
    assert_int_equal(form, DUN_FORM_STORED);
    facts.f32_loaded = 1001 * MB;
    assert_int_equal(dun_weights_choose(&form, &reason, &facts, DUN_WEIGHTS_F32), DUN_BAD_DEVICE);
    assert_non_null(strstr(dun_error_message(), "1001 MB as f32"));
    dun_str_free(&reason);
}

/* Weights that lie on the device already take nothing more, those of that form alone. */
static void test_shared(void **state) {
    (void)state;
    dun_weights_facts facts = {.f32 = 5000 * MB,
                               .f32_loaded = 5000 * MB,
                               .f16 = 2500 * MB,
                               .stored = 1200 * MB,
                               .free = 1000 * MB,
                               .free_of = "this computer",
                               .reads_stored = true,
                               .shared = 1u << DUN_FORM_F32};
    enum dun_weight_form form;
    dun_str reason = {0};
    assert_int_equal(dun_weights_choose(&form, &reason, &facts, DUN_WEIGHTS_AUTO), DUN_OK);
    assert_int_equal(form, DUN_FORM_F32);
    assert_non_null(strstr(reason.bytes, "as f32 already"));
    assert_int_equal(dun_weights_choose(&form, &reason, &facts, DUN_WEIGHTS_F32), DUN_OK);
    assert_int_equal(dun_weights_choose(&form, &reason, &facts, DUN_WEIGHTS_STORED), DUN_BAD_DEVICE);
    facts.shared = 1u << DUN_FORM_STORED;
    assert_int_equal(dun_weights_choose(&form, &reason, &facts, DUN_WEIGHTS_F32), DUN_BAD_DEVICE);
    dun_str_clear(&reason);
    assert_int_equal(dun_weights_choose(&form, &reason, &facts, DUN_WEIGHTS_AUTO), DUN_OK);
    assert_int_equal(form, DUN_FORM_STORED);
    assert_non_null(strstr(reason.bytes, "more than half"));
    dun_str_free(&reason);
}

/* What a matrix takes: floats by direction and layout, parts of two bytes by precision. */
static void test_value_bytes(void **state) {
    static const struct {
        const char *gemm, *precision;
        size_t both, forward;
    } of[] = {{"auto", "f32", 8, 4},        {"reg", "f32", 8, 4},   {"naive", "f32", 4, 4},
              {"clblast", "f32", 4, 4},     {"reg", "split", 8, 4}, {"naive", "split", 8, 4},
              {"reg", "half-texts", 10, 6}, {"reg", "half", 4, 2},  {"auto", "half", 4, 2},
              {"naive", "half-texts", 6, 6}};
    (void)state;
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        const size_t both = dun_gemm_value_bytes(of[i].gemm, of[i].precision, DUN_FORWARD | DUN_BACKWARD),
                     forward = dun_gemm_value_bytes(of[i].gemm, of[i].precision, DUN_FORWARD);
        if (both != of[i].both || forward != of[i].forward)
            fail_msg("%s, %s: %zu and %zu bytes", of[i].gemm, of[i].precision, both, forward);
    }
}

/* The words are those of the config. */
static void test_words(void **state) {
    (void)state;
    assert_string_equal(dun_weights_word(DUN_FORM_F32), "f32");
    assert_string_equal(dun_weights_word(DUN_FORM_F16), "f16");
    assert_string_equal(dun_weights_word(DUN_FORM_STORED), "stored");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rule),        cmocka_unit_test(test_edge),
                                       cmocka_unit_test(test_one_copy),    cmocka_unit_test(test_shared),
                                       cmocka_unit_test(test_value_bytes), cmocka_unit_test(test_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
