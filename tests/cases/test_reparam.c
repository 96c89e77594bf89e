/* prompt.reparametrize: the network against double loops, and training through it: it starts from the very
 * prompt it is given, learns, is a run like any other afterwards, and goes on from a checkpoint to the same
 * bytes. */
#include "base/err.h"
#include "base/fault.h"
#include "check/reference_ops.h"
#include "learn/reparam.h"
#include "train_sample.h"

#include <math.h>

enum { P = 5, C = 33, M = 12, SIZE = P * C + 2 * M * C + 2 * C };

/* Where each tensor lies in the reference's vector. */
static const size_t first[DUN_N_REPARAM + 1] = {0, P *C, P *C + M *C, P *C + 2 * M *C, SIZE};

static void expect_close(const char *what, const dun_buffer *buffer, const double *want, size_t n) {
    float found[SIZE];
    double got[SIZE];
    check_ok(dun_buffer_read(found, buffer, 0, n * sizeof *found));
    for (size_t i = 0; i < n; i++)
        got[i] = (double)found[i];
    double error = dun_check_relative_error(got, want, n);
    if (!(error <= 3e-6))
        fail_msg("%s: off by %.3g", what, error);
}

static void write_random(dun_buffer *buffer, double *values, size_t n, uint64_t from) {
    float floats[SIZE];
    for (size_t i = 0; i < n; i++)
        values[i] = floats[i] = (float)dun_random_normal(8, DUN_STREAM_TEST, from + i);
    check_ok(dun_buffer_write(buffer, 0, floats, n * sizeof *floats));
}

static void test_network(void **state) {
    (void)state;
    static const char *const names[] = {"d_base", "d_down", "d_up", "d_gain and d_shift"};
    const dun_ref_reparam_shape shape = {P, C, M, 1e-5};
    double x[SIZE], dx[SIZE], rows[P * C], d_rows[P * C], hidden[P * M], u[P * C], d_hidden[P * M],
        d_u[P * C];
    float start[P * C], found[P * C];
    dun_compute compute;
    dun_reparam r;
    dun_buffer out, d_out;
    dun_device *device = check_open_device();
    assert_int_equal(dun_ref_reparam_size(&shape), SIZE);
    for (size_t i = 0; i < P * C; i++)
        start[i] = (float)dun_random_normal(9, DUN_STREAM_TEST, i);
    check_ok(dun_compute_create(&compute, device, 8, "naive"));
    check_ok(dun_reparam_create(&r, &compute, start, P, C, M, 1));
    check_ok(dun_buffer_create(&out, device, sizeof start, "rows"));
    check_ok(dun_buffer_create(&d_out, device, sizeof start, "their gradient"));
    check_ok(dun_reparam_forward(&out, &r));
    check_ok(dun_buffer_read(found, &out, 0, sizeof found));
    assert_memory_equal(found, start, sizeof start); /* nothing is added at first */
    for (size_t i = 0; i < DUN_N_REPARAM; i++)
        write_random(&r.value[i], x + first[i], first[i + 1] - first[i], first[i]);
    write_random(&d_out, d_rows, P * C, 100000);
    check_ok(dun_reparam_forward(&out, &r));
    check_ok(dun_reparam_backward(&r, &d_out));
    dun_ref_reparam_fwd(rows, hidden, u, x, &shape);
    check_ok(dun_ref_reparam_bwd(dx, d_hidden, d_u, d_rows, x, &shape));
    expect_close("rows", &out, rows, P * C);
    for (size_t i = 0; i < DUN_N_REPARAM; i++)
        expect_close(names[i], &r.gradient[i], dx + first[i], first[i + 1] - first[i]);
    dun_reparam_free(&r);
    dun_buffer_free(&out);
    dun_buffer_free(&d_out);
    dun_compute_free(&compute);
    dun_device_close(device);
    assert_int_equal(dun_buffer_live_bytes(), 0);
}

/* Creation, both directions and a step, with the n-th fallible operation failing. */
static int whole_use(const dun_compute *compute, const float *start) {
    int rc;
    dun_reparam r = {0};
    dun_optim optim = {0};
    dun_buffer rows = {0};
    const dun_optim_settings settings = {.kind = DUN_OPTIMIZER_SGD};
    TRY(dun_buffer_create(&rows, compute->device, P * C * sizeof *start, "rows"));
    TRY(dun_optim_init(&optim, compute, &settings));
    TRY(dun_reparam_create(&r, compute, start, P, C, M, 1));
    TRY(dun_reparam_add(&optim, settings.kind, &r, 1e-3));
    TRY(dun_reparam_forward(&rows, &r));
    TRY(dun_reparam_backward(&r, &rows));
    TRY(dun_optim_step(&optim, 1.0));
out:
    dun_optim_free(&optim);
    dun_reparam_free(&r);
    dun_buffer_free(&rows);
    return rc;
}

static void test_faults(void **state) {
    (void)state;
    dun_compute compute;
    dun_device *device = check_open_device();
    float start[P * C] = {0};
    check_ok(dun_compute_create(&compute, device, 8, "naive"));
    check_ok(dun_learn_use(&compute, DUN_TOPIC_optim)); /* compiled once, they stay */
    check_ok(dun_learn_use(&compute, DUN_TOPIC_reparam));
    size_t blocks = dun_mem_live(), objects = dun_device_live_objects();
    unsigned long n = 0;
    int rc;
    do {
        dun_error_clear();
        dun_fault_set(++n);
        rc = whole_use(&compute, start);
        dun_fault_set(0);
        if (rc < 0 && !*dun_error_message())
            fail_msg("operation %lu fails without a message", n);
        assert_int_equal(dun_mem_live(), blocks);
        assert_int_equal(dun_device_live_objects(), objects);
    } while (rc < 0 && n < 1000);
    print_message("%lu fallible operations\n", n - 1);
    assert_true(n > 30 && n < 1000);
    dun_compute_free(&compute);
    dun_device_close(device);
}

#define LINES                                                                                                \
    "[prompt]\ninit = vocab\nlr = 0.02\nreparametrize = yes\nbottleneck = 16\n[centroid]\nstart = random\n"

static void test_learns(void **state) {
    (void)state;
    train_run plain, t;
    configure(&plain,
              "[prompt]\ninit = vocab\nlr = 0.02\n[centroid]\nstart = random\n[train]\nbatch_size = 4\n");
    train_run_all(&plain, "plain");
    configure(&t, LINES "[train]\nepochs = 12\nbatch_size = 4\n");
    train_run_all(&t, "learns");
    print_message("loss %.4f, then %.4f\n", (double)t.losses[0], (double)t.losses[35]);
    assert_true(t.losses[0] == plain.losses[0]); /* from the same prompt */
    assert_true(t.losses[1] != plain.losses[1]);
    assert_true(t.losses[35] < 0.5f * t.losses[0]);
    train_run_close(&t);
    train_run_close(&plain);
}

/* What is saved are plain rows that give the points of the run. */
static void test_saved_rows(void **state) {
    (void)state;
    train_run t, again;
    char lines[400];
    configure(&t, LINES);
    train_run_all(&t, "saved");
    float *want = points_of(&t.session, t.session.n_train, t.session.n_valid);
    size_t bytes = (size_t)t.session.n_valid * dun_session_point_width(&t.session) * sizeof *want;
    snprintf(lines, sizeof lines, "[prompt]\ninit = file\nfile = %s\n", t.run.path);
    configure(&again, lines);
    check_ok(train_run_open(&again, NULL));
    float *got = points_of(&again.session, again.session.n_train, again.session.n_valid);
    assert_memory_equal(got, want, bytes);
    free(got);
    free(want);
    train_run_close(&again);
    train_run_close(&t);
}

static const char resumed[] = LINES "[train]\nepochs = 2\nbatch_size = 3\n[output]\ncheckpoint_every = 1\n";

/* A run whose n-th operation fails, n counted from its start; gone on with, it ends in the bytes of the whole
 * one. */
static void resume_after(unsigned long n, const char *name) {
    train_run t;
    static const char *const files[] = {"prompt.safetensors", "history.jsonl"};
    configure(&t, resumed);
    dun_fault_set(n);
    int rc = train_run_open(&t, name);
    if (rc >= 0)
        rc = dun_train(&t.result, &t.session, &t.run, false);
    dun_fault_set(0);
    assert_int_not_equal(rc, DUN_OK);
    train_run_close(&t);
    configure(&t, resumed);
    train_run_resume(&t, name);
    assert_true(t.result.steps == 8);
    train_run_close(&t);
    for (size_t i = 0; i < 2; i++) {
        char whole[600], found[600];
        snprintf(whole, sizeof whole, "%s/%s", train_path("whole"), files[i]);
        snprintf(found, sizeof found, "%s/%s", train_path(name), files[i]);
        if (!train_same_file(whole, found))
            fail_msg("operation %lu failed; resumed, %s differs", n, files[i]);
    }
}

static void test_resumes(void **state) {
    (void)state;
    train_run t;
    configure(&t, resumed);
    dun_fault_set(1000000000);
    check_ok(train_run_open(&t, "whole"));
    unsigned long begin = dun_fault_count();
    check_ok(train_run_train(&t));
    unsigned long end = dun_fault_count();
    dun_fault_set(0);
    train_run_close(&t);
    for (unsigned long i = 1; i <= 6; i++) {
        char name[32];
        snprintf(name, sizeof name, "resumed-%lu", i);
        resume_after(begin + (end - begin) * i / 7, name);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_network),    cmocka_unit_test(test_faults),  cmocka_unit_test(test_learns),
        cmocka_unit_test(test_saved_rows), cmocka_unit_test(test_resumes),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
