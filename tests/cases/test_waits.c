/* How often a step of training stands still until a device is done: counted, not timed. A device alone is
 * waited for once a step, also in one that becomes a frame of the report's animation; of a team, each twice.
 */
#include "session/local.h"
#include "train_sample.h"

#define LINES                                                                                                \
    "limit_train = 40\nlimit_valid = 6\n[train]\nepochs = 1\nbatch_size = 4\n[prompt]\ninit = vocab\n"       \
    "tokens = 2\n"

enum { STEPS = 10, DEVICES = 3 };

/* Waits for each device, as they stood after each step. */
typedef struct {
    train_run t;
    bool trains;
    uint32_t n;
    uint64_t waits[STEPS][DEVICES];
} counted_run;

static void begin(void *self, const char *stage, const char *unit, uint64_t total) {
    (void)unit, (void)total;
    ((counted_run *)self)->trains = strncmp(stage, "epoch", 5) == 0;
}

static void advance(void *self, uint64_t done, const char *note) {
    counted_run *run = self;
    const dun_team *team = &run->t.session.team;
    (void)done, (void)note;
    if (!run->trains)
        return;
    assert_true(run->n < STEPS);
    for (uint32_t i = 0; i < team->n && i < DEVICES; i++) {
        const dun_local *member = team->members[i].self;
        run->waits[run->n][i] = dun_device_waits(member->engine->compute->device);
    }
    run->n++;
}

/* The most waits of a step but the first, whose start is not seen. */
static uint64_t most_waits(const char *name, const char *lines, int n_devices, int device) {
    counted_run run = {0};
    uint64_t most = 0;
    const dun_observer observer = {.self = &run, .begin = begin, .advance = advance};
    configure(&run.t, lines);
    if (n_devices > 1) {
        char use[800];
        const char *one = run.t.config.device.use;
        snprintf(use, sizeof use, "%s, %s%s%s", one, one, n_devices > 2 ? ", " : "",
                 n_devices > 2 ? one : "");
        check_ok(dun_config_put(&run.t.config, DUN_KEY_device_use, use, "the test"));
        check_ok(dun_config_put(&run.t.config, DUN_KEY_device_shares, n_devices > 2 ? "1,1,1" : "1,1",
                                "the test"));
    }
    check_ok(dun_config_put(&run.t.config, DUN_KEY_data_train, train_path("many.tsv"), "the test"));
    check_ok(train_run_open(&run.t, name));
    dun_session_listen(&run.t.session, &observer);
    check_ok(train_run_train(&run.t));
    assert_int_equal(run.n, STEPS);
    for (uint32_t step = 1; step < STEPS; step++) {
        uint64_t waits = run.waits[step][device] - run.waits[step - 1][device];
        most = waits > most ? waits : most;
    }
    train_run_close(&run.t);
    return most;
}

static const struct {
    const char *what, *lines;
    int n_devices, device;
    uint64_t most;
} runs[] = {
    {"alone", LINES "[output]\nreport = no\n", 1, 0, 1},
    {"clipped", LINES "[train]\nclip = 0.5\n[output]\nreport = no\n", 1, 0, 1},
    {"calculated centroids", LINES "[centroid]\ntrain = no\nupdate = class-mean\n[output]\nreport = no\n", 1,
     0, 1},
    {"reparametrised", LINES "reparametrize = yes\n[output]\nreport = no\n", 1, 0, 1},
    {"drawn", LINES, 1, 0, 1},
    {"first of two", LINES, 2, 0, 2},
    {"first of two, logits and normalised", LINES "[model]\npoint = logits\nnormalize = zscore\n", 2, 0, 2},
    {"first of three", LINES "[train]\naverage = 0.9\n", 3, 0, 2},
    {"last of three", LINES, 3, 2, 2},
    {"second of two", LINES "[output]\nreport = no\n", 2, 1, 2},
};

static void test_waits(void **state) {
    (void)state;
    write_letters("many.tsv", 40, 3, 12, "");
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        uint64_t most = most_waits(runs[i].what, runs[i].lines, runs[i].n_devices, runs[i].device);
        if (most != runs[i].most)
            fail_msg("%s: a step waits %llu times, not %llu", runs[i].what, (unsigned long long)most,
                     (unsigned long long)runs[i].most);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_waits)};
    return cmocka_run_group_tests(tests, make_files_and_programs, remove_files);
}
