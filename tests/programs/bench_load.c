/* How long loading a model with stored weights takes beside `cat FILE >/dev/null`, in turns from a warm page
 * cache. Loading is what stands between the name of a file and a model that can be run: the file mapped, its
 * table read, every block searched for NaN and infinity, the tokenizer made, the weights as buffers of the
 * device. Not counted: the device and its kernels, which are there before. Prints medians in seconds by the
 * clock and of processors, each part by itself, and the ratio to cat, with and without the tokenizer, whose
 * time goes by the vocabulary and not by the file. By hand:
 *
 *     bench_load FILE [ROUNDS]   rounds in turns, 9
 */
#define _GNU_SOURCE /* posix_spawn, getrusage */
#include "base/clock.h"
#include "base/err.h"
#include "io/model_file.h"
#include "nn/model.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_ROUNDS = 99 };
enum part { CAT, OPEN, TOKENIZER, DEVICE, N_PARTS };
static const char *const names[N_PARTS] = {"cat FILE >/dev/null", "file and its blocks", "tokenizer",
                                           "onto the device"};

/* By the clock, and of processors. */
typedef struct {
    double clock, busy;
} instant;

static double busy_of(int who) {
    struct rusage use;
    getrusage(who, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           1e-6 * (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
}

static instant now(void) {
    return (instant){dun_clock_seconds(), busy_of(RUSAGE_SELF) + busy_of(RUSAGE_CHILDREN)};
}

static instant since(instant before) {
    const instant after = now();
    return (instant){after.clock - before.clock, after.busy - before.busy};
}

static int run_cat(const char *path) {
    int rc = DUN_OK, status;
    pid_t pid;
    posix_spawn_file_actions_t actions;
    char *const argv[] = {"cat", (char *)(uintptr_t)path, NULL};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (posix_spawnp(&pid, "cat", &actions, NULL, argv, environ) != 0 || waitpid(pid, &status, 0) != pid ||
        status != 0)
        rc = dun_error(DUN_FAILED, "cat %s failed", path);
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

static int load(instant times[N_PARTS], const char *path, const dun_compute *compute) {
    int rc = DUN_OK;
    dun_model_file *file = NULL, *words = NULL;
    dun_model model = {0};
    instant begun = now();
    TRY(dun_model_file_open(&file, path, DUN_MODEL_WEIGHTS));
    times[OPEN] = since(begun);
    begun = now();
    TRY(dun_model_file_open(&words, path, DUN_MODEL_TOKENIZER));
    times[TOKENIZER] = since(begun);
    const dun_spec *spec = dun_model_file_spec(file);
    const dun_point_spec point = {.n_blocks = spec->n_layers, .final_norm = true};
    begun = now();
    TRY(dun_model_create(&model, compute, spec, dun_model_file_source(file), &point, DUN_FORM_STORED, true,
                         NULL));
    TRY(dun_device_finish(compute->device));
    times[DEVICE] = since(begun);
out:
    dun_model_free(&model);
    dun_model_file_free(words);
    dun_model_file_free(file);
    return rc;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n) {
    qsort(values, (size_t)n, sizeof *values, by_value);
    return values[n / 2];
}

/* A line of what was measured, and the ratios that matter. */
static void tell(instant (*rounds)[N_PARTS], int n) {
    double whole[2][MAX_ROUNDS], bare[2][MAX_ROUNDS], one[2][MAX_ROUNDS];
    for (int part = 0; part < N_PARTS; part++) {
        for (int i = 0; i < n; i++) {
            one[0][i] = rounds[i][part].clock;
            one[1][i] = rounds[i][part].busy;
        }
        printf("%-20s %7.3f s (%.3f s of processors)\n", names[part], median(one[0], n), median(one[1], n));
    }
    for (int i = 0; i < n; i++) {
        const instant *t = rounds[i];
        bare[0][i] = (t[OPEN].clock + t[DEVICE].clock) / t[CAT].clock;
        bare[1][i] = (t[OPEN].busy + t[DEVICE].busy) / t[CAT].busy;
        whole[0][i] = bare[0][i] + t[TOKENIZER].clock / t[CAT].clock;
        whole[1][i] = bare[1][i] + t[TOKENIZER].busy / t[CAT].busy;
    }
    printf("loading is %.2f times cat (processors %.2f), without the tokenizer %.2f (%.2f)\n",
           median(whole[0], n), median(whole[1], n), median(bare[0], n), median(bare[1], n));
}

int main(int argc, char **argv) {
    int rc = DUN_OK;
    static instant times[MAX_ROUNDS][N_PARTS], warm[N_PARTS];
    const char *selector = getenv("DUNLIN_TEST_DEVICE");
    const int rounds = argc > 2 ? atoi(argv[2]) : 9;
    dun_device *device = NULL;
    dun_compute compute = {0};
    if (argc < 2 || rounds < 1 || rounds > MAX_ROUNDS)
        TRY(dun_error(DUN_USAGE, "bench_load FILE [ROUNDS to %d]", MAX_ROUNDS));
    TRY(dun_device_open(&device, selector ? selector : "cpu"));
    TRY(dun_compute_create(&compute, device, 64, "auto"));
    TRY(run_cat(argv[1]));
    TRY(load(warm, argv[1], &compute)); /* builds the kernels of stored weights as well */
    for (int i = 0; i < rounds; i++) {
        instant begun = now();
        TRY(run_cat(argv[1]));
        times[i][CAT] = since(begun);
        TRY(load(times[i], argv[1], &compute));
    }
    tell(times, rounds);
out:
    if (rc < 0)
        fprintf(stderr, "bench_load: %s\n", dun_error_message());
    dun_compute_free(&compute);
    dun_device_close(device);
    return rc < 0;
}
