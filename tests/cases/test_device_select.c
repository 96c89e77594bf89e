/* Which device a selector means, on made-up machines; which of them processes that share a machine take; and
 * which two are one. */
#include "base/err.h"
#include "base/mem.h"
#include "device_check.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A machine with two platforms; device 4 is broken. */
static const dun_device_info machine[] = {
    {.platform_index = 0,
     .device_index = 0,
     .platform = "Portable Computing Language",
     .name = "pthread-skylake",
     .type = DUN_DEVICE_CPU},
    {.platform_index = 1,
     .device_index = 0,
     .platform = "ACME OpenCL",
     .name = "Rocket 3060",
     .type = DUN_DEVICE_GPU},
    {.platform_index = 1,
     .device_index = 1,
     .platform = "ACME OpenCL",
     .name = "Rocket 3060",
     .type = DUN_DEVICE_GPU},
    {.platform_index = 1,
     .device_index = 2,
     .platform = "ACME OpenCL",
     .name = "Snail 12",
     .type = DUN_DEVICE_OTHER},
    {.platform_index = 2,
     .device_index = 0,
     .platform = "Clover",
     .name = "Ghost",
     .type = DUN_DEVICE_GPU,
     .error = "no device: CL_DEVICE_NOT_FOUND"},
};
enum { N_MACHINE = sizeof machine / sizeof *machine };

/* What a selector means there: indices up to -1, or the parts of its error message. */
static const struct {
    const char *selector;
    int want[N_MACHINE + 1];
    const char *parts[5];
} selectors[] = {
    {"0", {0, -1}, {NULL}},
    {"2", {2, -1}, {NULL}},
    {" 2 ", {2, -1}, {NULL}},
    {"1:2", {3, -1}, {NULL}},
    {"0:0", {0, -1}, {NULL}},
    {"cpu", {0, -1}, {NULL}},
    {"gpu", {1, -1}, {NULL}},
    {"", {1, -1}, {NULL}},
    {"best", {1, -1}, {NULL}},
    {"all", {0, 1, 2, 3, -1}, {NULL}},
    {"snail", {3, -1}, {NULL}},
    {"SNAIL 12", {3, -1}, {NULL}},
    {"portable", {0, -1}, {NULL}},
    {"2,0", {2, 0, -1}, {NULL}},
    {"gpu, cpu", {1, 0, -1}, {NULL}},
    {"0,cpu,0:0", {0, -1}, {NULL}},
    {"all,0", {0, 1, 2, 3, -1}, {NULL}},
    {"ghost", {4, -1}, {NULL}}, /* known, though broken: opening it tells why */
    {"7",
     {-1},
     {"\"7\"", "matches no device", "0 = pthread-skylake", "4 = Ghost (Clover) [broken: no device"}},
    {"1:7", {-1}, {"\"1:7\"", "matches no device"}},
    {"tpu", {-1}, {"\"tpu\"", "matches no device", "Rocket 3060 (ACME OpenCL)"}},
    {"rocket", {-1}, {"\"rocket\"", "several", "1 = Rocket 3060", "2 = Rocket 3060"}},
    {"0,nothing", {-1}, {"\"nothing\"", "matches no device"}},
    {"99999999999999999999", {-1}, {"matches no device"}},
    {"-1", {-1}, {"matches no device"}},
};

static void test_selectors(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof selectors / sizeof *selectors; i++) {
        uint32_t chosen[N_MACHINE];
        size_t n, n_want = 0;
        const char *selector = selectors[i].selector;
        while (selectors[i].want[n_want] >= 0)
            n_want++;
        int rc = dun_device_select(chosen, &n, machine, N_MACHINE, selector);
        if (selectors[i].parts[0]) {
            if (rc != DUN_BAD_DEVICE)
                fail_msg("\"%s\" gave %d", selector, rc);
            check_said(selector, selectors[i].parts);
            continue;
        }
        if (rc != DUN_OK || n != n_want)
            fail_msg("\"%s\" gave %d and %zu devices instead of %zu: %s", selector, rc, n, n_want,
                     dun_error_message());
        for (size_t k = 0; k < n; k++)
            if (chosen[k] != (uint32_t)selectors[i].want[k])
                fail_msg("\"%s\": entry %zu is device %u", selector, k, chosen[k]);
    }
    assert_int_equal(dun_mem_live(), 0);
}

static void test_select_without_gpu(void **state) {
    uint32_t chosen[1];
    size_t n;
    (void)state;
    assert_int_equal(dun_device_select(chosen, &n, machine, 1, ""), DUN_OK);
    assert_int_equal(chosen[0], 0);
    assert_int_equal(dun_device_select(chosen, &n, machine, 1, "gpu"), DUN_BAD_DEVICE);
    assert_int_equal(dun_device_select(chosen, &n, machine + 4, 1, "best"), DUN_BAD_DEVICE);
    check_said("best", (const char *const[]){"no usable device", "Ghost", NULL});
    assert_int_equal(dun_device_select(chosen, &n, machine, 0, "0"), DUN_BAD_DEVICE);
    check_said("0", (const char *const[]){"nothing", NULL});
}

/* Processes of one machine take devices in turns: of a kind those that are alike, of several names one each.
 */
static void test_turns(void **state) {
    static const dun_device_info four[] = {
        {.platform = "P", .name = "Host", .type = DUN_DEVICE_CPU},
        {.platform = "Q", .platform_index = 1, .name = "Card", .type = DUN_DEVICE_GPU},
        {.platform = "Q", .platform_index = 1, .name = "Small", .type = DUN_DEVICE_GPU},
        {.platform = "Q", .platform_index = 1, .name = "Card", .type = DUN_DEVICE_GPU},
        {.platform = "Q", .platform_index = 1, .name = "Card", .type = DUN_DEVICE_GPU, .error = "broken"},
    };
    static const struct {
        const char *use;
        uint32_t want[3]; /* of the first three processes */
    } rows[] = {{"best", {1, 3, 1}}, {"", {1, 3, 1}},        {"gpu", {1, 3, 1}},     {"cpu", {0, 0, 0}},
                {"2", {2, 2, 2}},    {"2, 0", {2, 0, 2}},    {"all", {0, 1, 2}},     {"Small", {2, 2, 2}},
                {"1,1", {1, 1, 1}},  {"gpu,cpu", {1, 0, 1}}, {"cpu,best", {0, 1, 0}}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (uint32_t turn = 0; turn < 3; turn++) {
            uint32_t chosen;
            check_ok(dun_device_select_turn(&chosen, four, 5, rows[i].use, turn));
            if (chosen != rows[i].want[turn])
                fail_msg("\"%s\": process %u takes device %u", rows[i].use, turn, chosen);
        }
    uint32_t chosen;
    assert_int_equal(dun_device_select_turn(&chosen, four, 5, "Card,cpu", 0), DUN_BAD_DEVICE); /* several */
    check_ok(dun_device_select_turn(&chosen, four, 5, "Card,cpu", 1));
    dun_error_clear();
    assert_int_equal(dun_mem_live(), 0);
}

/* Devices that look alike are one only where the driver says so: a launcher may show each process another. */
static void test_same(void **state) {
    static const dun_device_info a = {.name = "Card", .uuid = {1, 2}}, b = {.name = "Card", .uuid = {1, 3}},
                                 unknown = {.name = "Card"};
    (void)state;
    assert_true(dun_device_is_same(&a, &a));
    assert_false(dun_device_is_same(&a, &b));
    assert_false(dun_device_is_same(&unknown, &unknown));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_selectors),
                                       cmocka_unit_test(test_select_without_gpu),
                                       cmocka_unit_test(test_turns), cmocka_unit_test(test_same)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
