/* What a run keeps for its report: frames of batches and centroids, and the validation points in the plane.
 */
#include "train_sample.h"

#include "base/err.h"
#include "base/fault.h"
#include "report/report.h"
#include "run/space.h"
#include "run/trajectory.h"
#include "session/projection.h"

#include <dirent.h>
#include <math.h>
#include <sys/stat.h>

static void test_plan(void **state) {
    (void)state;
    static const struct {
        uint32_t n_classes, width, batch;
        uint64_t steps;
        uint32_t n_points, n_frames;
    } plans[] = {
        {2, 576, 32, 51, 32, 51},    {2, 576, 32, 100000, 32, 200}, {2, 576, 1000, 7, 64, 7},
        {6, 576, 1, 0, 1, 0},        {2, 49152, 32, 96, 8, 33},     {100, 49152, 32, 96, 8, 3},
        {1000, 49152, 32, 96, 8, 0},
    };
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        dun_trajectory_shape s =
            dun_trajectory_plan(plans[i].n_classes, plans[i].width, plans[i].batch, plans[i].steps);
        assert_int_equal(s.n_points, plans[i].n_points);
        assert_int_equal(s.n_frames, plans[i].n_frames);
        assert_true(dun_trajectory_bytes(&s) <= DUN_TRAJECTORY_BYTES);
    }
}

static void expect_near(const float *found, const float *wanted, size_t n, double most) {
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)found[i] - (double)wanted[i]) <= most))
            fail_msg("value %zu is %g, wanted %g", i, (double)found[i], (double)wanted[i]);
}

/* With learning rates of 0 every frame holds the points that the texts have, and the same centroids. */
static void test_frames(void **state) {
    (void)state;
    train_run t;
    dun_trajectory_file file;
    dun_projection projection;
    configure(&t, "[train]\nepochs = 2\nbatch_size = 4\nshuffle = no\n[prompt]\ninit = vocab\nlr = 0\n");
    train_run_all(&t, "frames");
    size_t D = dun_session_point_width(&t.session), K = 2;
    float *points = points_of(&t.session, 0, 18);
    check_ok(dun_trajectory_read(&file, train_run_file(&t, "trajectory")));
    assert_int_equal(file.n_frames, 6);
    float *values = dun_calloc((file.shape.n_points + K) * D, sizeof *values);
    for (uint32_t i = 0; i < file.n_frames; i++) {
        static const uint32_t counts[] = {4, 4, 2};
        dun_trajectory_frame frame;
        check_ok(dun_trajectory_get(&frame, values, &file, i));
        assert_int_equal(frame.step, i + 1);
        assert_int_equal(frame.n, counts[i % 3]);
        for (uint32_t j = 0; j < frame.n; j++)
            assert_int_equal(frame.labels[j], t.session.texts.label[i % 3 * 4 + j]);
        expect_near(values, points + i % 3 * 4 * D, frame.n * D, 2e-3);
        expect_near(values + file.shape.n_points * D, t.result.centroids, K * D, 2e-3);
    }
    check_ok(dun_projection_read(&projection, train_run_file(&t, "projection.safetensors")));
    assert_int_equal(projection.n, 8);
    assert_int_equal(projection.width, D);
    for (uint32_t i = 0; i < projection.n; i++) {
        float at[2];
        dun_pca_project(at, &projection.pca, points + (10 + i) * D);
        expect_near(projection.points + 2 * i, at, 2, 1e-5);
        assert_int_equal(projection.labels[i], t.session.texts.label[10 + i]);
        assert_int_equal(projection.rows[i], i);
        expect_near(projection.distances + i * K, t.result.distances + i * K, K, 0);
    }
    dun_projection_free(&projection);
    dun_trajectory_free(&file);
    dun_free(values);
    free(points);
    train_run_close(&t);
}

static uint64_t folder_bytes(const char *path) {
    uint64_t bytes = 0;
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        char file[600];
        struct stat info;
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        assert_int_equal(stat(file, &info), 0);
        bytes += S_ISREG(info.st_mode) ? (uint64_t)info.st_size : 0;
    }
    closedir(folder);
    return bytes;
}

/* A run with its report takes no more than what was asked for, which is not absurdly more. */
static void test_space(void **state) {
    (void)state;
    train_run t;
    configure(&t, "[train]\nepochs = 20\nbatch_size = 2\n[prompt]\ninit = vocab\n");
    train_run_all(&t, "space");
    check_ok(dun_report_finish(&t.run, true));
    uint64_t taken = folder_bytes(t.run.path), asked = dun_space_needed_bytes(&t.session);
    print_message("%.2f MB asked for, %.2f MB taken\n", (double)asked / 1e6, (double)taken / 1e6);
    assert_true(taken <= asked && asked < (uint64_t)20 << 20);
    check_ok(dun_space_check(&t.session, &t.run));
    assert_int_equal(dun_disk_require(t.run.path, UINT64_MAX), DUN_FAILED);
    assert_non_null(strstr(dun_error_message(), "MB free"));
    check_ok(dun_disk_require(t.run.path, 1));
    train_run_close(&t);
}

/* Points of several blocks have wider centroids, and the matrix that they go through is saved with its
 * moments. */
static void test_space_of_points(void **state) {
    (void)state;
    enum { C = 32, K = 2, BLOCKS = 2, SAVED = 3 * 3 + 1 };
    static const char *const lines[] = {"", "[model]\nlayers = 1+last\n",
                                        "[model]\nlayers = 1+last\n[metric]\nstart = identity\n"};
    uint64_t asked[3];
    for (size_t i = 0; i < 3; i++) {
        train_run t;
        char more[200];
        snprintf(more, sizeof more, "[prompt]\ninit = vocab\n[output]\nreport = no\n%s", lines[i]);
        configure(&t, more);
        check_ok(train_run_open(&t, NULL));
        asked[i] = dun_space_needed_bytes(&t.session);
        train_run_close(&t);
    }
    assert_int_equal(asked[1] - asked[0], (BLOCKS - 1) * K * C * sizeof(float) * SAVED);
    assert_int_equal(asked[2] - asked[1], BLOCKS * C * BLOCKS * C * sizeof(float) * SAVED);
}

/* Failures while a report is written: a message, nothing left alive, and the old page or the new one. */
static void test_report_faults(void **state) {
    (void)state;
    char *path = dun_strdup(train_path("space"));
    const dun_run_dir run = {.path = path};
    size_t blocks = dun_mem_live();
    unsigned long n = 1, failures = 0;
    for (bool done = false; !done; n += 1 + n / 12) {
        dun_error_clear();
        dun_fault_set(n);
        int rc = dun_report_finish(&run, true);
        done = rc >= 0 && dun_fault_count() < n;
        dun_fault_set(0);
        if (rc < 0 && !*dun_error_message())
            fail_msg("operation %lu failed without a message", n);
        failures += rc < 0;
        assert_int_equal(dun_mem_live(), blocks);
    }
    print_message("%lu failures\n", failures);
    assert_true(failures > 40);
    dun_free(path);
}

/* report = no leaves neither file. */
static void test_without(void **state) {
    (void)state;
    train_run t;
    dun_file file;
    configure(&t, "[train]\nepochs = 1\n[prompt]\ninit = vocab\n[output]\nreport = no\n");
    train_run_all(&t, "without");
    assert_int_equal(dun_file_map(&file, train_run_file(&t, "trajectory")), DUN_BAD_INPUT);
    assert_int_equal(dun_file_map(&file, train_run_file(&t, "projection.safetensors")), DUN_BAD_INPUT);
    train_run_close(&t);
}

static void write_quickly(const char *name, const uint8_t *bytes, size_t length) {
    FILE *file = fopen(train_path(name), "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

/* Every cut of the files, and every byte of the heads changed: refused or read, nothing worse. */
static void hostile(const char *name, size_t head_bytes, int (*read)(const char *path)) {
    dun_file file;
    char path[64];
    snprintf(path, sizeof path, "frames/%s", name);
    check_ok(dun_file_map(&file, train_path(path)));
    uint8_t *bytes = malloc(file.length);
    assert_non_null(bytes);
    for (size_t i = 0; i < file.length; i += i < head_bytes ? 1 : 97) {
        write_quickly("hostile", file.bytes, i);
        int rc = read(train_path("hostile"));
        assert_true(i >= head_bytes || rc == DUN_BAD_INPUT);
    }
    for (size_t i = 0; i < head_bytes; i++)
        for (unsigned flip = 1; flip < 256; flip *= 2) {
            memcpy(bytes, file.bytes, file.length);
            bytes[i] = (uint8_t)(bytes[i] ^ flip);
            write_quickly("hostile", bytes, file.length);
            int rc = read(train_path("hostile"));
            assert_true(rc == DUN_OK || rc == DUN_BAD_INPUT);
        }
    free(bytes);
    dun_file_unmap(&file);
}

static int read_trajectory(const char *path) {
    int rc = DUN_OK;
    dun_trajectory_file file = {0};
    float *values = NULL;
    TRY(dun_trajectory_read(&file, path));
    TRY_NEW(values, ((size_t)file.shape.n_points + file.shape.n_classes) * file.shape.width);
    for (uint32_t i = 0; i < file.n_frames; i++) {
        dun_trajectory_frame frame;
        TRY(dun_trajectory_get(&frame, values, &file, i));
    }
out:
    dun_free(values);
    dun_trajectory_free(&file);
    return rc;
}

static int read_projection(const char *path) {
    dun_projection projection;
    int rc = dun_projection_read(&projection, path);
    if (rc >= 0)
        dun_projection_free(&projection);
    return rc;
}

static void test_hostile(void **state) {
    (void)state;
    hostile("trajectory", 40, read_trajectory);
    hostile("projection.safetensors", 200, read_projection);
}

/* Thinning: of 10 points 4, evenly, whatever the batches. */
static void test_thinning(void **state) {
    (void)state;
    dun_device *device = check_open_device();
    dun_buffer buffer;
    float values[20], kept_values[8];
    for (size_t batch = 1; batch <= 10; batch++) {
        dun_kept_points kept = {.n = 10, .n_kept = 4, .width = 2, .rows = kept_values};
        memset(kept_values, 0xff, sizeof kept_values);
        for (size_t i = 0; i < 20; i++)
            values[i] = (float)i;
        check_ok(dun_buffer_create(&buffer, device, sizeof values, "points"));
        for (uint32_t first = 0; first < 10; first += (uint32_t)batch) {
            uint32_t count = 10 - first < batch ? 10 - first : (uint32_t)batch;
            check_ok(dun_buffer_write(&buffer, 0, values + 2 * first, count * 2 * sizeof *values));
            check_ok(dun_kept_points_take(&kept, &buffer, first, count));
        }
        for (uint32_t i = 0; i < 4; i++) {
            static const uint32_t wanted[] = {0, 2, 5, 7};
            assert_int_equal(dun_kept_points_index(&kept, i), wanted[i]);
            assert_true(kept_values[2 * i] == (float)(2 * wanted[i]) &&
                        kept_values[2 * i + 1] == (float)(2 * wanted[i] + 1));
        }
        dun_buffer_free(&buffer);
    }
    dun_device_close(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_plan),
                                       cmocka_unit_test(test_frames),
                                       cmocka_unit_test(test_without),
                                       cmocka_unit_test(test_space),
                                       cmocka_unit_test(test_space_of_points),
                                       cmocka_unit_test(test_report_faults),
                                       cmocka_unit_test(test_hostile),
                                       cmocka_unit_test(test_thinning)};
    return cmocka_run_group_tests(tests, make_files_and_programs, remove_files);
}
