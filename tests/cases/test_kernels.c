/* Every kernel against loops in double: as cut for this device, for several head widths, and as a GPU would
 * get it (work-groups of many items); then the losses against stored vectors made with PyTorch. */
#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "check/check_topics.h"
#include "check/loss_chain.h"
#include "dev/kernel_text.h"
#include "device_check.h"

#include <math.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

enum { HEAD_DIM = 64 };

static dun_device *device;
static dun_compute compute;
static bool covered_nn[DUN_N_NN_KERNELS], covered_learn[DUN_N_LEARN_KERNELS];

static const dun_check_topic *const topics[] = {
#define CASES(name) &dun_check_##name,
#define STORED_CASES(name) &dun_check_##name,
#include "check/topics.def"
};
enum { N_TOPICS = sizeof topics / sizeof *topics };

static int open_all(void **state) {
    (void)state;
    device = check_open_device();
    check_ok(dun_compute_create(&compute, device, HEAD_DIM, "naive"));
    if (getenv("DUNLIN_TEST_FILTER")) /* a few cases, before which their kernels are built */
        return 0;
    check_ok(dun_nn_use(&compute, true, true)); /* at once: a case that fails is to leave nothing behind */
    check_ok(dun_compute_use(&compute, &dun_learn_kernels, DUN_ALL_TOPICS));
    return 0;
}

static int close_all(void **state) {
    (void)state;
    dun_compute_free(&compute);
    return check_close_device(device);
}

/* Every n-th case alone, for slow simulators: DUNLIN_TEST_EVERY. */
static size_t every(void) {
    const char *text = getenv("DUNLIN_TEST_EVERY");
    size_t n = text ? (size_t)strtoul(text, NULL, 10) : 1;
    return n ? n : 1;
}

static void cover(bool *covered, const dun_compute *on, const dun_kernel_list *list) {
    for (size_t i = 0; i < list->n_rows; i++)
        covered[i] |= dun_programs_launched(on->programs, list, i);
}

static void run_topic(dun_compute *on, const dun_check_topic *topic) {
    dun_check c;
    dun_check_init(&c, on);
    for (size_t i = 0; i < topic->n_cases; i += every())
        dun_check_run_case(&c, topic->run, i);
    print_message(
        "%s, heads of %u, groups of %u, of %u in attention: %zu cases, %zu comparisons, worst %.2f of "
        "its tolerance\n",
        topic->name, on->tiles.head_dim, on->tiles.group, on->tiles.attention_group, c.n_cases, c.n_compared,
        c.worst);
    cover(covered_nn, on, &dun_nn_kernels);
    cover(covered_learn, on, &dun_learn_kernels);
    assert_true(c.n_compared > 0);
    if (c.n_failed)
        fail_msg("%zu failed; first: %s", c.n_failed, c.message);
}

static void test_topic(void **state) {
    run_topic(&compute, *state);
}

/* Vectors of heads fall to 8 floats for heads of 8, to 4 for 12, and to one for 6 where vectors are 16 wide.
 */
static void test_head_dims(void **state) {
    static const uint32_t head_dims[] = {8, 16, 12, 6, 7};
    (void)state;
    for (size_t i = 0; i < sizeof head_dims / sizeof *head_dims; i++) {
        dun_compute other;
        check_ok(dun_compute_create(&other, device, head_dims[i], "naive"));
        for (size_t k = 0; k < N_TOPICS; k++)
            if (topics[k]->by_head_dim)
                run_topic(&other, topics[k]);
        dun_compute_free(&other);
    }
}

/* The cuts for GPUs, with their barriers, on whatever device is here: as many items as floats in a head,
 * more, and fewer; sums through sub-groups where there are some. Only the first is asked of every topic. */
static const struct {
    uint32_t head_dim;
    const char *tiles;
    bool all_topics;
} cuts[] = {
    {HEAD_DIM, "WG=64 ATT_WG=64", true},
    {HEAD_DIM, "WG=16 ATT_WG=8", false},
    {12, "WG=16 ATT_WG=32", false},
    {40, "WG=32 ATT_WG=16", false},
    {HEAD_DIM, "WG=32 ATT_WG=32 SUB_GROUPS=1", true},
};

static void run_cuts(size_t first, size_t end) {
    for (size_t i = first; i < end; i++) {
        dun_compute other;
        dun_str fault = {0};
        dun_tiles tiles = check_tiles_as(device, DUN_DEVICE_GPU, 1, cuts[i].head_dim);
        check_ok(dun_tiles_read(&tiles, cuts[i].tiles, "test"));
        check_ok(dun_tiles_fault(&fault, &tiles, dun_device_describe(device)));
        if (fault.length) {
            print_message("left out, %s: %s\n", cuts[i].tiles, fault.bytes);
        } else {
            check_ok(check_compute_create(&other, device, &tiles, dun_kernel_text(), "naive"));
            for (size_t k = 0; k < N_TOPICS; k++)
                if (cuts[i].all_topics || topics[k] == &dun_check_attention)
                    run_topic(&other, topics[k]);
            dun_compute_free(&other);
        }
        dun_str_free(&fault);
    }
}

static void test_groups(void **state) {
    (void)state;
    run_cuts(0, sizeof cuts / sizeof *cuts);
}

/* A quick one, for simulated small devices. */
static void test_small_groups(void **state) {
    (void)state;
    run_cuts(2, 4);
}

static void demand(const bool *covered, const dun_kernel_list *list) {
    for (size_t i = 0; i < list->n_rows; i++)
        if (!covered[i])
            fail_msg("no case launches %s: add one to its topic in host/check", list->rows[i].name);
}

static void test_coverage(void **state) {
    (void)state;
    demand(covered_nn, &dun_nn_kernels);
    demand(covered_learn, &dun_learn_kernels);
}

/* A case whose n-th operation (allocation or OpenCL call) fails: it fails, says so, and leaves nothing
 * behind. Returns whether that operation was reached. */
static bool stop_case(const dun_check_topic *topic, size_t index, unsigned long n) {
    const size_t blocks = dun_mem_live(), objects = dun_device_live_objects(),
                 bytes = dun_buffer_live_bytes();
    dun_check c;
    dun_check_init(&c, &compute);
    dun_error_clear();
    dun_fault_set(n);
    dun_check_run_case(&c, topic->run, index);
    const bool reached = dun_fault_count() >= n;
    dun_fault_set(0);
    assert_int_equal(dun_mem_live(), blocks);
    /* What is no CPU keeps a mark in its queue from some launch on. */
    const bool marks = dun_device_describe(compute.device)->type != DUN_DEVICE_CPU;
    assert_in_range(dun_device_live_objects(), objects, objects + marks);
    assert_int_equal(dun_buffer_live_bytes(), bytes);
    if (c.n_failed != reached || (reached && !strstr(c.message, dun_error_message())))
        fail_msg("%s, case %zu, operation %lu: %zu failures, \"%s\"", topic->name, index, n, c.n_failed,
                 c.message);
    return reached;
}

/* The first cases of every topic and some of the others, with failures ever further apart. */
static void test_stops(void **state) {
    enum { FIRST = 12, PARTS = 5 };
    (void)state;
    static const dun_check_topic *const others[] = {&dun_check_gemm, &dun_check_stored_bits, &dun_check_step};
    for (size_t k = 0; k < N_TOPICS + sizeof others / sizeof *others; k++) {
        const dun_check_topic *topic = k < N_TOPICS ? topics[k] : others[k - N_TOPICS];
        size_t n_stops = 0;
        dun_check once;
        dun_check_init(&once, &compute);
        dun_check_run_case(&once, topic->run, 0); /* makes what a provider keeps */
        for (size_t i = 0; i < topic->n_cases; i += i < FIRST ? 1 : 1 + topic->n_cases / PARTS)
            for (unsigned long n = 1; stop_case(topic, i, n); n += 1 + n / 16)
                n_stops++;
        assert_true(n_stops > 10);
    }
}

static double *numbers(dun_check *c, const json_t *object, const char *key, size_t n) {
    const json_t *array = json_object_get(object, key);
    double *values = dun_check_doubles(c, n);
    check_going(c);
    assert_int_equal(json_array_size(array), n);
    for (size_t i = 0; i < n; i++)
        values[i] = json_number_value(json_array_get(array, i));
    return values;
}

/* The row of the losses that a stored case belongs to, or NULL where no kernel computes it. */
static const dun_loss_row *find_row(const char *name) {
    for (size_t i = 0; i < dun_n_loss_rows; i++)
        if (strcmp(dun_loss_rows[i].name, name) == 0)
            return &dun_loss_rows[i];
    return NULL;
}

/* The vectors are float32 results of another program's order of sums, printed with 7 digits. */
static const double vector_tolerance = 1e-4;

static bool compare_vector(dun_check *c, size_t index, const json_t *stored) {
    const dun_loss_row *row = find_row(json_string_value(json_object_get(stored, "loss")));
    if (!row)
        return false;
    int K = (int)json_integer_value(json_object_get(stored, "classes"));
    int D = (int)json_integer_value(json_object_get(stored, "dim"));
    const json_t *labels = json_object_get(stored, "labels");
    int B = (int)json_array_size(labels);
    size_t n_points = (size_t)(B * D), n_centroids = (size_t)(K * D);
    dun_check_begin(c, index, "stored case %zu, %s, %d points of %d, %d classes", index, row->name, B, D, K);
    int32_t *label = dun_check_ints(c, (size_t)B);
    check_going(c);
    for (int i = 0; i < B; i++)
        label[i] = (int32_t)json_integer_value(json_array_get(labels, (size_t)i));
    dun_loss_chain chain = {row,
                            {B, K, 1.0, 0.0, row->attraction, row->repulsion, NULL},
                            D,
                            DUN_REF_EUCLIDEAN,
                            numbers(c, stored, "points", n_points),
                            numbers(c, stored, "centroids", n_centroids),
                            label};
    dun_loss_results r = dun_loss_chain_run(c, &chain);
    double value = json_number_value(json_object_get(stored, "value"));
    dun_check_close(c, r.value, &value, vector_tolerance);
    dun_check_close(c, r.d_points, numbers(c, stored, "d_points", n_points), vector_tolerance);
    dun_check_close(c, r.d_centroids, numbers(c, stored, "d_centroids", n_centroids), vector_tolerance);
    dun_check_end(c);
    return true;
}

static void test_vectors(void **state) {
    const char *path = *state;
    json_t *root = json_load_file(path, 0, NULL);
    if (!root) {
        if (!strstr(path, "/../")) /* the project's own */
            fail_msg("%s is not there", path);
        print_message("%s is not there\n", path);
        skip();
    }
    dun_check c;
    const json_t *cases = json_object_get(root, "cases");
    size_t n_known = 0;
    dun_check_init(&c, &compute);
    for (size_t i = 0; i < json_array_size(cases); i++)
        n_known += compare_vector(&c, i, json_array_get(cases, i));
    print_message("%s: %zu of %zu cases, worst %.2f of its tolerance\n", path, n_known,
                  json_array_size(cases), c.worst);
    json_decref(root);
    assert_true(n_known > 0);
    if (c.n_failed)
        fail_msg("%zu failed; first: %s", c.n_failed, c.message);
}

int main(void) {
    static const char own[] = SOURCE_DIR "/tests/reference/losses.json";
    static const char shared[] = SOURCE_DIR "/../shared/reference/losses.json";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stops),
#define CASES(topic) {#topic, test_topic, NULL, NULL, (void *)(uintptr_t)&dun_check_##topic},
#define STORED_CASES(topic) {#topic, test_topic, NULL, NULL, (void *)(uintptr_t)&dun_check_##topic},
#include "check/topics.def"
        cmocka_unit_test(test_coverage),
        cmocka_unit_test(test_head_dims),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_small_groups),
        {"test_vectors of this project", test_vectors, NULL, NULL, (void *)(uintptr_t)own},
        {"test_vectors shared", test_vectors, NULL, NULL, (void *)(uintptr_t)shared},
    };
    cmocka_set_test_filter(getenv("DUNLIN_TEST_FILTER"));
    cmocka_set_skip_filter(getenv("DUNLIN_TEST_SKIP"));
    return cmocka_run_group_tests(tests, open_all, close_all);
}
