/* dunlin points: the points of the validation texts, for other tools. */
#include "base/err.h"
#include "base/mem.h"
#include "cmd/cmd.h"
#include "cmd/shell/common.h"
#include "report/progress.h"
#include "run/export.h"
#include "session/centroid.h"

typedef struct {
    dun_session *session;
    float *points; /* (n_valid, D) */
} points_job;

static int read_batch(void *self, uint32_t first, uint32_t count) {
    points_job *job = self;
    size_t D = dun_session_point_width(job->session);
    return dun_buffer_read(job->points + (first - job->session->n_train) * D,
                           dun_engine_point_buffer(&job->session->engine), 0, count * D * sizeof(float));
}

/* Fits the normalisation of a config's points; a run has its own. */
static int fit(dun_session *session) {
    int rc = DUN_OK;
    float *means = NULL;
    TRY_NEW(means, session->labels.n_classes * (size_t)dun_session_point_width(session));
    TRY(dun_centroid_means(means, session, NULL));
out:
    dun_free(means);
    return rc;
}

static int write_points(dun_session *session, const char *path) {
    int rc = DUN_OK;
    points_job job = {.session = session};
    int64_t *labels = NULL;
    uint64_t n = session->n_valid, D = dun_session_point_width(session);
    TRY_NEW(job.points, n * D);
    TRY_NEW(labels, n);
    TRY(dun_session_run_all(session, NULL, session->n_train, session->n_valid, "points", read_batch, &job));
    for (uint32_t i = 0; i < session->n_valid; i++)
        labels[i] = session->texts.label[session->n_train + i];
    TRY(dun_points_write(path, job.points, labels, n, D));
out:
    dun_free(labels);
    dun_free(job.points);
    return rc;
}

static int run(const dun_args *args) {
    int rc = DUN_OK;
    dun_overrides overrides = {0};
    dun_experiment experiment = {0};
    dun_progress progress;
    const char *path;
    dun_observer observer = dun_progress_observer(&progress);
    TRY(dun_talk(&progress, args));
    TRY(dun_args_require(&path, args, "out"));
    TRY(dun_overrides_read(&overrides, args));
    TRY(dun_experiment_open(&experiment, dun_args_operand(args, 0), &overrides, &observer));
    bool to_fit = !experiment.run_path && dun_normalize_is_affine(experiment.config.model.normalize);
    TRY(dun_session_read_data(&experiment.session, to_fit));
    TRY(dun_session_start_engine(&experiment.session, false));
    if (to_fit)
        TRY(fit(&experiment.session));
    TRY(write_points(&experiment.session, path));
out:
    dun_progress_close(&progress);
    dun_experiment_close(&experiment);
    dun_overrides_free(&overrides);
    return rc;
}

static const dun_option options[] = {
    {.name = "out",
     .letter = 'o',
     .argument = "FILE",
     .help = "The file to write: NumPy's format if its name ends in .npz, else safetensors."},
    DUN_OVERRIDE_OPTIONS,
    DUN_TALK_OPTIONS,
    {0},
};

const dun_command dun_command_points = {
    .name = "points",
    .summary = "Write the points of the validation texts to a file.",
    .usage = "CONFIG|RUN --out FILE [--set SECTION.KEY=VALUE]... [--device SELECTOR]",
    .help = "The file holds `points` F32 (texts, width) and `labels` I64 (texts),\n"
            "in the order of the validation file: under the starting prompt of a config, or\n"
            "the trained prompt of a run.",
    .options = options,
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
