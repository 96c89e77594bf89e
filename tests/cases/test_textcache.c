/* Where keys and values are kept - on the device, in half precision, in the host's memory, nowhere - changes
 * no bit of a point but by the rounding to half precision, which is the same wherever a text is. Nor does it
 * change a bit that words before all texts are run once. */
#include "check/check.h"
#include "device_check.h"
#include "train_sample.h"

#include <math.h>

enum { N_TEXTS = 60, SHORTEST = 1, LONGEST = 40, BATCH = 16 };

typedef struct {
    const char *name;
    uint64_t device_rows, host_rows;
    bool half;
} room;

/* Points of all texts (n, D), in batches whose texts come from everywhere. */
static float *points_with(train_run *t, const room *r, bool *some_hosted, bool *some_missing) {
    dun_session *session = &t->session;
    uint32_t n = session->texts.n, D = dun_session_point_width(session), which[BATCH];
    float *points = calloc((size_t)n * D, sizeof *points), *part = calloc((size_t)BATCH * D, sizeof *part);
    dun_cache_room all = {.device_rows = r->device_rows,
                          .host_rows = r->host_rows,
                          .scratch_rows =
                              (uint64_t)session->engine.options.max_sequences * session->texts.longest,
                          .half = r->half};
    assert_true(points && part);
    dun_text_cache_free(&session->first->cache);
    check_ok(dun_text_cache_create(&session->first->cache, &session->engine, &session->texts, &all));
    while (session->first->cache.n_filled < dun_text_cache_kept(&session->first->cache))
        check_ok(dun_text_cache_fill_some(&session->first->cache));
    *some_hosted = session->first->cache.n_hosted > 0;
    *some_missing = session->first->cache.n_resident + session->first->cache.n_hosted < n;
    for (uint32_t done = 0; done < n; done += BATCH) {
        uint32_t count = n - done < BATCH ? n - done : BATCH;
        for (uint32_t i = 0; i < count; i++)
            which[i] = (done + i) * 7 % n;
        check_ok(dun_session_run(session, which, count));
        check_ok(dun_buffer_read(part, dun_engine_point_buffer(&session->engine), 0,
                                 (size_t)count * D * sizeof *part));
        for (uint32_t i = 0; i < count; i++)
            memcpy(points + (size_t)which[i] * D, part + (size_t)i * D, D * sizeof *part);
    }
    free(part);
    return points;
}

static double apart(const float *a, const float *b, size_t n) {
    double *x = calloc(n, sizeof *x), *y = calloc(n, sizeof *y);
    assert_true(x && y);
    for (size_t i = 0; i < n; i++) {
        x[i] = (double)a[i];
        y[i] = (double)b[i];
    }
    double error = dun_check_relative_error(x, y, n);
    free(x);
    free(y);
    return error;
}

/* The same texts with the words before them as a part of each. */
static void unshare(dun_session *session) {
    assert_true(session->texts.shared.n > 0);
    dun_texts_free(&session->texts);
    dun_template_surround(&session->texts, &session->template);
    check_ok(dun_texts_add_dataset(&session->texts, session->tokenizer, session->train, 40));
    check_ok(dun_texts_add_dataset(&session->texts, session->tokenizer, session->valid, 40));
}

static void check_rooms(const char *template, bool shared) {
    static const room rooms[] = {{"all on the device", UINT32_MAX, 0, false},
                                 {"a part on the device", 300, 0, false},
                                 {"nothing kept", 0, 0, false},
                                 {"the rest in the host's memory", 300, UINT32_MAX, false},
                                 {"all in the host's memory", 0, UINT32_MAX, false},
                                 {"a part in each", 300, 300, false},
                                 {"all as halves", UINT32_MAX, 0, true},
                                 {"a part as halves", 300, 0, true},
                                 {"nothing kept, rounded", 0, 0, true},
                                 {"halves in the host's memory", 0, UINT32_MAX, true},
                                 {"halves in each", 300, 300, true}};
    train_run t;
    char more[300];
    float *exact = NULL, *rounded = NULL;
    write_letters("letters.tsv", N_TEXTS, SHORTEST, LONGEST, "");
    snprintf(more, sizeof more,
             "max_length = 40\n[train]\nbatch_size = 16\n[prompt]\ninit = random\ntokens = 5\n%s", template);
    configure_data(&t, "letters.tsv", more);
    check_ok(train_run_open(&t, NULL));
    size_t n = (size_t)t.session.texts.n * dun_session_point_width(&t.session);
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
        bool hosted, missing;
        float *points = points_with(&t, &rooms[i], &hosted, &missing), **first;
        first = rooms[i].half ? &rounded : &exact;
        assert_int_equal(hosted, rooms[i].host_rows > 0);
        assert_int_equal(missing, rooms[i].device_rows < UINT32_MAX && rooms[i].host_rows < UINT32_MAX);
        if (*first && memcmp(points, *first, n * sizeof *points) != 0)
            fail_msg("%s: other points, %g apart", rooms[i].name, apart(points, *first, n));
        if (*first)
            free(points);
        else
            *first = points;
    }
    double error = apart(rounded, exact, n);
    print_message("points with keys and values in half precision: %.2g apart\n", error);
    assert_true(error > 0 && error < 2e-3);
    assert_int_equal(t.session.texts.shared.n > 0, shared);
    if (shared) {
        bool hosted, missing;
        unshare(&t.session);
        float *points = points_with(&t, &rooms[0], &hosted, &missing);
        assert_memory_equal(points, exact, n * sizeof *points);
        free(points);
    }
    free(exact);
    free(rounded);
    train_run_close(&t);
}

static void test_rooms(void **state) {
    (void)state;
    check_rooms("", false);
}

static void test_shared(void **state) {
    (void)state;
    check_rooms("template = \"xqz, so: bgk, no: kgb and {text} is {soft}\"\n", true);
}

/* Without gradients, as for classifying: one text that shares all its words, one that changes the last. */
static void test_whole(void **state) {
    (void)state;
    train_run t;
    write_letters("letters.tsv", N_TEXTS, SHORTEST, LONGEST, "");
    configure_data(
        &t, "letters.tsv",
        "max_length = 40\n[prompt]\ninit = random\ntokens = 5\ntemplate = \"xqz, so: bgk{text} is {soft}\"\n");
    dun_session *session = &t.session;
    check_ok(dun_session_open(session, &t.config, NULL));
    check_ok(dun_session_start_prompt(session));
    check_ok(dun_session_read_data(session, true));
    check_ok(dun_session_start_engine(session, false));
    uint32_t n = session->texts.n;
    float *shared = points_of(session, 0, n);
    unshare(session);
    float *whole = points_of(session, 0, n);
    assert_memory_equal(shared, whole, (size_t)n * dun_session_point_width(session) * sizeof *whole);
    free(shared);
    free(whole);
    train_run_close(&t);
}

/* The prompt's gradient where every component of the first points has the gradient 1. */
static float *gradient_of(dun_session *session) {
    dun_engine *engine = &session->engine;
    size_t n_gradient = (size_t)BATCH * dun_session_point_width(session);
    size_t n = (size_t)session->prompt.n_rows * session->prompt.width;
    float *ones = calloc(n_gradient, sizeof *ones), *gradient = calloc(n, sizeof *gradient);
    uint32_t which[BATCH];
    assert_true(ones && gradient);
    for (size_t i = 0; i < n_gradient; i++)
        ones[i] = 1.0f;
    for (uint32_t i = 0; i < BATCH; i++)
        which[i] = i;
    check_ok(dun_session_run(session, which, BATCH));
    check_ok(dun_buffer_write(dun_engine_point_gradient(engine), 0, ones, n_gradient * sizeof *ones));
    check_ok(dun_session_backward(session, BATCH));
    check_ok(dun_buffer_read(gradient, &engine->d_prompt, 0, n * sizeof *gradient));
    free(ones);
    return gradient;
}

/* Words that begin everything, a prompt row between them and the text: once for all, and as rows of each. */
static void test_lead(void **state) {
    (void)state;
    train_run t;
    write_letters("letters.tsv", N_TEXTS, SHORTEST, LONGEST, "");
    configure_data(&t, "letters.tsv",
                   "max_length = 40\n[prompt]\ninit = random\n"
                   "template = \"xqz, so: bgk {soft:2}no: {text} is {soft:3}\"\n");
    dun_session *session = &t.session;
    check_ok(dun_session_open(session, &t.config, NULL));
    check_ok(dun_session_start_prompt(session));
    check_ok(dun_session_read_data(session, true));
    assert_true(session->texts.shared.n > 0);
    assert_int_equal(session->texts.shared.n, session->template.n_lead);
    check_ok(dun_session_start_engine(session, true));
    uint32_t n = session->texts.n;
    size_t n_prompt = (size_t)session->prompt.n_rows * session->prompt.width;
    float *shared = points_of(session, 0, n), *d_shared = gradient_of(session);
    session->template.n_lead = 0;
    for (uint32_t i = 0; i < n; i++)
        session->texts.shares[i] = false;
    float *whole = points_of(session, 0, n), *d_whole = gradient_of(session);
    assert_memory_equal(shared, whole, (size_t)n * dun_session_point_width(session) * sizeof *whole);
    assert_memory_equal(d_shared, d_whole, n_prompt * sizeof *d_whole);
    bool moved = false;
    for (size_t i = 0; i < n_prompt; i++)
        moved |= fabsf(d_shared[i]) > 0.0f;
    assert_true(moved);
    free(shared);
    free(whole);
    free(d_shared);
    free(d_whole);
    train_run_close(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rooms), cmocka_unit_test(test_shared),
                                       cmocka_unit_test(test_whole), cmocka_unit_test(test_lead)};
    return cmocka_run_group_tests(tests, make_files_and_programs, remove_files);
}
