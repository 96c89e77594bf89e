/* The training loop: steps, epochs, validation, history, and what is collected at the end. */
#include "run/train.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/rng.h"
#include "learn/schedule.h"
#include "run/trainer.h"
#include "session/centroid.h"
#include "session/projection.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What an epoch has gathered. */
typedef struct {
    double loss, weight; /* the steps' losses times the weights of their texts, and these */
    double step_accuracy;
    uint32_t correct;
} epoch_sums;

static uint32_t count_correct(const dun_trainer *t, uint32_t n) {
    uint32_t correct = 0, K = t->loss.n_classes;
    for (uint32_t i = 0; i < n; i++)
        correct += dun_nearest_centroid(t->distances + (size_t)i * K, K) == (uint32_t)t->labels[i];
    return correct;
}

static bool is_multiple(uint64_t step, int64_t every) {
    return every > 0 && step % (uint64_t)every == 0;
}

/* The labels and weights of a batch; returns the sum of these. */
static double look_up(dun_trainer *t, const uint32_t *which, uint32_t n) {
    const dun_session *session = t->session;
    double sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t label = session->texts.label[which[i]];
        t->labels[i] = (int32_t)label;
        t->weights[i] = session->texts.weight[which[i]] * session->class_weight[label];
        sum += t->weights[i];
    }
    return sum;
}

/* What the host wants to know of a step, with one wait. The others of a team begin the next one with the
 * prompt: what is measured in between leaves it as it is. */
static int read_step(float *loss, dun_trainer *t, uint32_t n) {
    int rc = DUN_OK;
    dun_buffer_part parts[DUN_LOSS_PARTS + 1];
    const dun_buffer *prompt = &t->session->engine.prompt;
    dun_loss_parts(parts, loss, t->distances, &t->loss, n);
    parts[DUN_LOSS_PARTS] = (dun_buffer_part){t->prompt, prompt, 0, t->prompt ? prompt->bytes : 0};
    TRY(dun_buffer_read_parts(parts, DUN_LOSS_PARTS + 1));
    t->has_prompt = t->prompt != NULL;
    TRY(dun_trajectory_write(&t->trajectory));
out:
    return rc;
}

static int train_step(dun_trainer *t, float *loss, uint32_t *correct, const uint32_t *which, uint32_t n) {
    int rc = DUN_OK;
    dun_session *session = t->session;
    dun_engine *engine = &session->engine;
    const dun_config *config = session->config;
    t->rate = dun_schedule_factor(config, t->result->steps, t->n_steps);
    TRY(dun_session_run_known(session, t->has_prompt ? t->prompt : NULL, which, n));
    TRY(dun_trajectory_step(&t->trajectory, t->result->steps, dun_session_points(session), &t->centroids,
                            t->labels, n));
    TRY(dun_loss_run(&t->loss, dun_session_point_gradient(session),
                     config->centroid.train ? &t->d_centroids : NULL, dun_session_points(session),
                     &t->centroids, t->labels, session->weighted ? t->weights : NULL, n));
    /* The points' buffer is the engine's to use again in the way back. */
    if (config->centroid.update == DUN_UPDATE_CLASS_MEAN &&
        is_multiple(t->result->steps, config->centroid.every))
        TRY(dun_calculated_step(&t->calculated, dun_session_points(session), &t->loss.label, &t->loss.weight,
                                n, t->rate));
    TRY(dun_session_backward(session, n));
    if (config->prompt.reparametrize)
        TRY(dun_reparam_backward(&t->reparam, &engine->d_prompt));
    TRY(dun_optim_step(&t->optim, t->rate));
    if (config->prompt.reparametrize)
        TRY(dun_reparam_forward(&engine->prompt, &t->reparam));
    TRY(dun_average_step(&t->average, t->result->steps));
    TRY(read_step(loss, t, n));
    *correct = count_correct(t, n);
out:
    return rc;
}

static void show_epoch(const dun_trainer *t, uint64_t epoch, uint32_t texts) {
    char stage[64];
    snprintf(stage, sizeof stage, "epoch %llu/%lld", (unsigned long long)epoch,
             (long long)t->session->config->train.epochs);
    dun_observe_begin(t->session->observer, stage, "texts", texts);
}

static int interrupted(const dun_trainer *t) {
    const unsigned long long step = (unsigned long long)t->result->steps;
    return t->run->path
               ? dun_error(DUN_INTERRUPTED,
                           "interrupted at step %llu and saved; go on with: dunlin train --resume %s", step,
                           t->run->path)
               : dun_error(DUN_INTERRUPTED, "interrupted at step %llu", step);
}

/* What follows a step: validation where it is due, its line in the history, a checkpoint, leaving. */
static int after_step(dun_trainer *t, const epoch_sums *sums, uint64_t epoch, uint32_t texts_done) {
    int rc = DUN_OK;
    dun_session *session = t->session;
    const dun_config *config = session->config;
    uint64_t step = t->result->steps, epochs = (uint64_t)config->train.epochs;
    bool epoch_ends = texts_done == session->n_train;
    bool every_epoch = config->train.eval_every == DUN_CONFIG_UNSET;
    bool measure = session->n_valid > 0 && (is_multiple(step, config->train.eval_every) ||
                                            (epoch_ends && (every_epoch || epoch == epochs)));
    if (measure) {
        TRY(dun_trainer_validate(t));
        if (!epoch_ends)
            show_epoch(t, epoch, session->n_train - texts_done);
    }
    TRY(dun_run_dir_step(t->run,
                         &(dun_step_record){.step = step,
                                            .epoch = epoch,
                                            .loss = t->result->last_loss,
                                            .accuracy = sums->step_accuracy,
                                            .lr = t->prompt_lr * t->rate,
                                            .valid_accuracy = measure ? t->result->metrics.accuracy : NAN,
                                            .valid_loss = measure ? t->result->valid_loss : NAN}));
    bool asked = dun_trainer_save_asked(t);
    if (epoch_ends || is_multiple(step, config->output.checkpoint_every) || asked || dun_interrupted())
        TRY(dun_trainer_save(t, epoch, texts_done));
    if (asked)
        dun_observe_say(session->observer, "saved     step %llu, as asked", (unsigned long long)step);
    if (dun_interrupted())
        TRY(interrupted(t));
out:
    return rc;
}

static void order_texts(dun_trainer *t, uint64_t epoch) {
    const dun_session *session = t->session;
    const dun_config *config = session->config;
    /* texts of the same place modulo `stride` change places; as many as there are texts: none do */
    const uint32_t stride = config->train.shuffle == DUN_SHUFFLE_YES    ? 1
                            : config->train.shuffle == DUN_SHUFFLE_EVEN ? (uint32_t)config->train.batch_size
                                                                        : session->n_train;
    dun_random_shuffle_strided(t->order, session->n_train, stride, (uint64_t)config->experiment.seed,
                               DUN_STREAM_SHUFFLE, epoch);
    for (uint32_t i = 0; i < session->n_train; i++)
        t->order[i] += session->first_train;
}

/* Nobody wants another step. */
static bool is_over(const dun_trainer *t) {
    return dun_end_wanted() || dun_best_ran_out(&t->best);
}

/* One epoch from its text number `done` on. */
static int train_epoch(dun_trainer *t, uint64_t epoch, uint32_t done) {
    int rc = DUN_OK;
    dun_session *session = t->session;
    uint32_t batch_size = (uint32_t)session->config->train.batch_size, begin = done;
    epoch_sums sums = {0};
    double begun = dun_clock_seconds(), eval_before = session->timings.eval;
    order_texts(t, epoch);
    show_epoch(t, epoch, session->n_train - done);
    while (done < session->n_train && !is_over(t)) {
        uint32_t n = session->n_train - done < batch_size ? session->n_train - done : batch_size, right = 0;
        float loss = NAN;
        const double weight = look_up(t, t->order + done, n);
        t->result->steps++;
        TRY(train_step(t, &loss, &right, t->order + done, n));
        t->result->last_loss = loss;
        if (!isfinite(loss))
            TRY(dun_error(DUN_FAILED, "the loss is %g at step %llu: training stopped; try a lower %s",
                          (double)loss, (unsigned long long)t->result->steps,
                          dun_watch_keys_to_lower(session->config)));
        dun_watch_loss(&t->watch, (double)loss);
        done += n;
        t->result->trained_texts += n;
        sums.loss += (double)loss * weight;
        sums.weight += weight;
        sums.correct += right;
        sums.step_accuracy = (double)right / n;
        char note[80];
        snprintf(note, sizeof note, "loss %.4f acc %.3f", sums.loss / sums.weight,
                 (double)sums.correct / (done - begin));
        dun_observe_step(session->observer, t->result->steps, t->n_steps, (double)loss);
        dun_observe_advance(session->observer, done - begin, note);
        TRY(after_step(t, &sums, epoch, done));
    }
    if (done > begin)
        t->epoch_loss = sums.loss / sums.weight;
out:
    dun_observe_end(session->observer);
    session->timings.train += dun_clock_seconds() - begun - (session->timings.eval - eval_before);
    return rc;
}

/* Brings prompt, centroids and metric in use to the host. */
static int collect(dun_trainer *t) {
    int rc = DUN_OK;
    dun_session *session = t->session;
    size_t n = (size_t)session->labels.n_classes * dun_session_point_width(session);
    TRY_NEW(t->result->centroids, n);
    const size_t floats = dun_prompt_floats(&session->prompt);
    const dun_buffer_part parts[] = {
        {t->result->centroids, &t->centroids, 0, n * sizeof(float)},
        {session->prompt.rows, &session->engine.prompt, 0, floats * sizeof(float)}};
    TRY(dun_buffer_read_parts(parts, 2));
    TRY(dun_metric_read(&session->metric));
out:
    return rc;
}

/* The frames of the report's animation, from the start or from where training goes on. */
static int open_trajectory(dun_trainer *t) {
    const dun_session *session = t->session;
    uint32_t batch_size = (uint32_t)session->config->train.batch_size;
    uint64_t steps = (session->n_train + batch_size - 1) / batch_size;
    const dun_trajectory_shape shape =
        dun_trajectory_plan(session->labels.n_classes, dun_session_point_width(session), batch_size,
                            steps * (uint64_t)session->config->train.epochs);
    if (!session->config->output.report || !t->run->path ||
        session->n_valid == 0) /* whose axes the frames are shown on */
        return DUN_OK;
    return dun_trajectory_open(&t->trajectory, &shape, t->run->path, &t->centroids, t->result->steps);
}

/* The validation texts' points in the plane. */
static int project(dun_trainer *t) {
    int rc = DUN_OK;
    dun_projection projection = {0};
    if (!t->kept.rows)
        return DUN_OK;
    TRY(dun_projection_make(&projection, &t->kept, t->session, t->result->centroids, t->result->distances));
    TRY(dun_projection_write(&projection, t->run->path));
out:
    dun_projection_free(&projection);
    return rc;
}

static int train_epochs(dun_trainer *t) {
    int rc = DUN_OK;
    dun_session *session = t->session;
    t->pass.patient = true; /* from here on, Ctrl-C waits for the end of a step */
    for (uint64_t epoch = t->at.epoch; epoch <= (uint64_t)session->config->train.epochs && !is_over(t);
         epoch++) {
        TRY(train_epoch(t, epoch, (uint32_t)t->at.texts_done));
        t->at.texts_done = 0;
    }
    const bool early = t->result->steps < t->n_steps;
    t->result->ran_out = early && dun_best_ran_out(&t->best);
    t->result->stopped = early && !t->result->ran_out;
    if (session->n_valid > 0 && t->measured_step != t->result->steps)
        TRY(dun_trainer_validate(t));
    TRY(dun_trainer_take_kept(t));
out:
    return rc;
}

static void tell_timings(const dun_session *session) {
    const dun_timings *t = &session->timings;
    dun_observe_detail(
        session->observer,
        "seconds   load %.2f, kernels %.2f, texts %.2f, start %.2f, baseline %.2f, training %.2f, validation %.2f",
        t->load, t->build, t->texts, t->start, t->baseline, t->train, t->eval);
}

static int take_nothing(void *self, uint32_t first, uint32_t count) {
    (void)self, (void)first, (void)count;
    return DUN_OK;
}

/* The probe under the trained prompt. The validation texts were measured last; the training texts have not
 * been run under this prompt yet. */
static int probe_trained(dun_trainer *t) {
    int rc = DUN_OK;
    dun_session *session = t->session;
    double begun = dun_clock_seconds();
    t->result->probe_before = t->watch.probe_before;
    if (t->pass.sink)
        TRY(dun_session_run_all(session, &t->pass, session->first_train, session->n_train, "linear probe",
                                take_nothing, NULL));
    TRY(dun_trainer_probe(&t->result->probe_after, t));
out:
    session->timings.eval += dun_clock_seconds() - begun;
    return rc;
}

static void free_trainer(dun_trainer *t) {
    dun_optim_free(&t->optim);
    dun_reparam_free(&t->reparam);
    dun_calculated_free(&t->calculated);
    dun_average_free(&t->average);
    dun_best_free(&t->best);
    dun_loss_free(&t->loss);
    dun_buffer_free(&t->centroids);
    dun_buffer_free(&t->d_centroids);
    dun_free(t->order);
    dun_free(t->labels);
    dun_free(t->weights);
    dun_free(t->distances);
    dun_free(t->prompt);
    dun_free(t->saved);
    dun_free(t->pass.sink);
    dun_trajectory_close(&t->trajectory);
    dun_kept_points_free(&t->kept);
}

int dun_train(dun_run_result *result, dun_session *session, dun_run_dir *run, bool resume) {
    int rc = DUN_OK;
    dun_trainer t = {
        .session = session, .run = run, .result = result, .measured_step = UINT64_MAX, .epoch_loss = NAN};
    *result = (dun_run_result){.valid_loss = NAN};
    TRY(dun_train_check(session));
    TRY_NEW(result->distances, (size_t)session->n_valid * session->labels.n_classes);
    TRY(dun_metrics_create(&result->metrics, session->labels.n_classes));
    TRY(dun_metrics_create(&result->baseline, session->labels.n_classes));
    TRY(dun_trainer_prepare(&t));
    TRY(dun_trainer_prepare_checkpoint(&t));
    TRY(dun_trainer_begin(&t, resume));
    TRY(open_trajectory(&t));
    TRY(train_epochs(&t));
    dun_watch_warn(&t.watch, t.epoch_loss, session->config);
    TRY(collect(&t));
    TRY(probe_trained(&t));
    TRY(project(&t));
    result->seconds = dun_clock_seconds() - session->begun;
    TRY(dun_run_dir_finish(run, session, result));
    tell_timings(session);
out:
    free_trainer(&t);
    return rc;
}
