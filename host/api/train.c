/* Training and going on with it, through the order that the program's trainings have. */
#include "api/config.h"
#include "api/run.h"
#include "api/texts.h"
#include "api/watch.h"

#include "run/order.h"
#include "run/rundir.h"
#include "session/model_name.h"

/* Texts of a call, both entered or neither. */
static int enter_texts(const dunlin_texts *training, const dunlin_texts *validation) {
    int rc = DUN_OK;
    TRY(dun_api_texts_enter(training, true, "training"));
    if (validation && (rc = dun_api_texts_enter(validation, true, "validation")) < 0)
        dun_api_texts_leave(training);
out:
    return rc;
}

/* The texts under the names that messages have for them. */
typedef struct {
    dun_given train, valid;
    dun_session_given given;
} given_texts;

static const dun_session_given *name_texts(given_texts *g, const dunlin_texts *training,
                                           const dunlin_texts *validation) {
    g->train = training->given;
    g->train.name = "training text";
    if (validation) {
        g->valid = validation->given;
        g->valid.name = "validation text";
    }
    g->given = (dun_session_given){&g->train, validation ? &g->valid : NULL};
    return &g->given;
}

/* The record of a run names no files that its texts did not come from. */
static int forget_files(dun_config *config, const dunlin_texts *training, const dunlin_texts *validation) {
    int rc = DUN_OK;
    if (!training->from_files)
        TRY(dun_config_put(config, DUN_KEY_data_train, "", NULL));
    if (!validation || !validation->from_files)
        TRY(dun_config_put(config, DUN_KEY_data_valid, "", NULL));
out:
    return rc;
}

typedef struct {
    dun_config config;
    dun_session session;
    dun_run_outcome outcome;
} training_job;

static int carry_out(training_job *job, dunlin_run *run, const dunlin_texts *training,
                     const dunlin_texts *validation, const char *directory, const dun_observer *observer) {
    int rc = DUN_OK;
    given_texts texts;
    TRY(forget_files(&job->config, training, validation));
    TRY(dun_model_name_settle(&job->config));
    const dun_run_order order = {.session = &job->session,
                                 .config = &job->config,
                                 .folder = directory ? directory : "",
                                 .name = "",
                                 .kept = directory ? NULL : &run->kept,
                                 .given = name_texts(&texts, training, validation),
                                 .observer = observer};
    TRY(dun_run_carry_out(&job->outcome, &order));
out:
    dun_session_listen(&job->session, NULL); /* the observer and the texts are the caller's */
    job->session.given = NULL;
    return rc;
}

/* What the training left, ready to answer. The trained session is still open, so that the weights stay. */
static int open_result(dunlin_run *run, const char *directory) {
    int rc = DUN_OK;
    if (directory) {
        TRY_PTR(run->directory, dun_strdup(directory));
        TRY(dun_kept_read(&run->kept, directory, dun_run_kept_names));
    }
    TRY(dun_api_run_open(run, NULL));
out:
    return rc;
}

static int train(dunlin_run *run, const dunlin_config *config, const dunlin_texts *training,
                 const dunlin_texts *validation, const char *directory, dun_watch_call *watch,
                 const dun_observer *observer) {
    int rc = DUN_OK;
    training_job job = {.outcome = {.path = NULL}};
    TRY(dun_api_config_copy(&job.config, config));
    TRY(carry_out(&job, run, training, validation, directory, observer));
    TRY(dun_watch_call_end(watch, rc));
    TRY(open_result(run, directory));
out:
    dun_run_outcome_free(&job.outcome);
    dun_session_close(&job.session);
    dun_config_free(&job.config);
    return rc;
}

dunlin_status dunlin_train(dunlin_run **out, const dunlin_config *config, const dunlin_texts *training,
                           const dunlin_texts *validation, const char *directory,
                           dunlin_progress_fn *progress, void *user) {
    int rc = DUN_OK;
    dunlin_run *run = NULL;
    dun_watch_call watch;
    dun_api_begin();
    TRY(dun_api_need(out, "run"));
    *out = NULL;
    TRY(dun_api_need(config, "config"));
    if (directory && !*directory)
        TRY(dun_error(DUN_USAGE, "the argument directory is empty; a path, or NULL for none, is needed"));
    TRY(enter_texts(training, validation));
    const dun_observer observer = dun_watch_call_begin(&watch, progress, user);
    rc = dun_api_use_devices();
    if (rc >= 0 && !(run = dun_api_run_begin()))
        rc = DUN_FAILED;
    if (rc >= 0)
        rc = train(run, config, training, validation, directory, &watch, &observer);
    (void)dun_watch_call_end(&watch, DUN_FAILED); /* the thread's jobs go on again */
    dun_api_texts_leave(training);
    dun_api_texts_leave(validation);
out:
    return dun_api_end(dun_api_run_end(out, run, rc));
}

static int resume(dunlin_run *run, const char *directory, const char *device, const dunlin_texts *training,
                  const dunlin_texts *validation, dun_watch_call *watch, const dun_observer *observer) {
    int rc = DUN_OK;
    given_texts texts;
    dun_run_outcome outcome = {0};
    const dun_overrides overrides = {.device = device, .alone = true};
    const dun_session_given *given = training ? name_texts(&texts, training, validation) : NULL;
    if (!dun_run_dir_complete(directory))
        TRY(dun_run_resume_given(&outcome, directory, given, &overrides, observer, NULL));
    TRY(dun_watch_call_end(watch, rc));
    TRY_PTR(run->directory, dun_strdup(directory));
    TRY(dun_kept_read(&run->kept, directory, dun_run_kept_names));
    TRY(dun_api_run_open(run, device));
out:
    dun_run_outcome_free(&outcome);
    return rc;
}

dunlin_status dunlin_resume(dunlin_run **out, const char *directory, const char *device,
                            const dunlin_texts *training, const dunlin_texts *validation,
                            dunlin_progress_fn *progress, void *user) {
    int rc = DUN_OK;
    dunlin_run *run = NULL;
    dun_watch_call watch;
    dun_api_begin();
    TRY(dun_api_need(out, "run"));
    *out = NULL;
    TRY(dun_api_need(directory, "directory"));
    if (validation)
        TRY(dun_api_need(training, "training"));
    if (training)
        TRY(enter_texts(training, validation));
    const dun_observer observer = dun_watch_call_begin(&watch, progress, user);
    rc = dun_api_use_devices();
    if (rc >= 0 && !(run = dun_api_run_begin()))
        rc = DUN_FAILED;
    if (rc >= 0)
        rc = resume(run, directory, device, training, validation, &watch, &observer);
    (void)dun_watch_call_end(&watch, DUN_FAILED);
    dun_api_texts_leave(training);
    dun_api_texts_leave(validation);
out:
    return dun_api_end(dun_api_run_end(out, run, rc));
}
