/* The losses as training calls them, dun_loss_run from points and labels to value and gradients, against
 * vectors made with PyTorch. test_kernels compares the kernels alone with the same vectors. */
#include "base/mem.h"
#include "device_check.h"
#include "learn/calculated.h"
#include "learn/loss.h"
#include "reference_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static dun_device *device;
static dun_compute compute;

/* What the vectors call a loss with which factors. */
static const struct {
    const char *name;
    dun_loss_settings settings;
} kinds[] = {
    {"cross_entropy", {.kind = DUN_LOSS_CROSS_ENTROPY, .temperature = 1}},
    {"centroid", {.kind = DUN_LOSS_CENTROID, .attraction = 1, .repulsion = 1}},
    {"centroid_100_0", {.kind = DUN_LOSS_CENTROID, .attraction = 100, .repulsion = 0}},
    {"attract_repel", {.kind = DUN_LOSS_ATTRACT_REPEL, .attraction = 1, .repulsion = 1}},
    {"attract_repel_0.5_3", {.kind = DUN_LOSS_ATTRACT_REPEL, .attraction = 0.5f, .repulsion = 3}},
};

static const double most = 1e-4;

static dun_buffer upload(const json_t *list, const char *what) {
    size_t n;
    dun_buffer buffer;
    double *numbers = reference_numbers(list, &n);
    float *values = dun_calloc(n, sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < n; i++)
        values[i] = (float)numbers[i];
    check_ok(dun_buffer_create(&buffer, device, n * sizeof *values, what));
    check_ok(dun_buffer_write(&buffer, 0, values, n * sizeof *values));
    dun_free(values);
    dun_free(numbers);
    return buffer;
}

static void expect_buffer(const dun_buffer *buffer, const json_t *expected, const char *what) {
    float *values = dun_calloc(1, buffer->bytes);
    assert_non_null(values);
    check_ok(dun_buffer_read(values, buffer, 0, buffer->bytes));
    reference_expect(what, values, expected, most);
    dun_free(values);
}

static void clear(dun_buffer *buffer) {
    check_ok(dun_buffer_fill(buffer, 0xFF)); /* NaN */
}

static void check_case(const json_t *stored, const dun_loss_settings *settings) {
    dun_loss loss;
    int32_t labels[64];
    float value;
    const json_t *list = json_object_get(stored, "labels");
    uint32_t B = (uint32_t)json_array_size(list);
    uint32_t K = (uint32_t)json_integer_value(json_object_get(stored, "classes"));
    uint32_t D = (uint32_t)json_integer_value(json_object_get(stored, "dim"));
    assert_in_range(B, 1, 64);
    for (uint32_t i = 0; i < B; i++)
        labels[i] = (int32_t)json_integer_value(json_array_get(list, i));
    dun_buffer points = upload(json_object_get(stored, "points"), "points");
    dun_buffer centroids = upload(json_object_get(stored, "centroids"), "centroids");
    dun_buffer d_points = upload(json_object_get(stored, "d_points"), "gradient of points");
    dun_buffer d_centroids = upload(json_object_get(stored, "d_centroids"), "gradient of centroids");
    /* Room for more points than the batch has, as a partial batch leaves. */
    check_ok(dun_loss_create(&loss, &compute, settings, B + 3, K, D));
    clear(&d_points);
    clear(&d_centroids);
    check_ok(dun_loss_run(&loss, &d_points, &d_centroids, &points, &centroids, labels, NULL, B));
    check_ok(dun_loss_read(&value, NULL, &loss, B));
    reference_expect("value", &value, json_object_get(stored, "value"), most);
    expect_buffer(&d_points, json_object_get(stored, "d_points"), "gradient of points");
    expect_buffer(&d_centroids, json_object_get(stored, "d_centroids"), "gradient of centroids");
    /* The points' gradient alone, as with centroids that are not trained. */
    clear(&d_points);
    check_ok(dun_loss_run(&loss, &d_points, NULL, &points, &centroids, labels, NULL, B));
    expect_buffer(&d_points, json_object_get(stored, "d_points"), "gradient of points alone");
    dun_loss_free(&loss);
    dun_buffer_free(&points);
    dun_buffer_free(&centroids);
    dun_buffer_free(&d_points);
    dun_buffer_free(&d_centroids);
}

static double number(const json_t *stored, const char *key) {
    return json_number_value(json_object_get(stored, key));
}

/* One calculated update as training makes it. */
static void check_update(const json_t *stored) {
    dun_config config;
    dun_calculated calculated;
    dun_buffer label, weight;
    int32_t labels[64];
    float weights[64];
    const char *form = json_string_value(json_object_get(stored, "form"));
    const json_t *list = json_object_get(stored, "labels");
    uint32_t B = (uint32_t)json_array_size(list), D = (uint32_t)number(stored, "dim");
    uint32_t K = (uint32_t)json_array_size(json_object_get(stored, "centroids")) / D;
    assert_in_range(B, 1, 64);
    for (uint32_t i = 0; i < B; i++) {
        labels[i] = (int32_t)json_integer_value(json_array_get(list, i));
        weights[i] = 1;
    }
    check_ok(dun_config_init(&config));
    config.centroid.repulsion = number(stored, "repulsion");
    config.centroid.lethargy = number(stored, "lethargy");
    config.centroid.repulsion_form =
        form && strcmp(form, "away") == 0 ? DUN_REPULSION_AWAY : DUN_REPULSION_ORIGINAL;
    dun_buffer points = upload(json_object_get(stored, "points"), "points");
    dun_buffer centroids = upload(json_object_get(stored, "centroids"), "centroids");
    check_ok(dun_buffer_create(&label, device, B * sizeof *labels, "labels"));
    check_ok(dun_buffer_write(&label, 0, labels, B * sizeof *labels));
    check_ok(dun_calculated_create(&calculated, &compute, &config, &centroids, K, D));
    check_ok(dun_buffer_create(&weight, device, B * sizeof *weights, "weights"));
    check_ok(dun_buffer_write(&weight, 0, weights, B * sizeof *weights));
    check_ok(dun_calculated_step(&calculated, &points, &label, &weight, B, 1.0));
    expect_buffer(&centroids, json_object_get(stored, "updated"), "calculated centroids");
    dun_calculated_free(&calculated);
    dun_buffer_free(&label);
    dun_buffer_free(&weight);
    dun_buffer_free(&points);
    dun_buffer_free(&centroids);
    dun_config_free(&config);
}

static void test_updates(void **state) {
    json_t *root = reference_open(*state);
    const json_t *stored, *list = json_object_get(root, "calculated_centroid");
    size_t i;
    if (!root) {
        print_message("%s is not here\n", (const char *)*state);
        skip();
    }
    assert_true(json_array_size(list) > 0);
    json_array_foreach(list, i, stored) check_update(stored);
    json_decref(root);
}

static void test_vectors(void **state) {
    const char *path = *state;
    json_t *root = reference_open(path);
    const json_t *stored;
    size_t i, met[sizeof kinds / sizeof *kinds] = {0};
    if (!root) {
        print_message("%s is not here\n", path);
        skip();
    }
    json_array_foreach(json_object_get(root, "cases"), i, stored) {
        const char *name = json_string_value(json_object_get(stored, "loss"));
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
            if (strcmp(name, kinds[k].name) == 0) {
                print_message("case %zu, %s\n", i, name);
                check_case(stored, &kinds[k].settings);
                met[k]++;
            }
    }
    json_decref(root);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        if (!met[k])
            fail_msg("%s: no case of %s", path, kinds[k].name);
}

static int open_all(void **state) {
    (void)state;
    device = check_open_device();
    check_ok(dun_compute_create(&compute, device, 64, "auto"));
    return 0;
}

static int close_all(void **state) {
    (void)state;
    dun_compute_free(&compute);
    return check_close_device(device);
}

int main(void) {
    static const char own[] = "tests/reference/losses.json";
    static const char shared[] = "../shared/reference/losses.json";
    const struct CMUnitTest tests[] = {
        {"test_vectors of this project", test_vectors, NULL, NULL, (void *)(uintptr_t)own},
        {"test_vectors shared", test_vectors, NULL, NULL, (void *)(uintptr_t)shared},
        {"test_updates of this project", test_updates, NULL, NULL, (void *)(uintptr_t)own},
        {"test_updates shared", test_updates, NULL, NULL, (void *)(uintptr_t)shared},
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
