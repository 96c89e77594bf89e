/* The failure points of a round through the public library (train in memory, classify, save): the n-th
 * allocation, OpenCL call or file write fails, for n = 1, ... in steps; FAULT_STEP=1 walks all. Each time
 * there is a status with a message, nothing is left, and the library can be used again. */
#include "api_sample.h"

#include "base/fault.h"

#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
enum { STEP = 97 };
#else
enum { STEP = 41 };
#endif

static void remove_saved(void) {
    char command[600];
    snprintf(command, sizeof command, "rm -rf '%s'", train_path("saved"));
    assert_int_equal(system(command), 0);
}

/* With the n-th operation failing, 0: none. How many there were. */
static dunlin_status round_trip(float *distances, unsigned long *operations, unsigned long n,
                                const dunlin_config *config, const dunlin_texts *texts) {
    dunlin_run *run = NULL;
    char message[400];
    remove_saved();
    dun_fault_set(n);
    dunlin_status status = dunlin_train(&run, config, texts, texts, NULL, NULL, NULL);
    if (!status)
        status = dunlin_classify(run, texts, distances, NULL, NULL);
    if (!status)
        status = dunlin_save(run, train_path("saved"));
    snprintf(message, sizeof message, "%s", dunlin_error());
    *operations = dun_fault_count();
    dun_fault_set(0);
    if (status && !*message)
        fail_msg("operation %lu failed without a message", n);
    if (status && access(train_path("saved"), F_OK) == 0)
        fail_msg("operation %lu left a directory: %s", n, message);
    dunlin_free(run);
    return status;
}

static void test_walk(void **state) {
    (void)state;
    const char *given = getenv("FAULT_STEP");
    const unsigned long step = given && atoi(given) > 0 ? (unsigned long)atoi(given) : STEP;
    float wanted[API_TEXTS * 2], got[API_TEXTS * 2];
    unsigned long walked = 0, failed = 0, operations;
    dunlin_config *config = api_config();
    dunlin_texts *texts = api_texts();
    API_OK(dunlin_config_set(config, "train.epochs", "1"));
    API_OK(round_trip(wanted, &operations, 0, config, texts));
    const size_t live = dun_mem_live(), objects = dun_device_live_objects();
    for (unsigned long n = 1;; n += step, walked++) {
        const dunlin_status status = round_trip(got, &operations, n, config, texts);
        if (!status && operations < n)
            break;
        failed += status != DUNLIN_OK;
        if (dun_mem_live() != live || dun_device_live_objects() != objects)
            fail_msg("the failure of operation %lu leaves %zu blocks, %zu objects", n, dun_mem_live() - live,
                     dun_device_live_objects() - objects);
        if (failed % 16 == 1) { /* used again at once */
            API_OK(round_trip(got, &operations, 0, config, texts));
            assert_memory_equal(got, wanted, sizeof got);
        }
    }
    print_message("%lu of %lu operations failed the round\n", failed, walked);
    assert_true(walked > 1000 / step && failed > walked / 2);
    remove_saved();
    dunlin_texts_free(texts);
    dunlin_config_free(config);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_walk)};
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
