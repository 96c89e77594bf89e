/* dunlin boids: a flock of points, no model; leaves a run directory with every position. */
#include "run/boids.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "cmd/cmd.h"
#include "cmd/out.h"
#include "cmd/shell/common.h"
#include "cmd/signals.h"
#include "report/flock.h"
#include "report/progress.h"
#include "run/folder.h"
#include "run/runlog.h"
#include "run/tables.h"

typedef struct {
    dun_config config;
    char *name;
    dun_device *device;
    dun_compute compute;
    dun_run_dir run;
    dun_flock flock;
} boids;

static int open_device(boids *b, const dun_observer *observer) {
    int rc = DUN_OK;
    enum { ANY_HEAD = 64 }; /* no attention is launched */
    TRY(dun_device_open(&b->device, b->config.device.use));
    const dun_device_info *info = dun_device_describe(b->device);
    dun_observe_say(observer, "device    %s (%s, driver %s)", info->name, info->platform, info->driver);
    const dun_wish wish = {.head_dim = ANY_HEAD,
                           .gemm = "naive",
                           .precision = "f32",
                           .uses = {{&dun_learn_kernels, dun_flock_topics()}}};
    TRY(dun_compute_create_wish(&b->compute, b->device, NULL, &wish));
out:
    return rc;
}

static int print_result(const boids *b, dun_run_log *log, bool as_json) {
    int rc = DUN_OK;
    dun_str text = {0};
    json_t *object = NULL;
    const dun_flock *flock = &b->flock;
    double first = (double)flock->losses[0], last = (double)flock->losses[flock->n_steps];
    TRY(dun_str_addf(&text,
                     "%u points in %u dimensions: loss %.4f at the start, %.4f after %u steps in %.2f s\n"
                     "distances in the end: mean %.4f, least %.4f\n"
                     "run: %s\n",
                     flock->n_points, flock->n_dimensions, first, last, flock->n_steps, flock->seconds,
                     flock->mean_distance, flock->least_distance, b->run.path));
    dun_run_log_note(log, text.bytes);
    if (as_json) {
        object = json_pack("{s:s, s:i, s:i, s:i, s:f, s:f, s:f, s:f}", "run", b->run.path, "count",
                           (int)flock->n_points, "dimensions", (int)flock->n_dimensions, "steps",
                           (int)flock->n_steps, "first_loss", first, "last_loss", last, "mean_distance",
                           flock->mean_distance, "least_distance", flock->least_distance);
        if (!object)
            TRY(dun_error(DUN_FAILED, "out of memory for the result"));
        TRY(dun_out_json(object));
        goto out;
    }
    TRY(dun_out_text(&text));
out:
    json_decref(object);
    dun_str_free(&text);
    return rc;
}

static int run(const dun_args *args) {
    int rc = DUN_OK;
    boids b = {0};
    dun_overrides overrides = {0};
    dun_progress progress;
    const char *folder = dun_args_value(args, "out"), *path = dun_args_operand(args, 0);
    dun_observer observer = dun_progress_observer(&progress);
    dun_run_log log;
    dun_run_log_init(&log, &observer);
    const dun_observer logged = dun_run_log_observer(&log);
    TRY(dun_talk(&progress, args));
    TRY(dun_signals_watch());
    TRY(dun_config_init(&b.config));
    TRY(dun_overrides_read(&overrides, args));
    TRY(dun_experiment_read_config(&b.config, path, &overrides));
    TRY_PTR(b.name, dun_experiment_name(&b.config, path));
    TRY(dun_config_check(&b.config));
    if (!folder)
        folder = b.config.output.dir;
    TRY(dun_folder_look(folder));
    TRY(dun_flock_start(&b.flock, &b.config));
    TRY(open_device(&b, &logged));
    TRY(dun_run_dir_create(&b.run, folder, b.name, &b.config));
    TRY(dun_run_log_open(&log, b.run.path));
    if (b.config.output.tensorboard)
        TRY(dun_run_dir_tensorboard(&b.run, 0));
    TRY(dun_flock_run(&b.flock, &b.compute, &b.config, &b.run, &logged));
    TRY(dun_tables_write(&b.run, NULL, NULL));
    TRY(dun_flock_finish(&b.flock, &b.compute, &b.run));
    if (b.config.output.report)
        TRY(dun_flock_report(&b.run, &b.flock, b.name));
    TRY(print_result(&b, &log, dun_args_has(args, "json")));
out:
    dun_progress_close(&progress);
    dun_flock_free(&b.flock);
    dun_run_log_close(&log, rc);
    if (rc < 0 && rc != DUN_INTERRUPTED)
        dun_run_dir_withdraw(&b.run);
    dun_run_dir_close(&b.run);
    dun_compute_free(&b.compute);
    dun_device_close(b.device);
    dun_overrides_free(&overrides);
    dun_free(b.name);
    dun_config_free(&b.config);
    return rc;
}

static const dun_option options[] = {
    DUN_OVERRIDE_OPTIONS,
    {.name = "out", .letter = 'o', .argument = "DIR", .help = "Folder of the run; it must not hold one yet."},
    {.name = "json", .help = "The result as one JSON object."},
    DUN_TALK_OPTIONS,
    {0},
};

const dun_command dun_command_boids = {
    .name = "boids",
    .summary = "Let points flock, without a model.",
    .usage = "CONFIG [OPTIONS]",
    .help = "Points are drawn to each other and kept apart, as [boids] of the config says:\n"
            "gradient descent on the mean of d + 1/d over all pairs. Leaves a run directory:\n"
            "config.ini, history.jsonl, metrics.json, positions.safetensors, which holds\n"
            "every position, and the flight to look at: boids.html and boids.gif, unless\n"
            "[output] report = no.",
    .options = options,
    .goes_on = true,
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
