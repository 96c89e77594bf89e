/* Boids on the device: losses and positions of whole flights against vectors made with PyTorch, the loss and
 * its gradient against double loops and central differences, starts from files, and what a run leaves. */
#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/rng.h"
#include "device_check.h"
#include "reference_file.h"
#include "run/boids.h"
#include "train_run.h"

#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static dun_device *device;
static dun_compute compute;

static void configure(dun_config *config, const char *text) {
    check_ok(dun_config_init(config));
    check_ok(dun_config_parse(config, text, strlen(text), "test.ini"));
}

/* Writes points as a start file: numbers between tabs, a point a line. */
static void write_points(const char *name, const double *points, size_t n, size_t dimensions) {
    dun_str text = {0};
    for (size_t i = 0; i < n; i++)
        check_ok(dun_str_addf(&text, "%.9g%s", points[i], (i + 1) % dimensions ? "\t" : "\n"));
    train_write_file(name, text.bytes, text.length);
    dun_str_free(&text);
}

/* d + 1/d over all ordered pairs, as the originals have it. */
static double loss_of(const double *places, uint32_t K, uint32_t D) {
    double sum = 0;
    for (uint32_t j = 0; j < K; j++)
        for (uint32_t k = 0; k < K; k++) {
            double squares = 0;
            for (uint32_t i = 0; i < D && j != k; i++) {
                double v = places[j * D + i] - places[k * D + i] + 1e-6;
                squares += v * v;
            }
            if (j != k)
                sum += sqrt(squares) + 1 / sqrt(squares);
        }
    return sum / ((double)K * (K - 1));
}

/* Relative, of floats against numbers; a NaN fails. */
static void expect_near(const char *what, const float *got, const double *want, size_t n, double most) {
    double error = reference_distance(got, want, n);
    if (!(error <= most))
        fail_msg("%s: off by %g, at most %g", what, error, most);
}

static void fly_stored(const json_t *stored, uint32_t D, const char *name) {
    size_t n, n_steps, n_end;
    dun_config config;
    dun_flock flock;
    double *start = reference_numbers(json_object_get(stored, "start"), &n);
    double *losses = reference_numbers(json_object_get(stored, "loss"), &n_steps);
    double *end = reference_numbers(json_object_get(stored, "end"), &n_end);
    assert_int_equal(n_steps, json_integer_value(json_object_get(stored, "steps")));
    write_points("start.tsv", start, n, D);
    configure(&config, "");
    check_ok(dun_config_put(&config, DUN_KEY_boids_start, train_path("start.tsv"), "test"));
    config.boids.steps = (int64_t)n_steps;
    config.boids.lr = json_number_value(json_object_get(stored, "lr"));
    check_ok(dun_flock_start(&flock, &config));
    assert_int_equal(flock.n_dimensions, D);
    assert_int_equal(flock.n_points, n / D);
    check_ok(dun_flock_run(&flock, &compute, &config, NULL, NULL));
    for (size_t i = 0; i < n_steps; i++)
        expect_near(name, flock.losses + i, losses + i, 1, 1e-4);
    assert_int_equal(n_end, n);
    expect_near(name, flock.positions + n_steps * n, end, n, 1e-4);
    print_message("%s: losses to %g, the end to %g\n", name,
                  reference_distance(flock.losses, losses, n_steps),
                  reference_distance(flock.positions + n_steps * n, end, n));
    dun_flock_free(&flock);
    dun_config_free(&config);
    dun_free(start);
    dun_free(losses);
    dun_free(end);
}

static void test_vectors(void **state) {
    json_t *root = reference_open(*state);
    if (!root)
        skip();
    fly_stored(json_object_get(root, "boids"), 2, "boids");
    if (json_object_get(root, "boids_3d"))
        fly_stored(json_object_get(root, "boids_3d"), 3, "boids in space");
    json_decref(root);
}

/* With Adam's eps far above any gradient, a step is proportional to the gradient: it shows in the positions.
 */
static void test_gradient(void **state) {
    static const uint32_t shapes[][2] = {{2, 1}, {5, 3}, {33, 2}, {7, 64}, {3, 1000}};
    (void)state;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        uint32_t K = shapes[s][0], D = shapes[s][1], n = K * D;
        dun_config config;
        dun_flock flock;
        configure(&config, "[boids]\nsteps = 1\nlr = 1e8\n[train]\neps = 1e8\n");
        config.boids.count = K;
        config.boids.dimensions = D;
        check_ok(dun_flock_start(&flock, &config));
        double *places = dun_calloc(n, sizeof *places), *slope = dun_calloc(n, sizeof *slope);
        float *moved = dun_calloc(n, sizeof *moved);
        assert_true(places && slope && moved);
        for (uint32_t i = 0; i < n; i++)
            places[i] = (double)flock.positions[i];
        for (uint32_t i = 0; i < n; i++) {
            double keep = places[i], h = 1e-4;
            places[i] = keep + h;
            double above = loss_of(places, K, D);
            places[i] = keep - h;
            slope[i] = (above - loss_of(places, K, D)) / (2 * h);
            places[i] = keep;
        }
        check_ok(dun_flock_run(&flock, &compute, &config, NULL, NULL));
        double loss = loss_of(places, K, D);
        expect_near("loss", flock.losses, &loss, 1, 1e-5);
        for (uint32_t i = 0; i < n; i++)
            moved[i] = flock.positions[i] - flock.positions[n + i];
        expect_near("gradient", moved, slope, n, 1e-3);
        dun_free(places);
        dun_free(slope);
        dun_free(moved);
        dun_flock_free(&flock);
        dun_config_free(&config);
    }
}

/* Known outcome: they gather, nobody collides, and the same seed flies the same way. */
static void test_flight(void **state) {
    dun_config config;
    dun_flock a, b;
    (void)state;
    configure(&config, "[boids]\ncount = 40\ndimensions = 3\nsteps = 200\n");
    check_ok(dun_flock_start(&a, &config));
    check_ok(dun_flock_run(&a, &compute, &config, NULL, NULL));
    check_ok(dun_flock_start(&b, &config));
    check_ok(dun_flock_run(&b, &compute, &config, NULL, NULL));
    assert_memory_equal(a.positions, b.positions, (size_t)201 * 40 * 3 * sizeof(float));
    assert_memory_equal(a.losses, b.losses, 201 * sizeof(float));
    for (size_t i = 0; i < 40 * 3; i++)
        assert_true(a.positions[i] >= 0 && a.positions[i] < 10);
    assert_true((double)a.losses[200] < 0.5 * (double)a.losses[0]);
    assert_true(a.mean_distance < 2 && a.least_distance > 0.05);
    dun_flock_free(&b);
    config.experiment.seed = 2;
    check_ok(dun_flock_start(&b, &config));
    assert_memory_not_equal(a.positions, b.positions, 40 * 3 * sizeof(float));
    dun_flock_free(&a);
    dun_flock_free(&b);
    dun_config_free(&config);
}

/* Two points in one place have no direction to part in: no NaN, and the third is not disturbed. */
static void test_same_place(void **state) {
    static const double points[] = {1, 1, 1, 1, 4, 5};
    dun_config config;
    dun_flock flock;
    (void)state;
    write_points("same.tsv", points, 6, 2);
    configure(&config, "[boids]\nsteps = 20\n");
    check_ok(dun_config_put(&config, DUN_KEY_boids_start, train_path("same.tsv"), "test"));
    check_ok(dun_flock_start(&flock, &config));
    check_ok(dun_flock_run(&flock, &compute, &config, NULL, NULL));
    for (size_t i = 0; i < 21 * 6; i++)
        assert_true(isfinite(flock.positions[i]));
    dun_flock_free(&flock);
    dun_config_free(&config);
}

static void test_starts(void **state) {
    static const struct {
        const char *text, *config;
        int rc;
        const char *part;
    } cases[] = {
        {"1 2\n3 4\n", "", DUN_OK, NULL},
        {"1,2\n\n3,\t4\n-5 6e-1", "", DUN_OK, NULL},
        {"1 2\n3 4\n", "[boids]\ncount = 2\ndimensions = 2\n", DUN_OK, NULL},
        {"1 2\n3 4\n", "[boids]\ncount = 3\n", DUN_USAGE, "boids.count = 3"},
        {"1 2\n3 4\n", "[boids]\ndimensions = 3\n", DUN_USAGE, "boids.dimensions = 3"},
        {"1 2\n3\n", "", DUN_BAD_INPUT, "start.txt:2: 1 numbers"},
        {"1 2\n", "", DUN_BAD_INPUT, "1 points"},
        {"", "", DUN_BAD_INPUT, "0 points"},
        {"1 2\n3 x\n", "", DUN_BAD_INPUT, "start.txt:2: a number is needed at \"x\""},
        {"1 2\n3 4x\n", "", DUN_BAD_INPUT, "start.txt:2: "},
        {"1 nan\n3 4\n", "", DUN_BAD_INPUT, "start.txt:1: "},
        {"1 1e39\n3 4\n", "", DUN_BAD_INPUT, "start.txt:1: "},
        {"1 2\n3 4\n", "[boids]\nsteps = 1000000\n", DUN_OK, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dun_config config;
        dun_flock flock;
        train_write_file("start.txt", cases[i].text, strlen(cases[i].text));
        configure(&config, cases[i].config);
        check_ok(dun_config_put(&config, DUN_KEY_boids_start, train_path("start.txt"), "test"));
        assert_int_equal(dun_flock_start(&flock, &config), cases[i].rc);
        if (cases[i].part && !strstr(dun_error_message(), cases[i].part))
            fail_msg("case %zu: \"%s\" does not say %s", i, dun_error_message(), cases[i].part);
        if (cases[i].rc == DUN_OK) {
            assert_int_equal(flock.n_dimensions, 2);
            assert_true(flock.positions[0] == 1 && flock.positions[1] == 2 && flock.positions[3] == 4);
            dun_flock_free(&flock);
        }
        dun_config_free(&config);
    }
    dun_config config;
    dun_flock flock;
    configure(&config, "[boids]\ncount = 10000\ndimensions = 1000\nsteps = 1000000\n");
    assert_int_equal(dun_flock_start(&flock, &config), DUN_USAGE);
    dun_config_free(&config);
}

/* One run into a folder; returns its status. */
static int make_run(const dun_config *config, const char *folder) {
    int rc = DUN_OK;
    dun_run_dir run = {0};
    dun_flock flock = {0};
    TRY(dun_flock_start(&flock, config));
    TRY(dun_run_dir_create(&run, folder, "boids", config));
    TRY(dun_flock_run(&flock, &compute, config, &run, NULL));
    TRY(dun_flock_finish(&flock, &compute, &run));
out:
    dun_flock_free(&flock);
    dun_run_dir_close(&run);
    return rc;
}

static void in_folder(char *path, size_t size, const char *folder, const char *file) {
    snprintf(path, size, "%s/%s", folder, file);
}

static void test_run_dir(void **state) {
    dun_config config;
    dun_flock flock, read;
    char folder[300], path[400];
    (void)state;
    configure(&config, "[boids]\ncount = 6\nsteps = 9\n");
    snprintf(folder, sizeof folder, "%s", train_path("run"));
    check_ok(make_run(&config, folder));
    assert_true(dun_run_dir_complete(folder));
    in_folder(path, sizeof path, folder, "positions.safetensors");
    check_ok(dun_flock_read(&read, path));
    check_ok(dun_flock_start(&flock, &config));
    check_ok(dun_flock_run(&flock, &compute, &config, NULL, NULL));
    assert_int_equal(read.n_steps, 9);
    assert_int_equal(read.n_points, 6);
    assert_int_equal(read.n_dimensions, 2);
    assert_memory_equal(read.positions, flock.positions, (size_t)10 * 6 * 2 * sizeof(float));
    assert_memory_equal(read.losses, flock.losses, 10 * sizeof(float));
    assert_true(read.mean_distance == flock.mean_distance);
    dun_flock_free(&flock);
    dun_flock_free(&read);
    in_folder(path, sizeof path, folder, "history.jsonl");
    FILE *file = fopen(path, "r");
    char line[200];
    unsigned n = 0;
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        json_t *object = json_loads(line, 0, NULL);
        assert_int_equal(json_integer_value(json_object_get(object, "step")), ++n);
        assert_true(json_is_real(json_object_get(object, "loss")));
        assert_null(json_object_get(object, "accuracy"));
        assert_null(json_object_get(object, "epoch"));
        json_decref(object);
    }
    fclose(file);
    assert_int_equal(n, 9);
    train_write_file("other.safetensors", "x", 1);
    assert_int_equal(dun_flock_read(&read, train_path("other.safetensors")), DUN_BAD_INPUT);
    dun_config_free(&config);
}

static void remove_run(const char *folder) {
    static const char *const files[] = {"config.ini", "history.jsonl", "positions.safetensors",
                                        "metrics.json", ".dunlin"};
    char path[400];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        in_folder(path, sizeof path, folder, files[i]);
        unlink(path);
    }
    if (rmdir(folder) != 0 && access(folder, F_OK) == 0)
        fail_msg("%s: holds files that do not belong there", folder);
}

/* Every allocation, device call and write of a whole run fails once. */
static void test_faults(void **state) {
    dun_config config;
    char folder[300];
    int rc = DUN_FAILED;
    unsigned long n = 0;
    (void)state;
    size_t blocks = dun_mem_live(), objects = dun_device_live_objects();
    uint64_t bytes = dun_buffer_live_bytes();
    configure(&config, "[boids]\ncount = 3\nsteps = 2\n");
    size_t with_config = dun_mem_live();
    snprintf(folder, sizeof folder, "%s", train_path("broken"));
    for (;;) {
        dun_error_clear();
        dun_fault_set(++n);
        rc = make_run(&config, folder);
        unsigned long count = dun_fault_count();
        dun_fault_set(0);
        if (rc < 0 && !*dun_error_message())
            fail_msg("operation %lu failed without a message", n);
        assert_int_equal(dun_mem_live(), with_config);
        assert_int_equal(dun_device_live_objects(), objects);
        assert_int_equal(dun_buffer_live_bytes(), bytes);
        remove_run(folder);
        if (rc >= 0 && count < n)
            break;
    }
    assert_true(n > 40);
    dun_config_free(&config);
    assert_int_equal(dun_mem_live(), blocks);
}

static int open_all(void **state) {
    (void)state;
    device = check_open_device();
    check_ok(dun_compute_create(&compute, device, 64, "naive"));
    return 0;
}

static int close_all(void **state) {
    (void)state;
    dun_compute_free(&compute);
    train_folder_remove();
    return check_close_device(device);
}

int main(void) {
    static const char own[] = "tests/reference/losses.json";
    static const char shared[] = "../shared/reference/losses.json";
    const struct CMUnitTest tests[] = {
        {"test_vectors of this project", test_vectors, NULL, NULL, (void *)(uintptr_t)own},
        {"test_vectors shared", test_vectors, NULL, NULL, (void *)(uintptr_t)shared},
        cmocka_unit_test(test_gradient),
        cmocka_unit_test(test_flight),
        cmocka_unit_test(test_same_place),
        cmocka_unit_test(test_starts),
        cmocka_unit_test(test_run_dir),
        cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
