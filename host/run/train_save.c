/* What a checkpoint carries of a training: written, and gone on from. See trainer.h. */
#include "run/trainer.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "run/train.h"
#include "session/label_rows.h"

#include <stdio.h>
#include <string.h>

static size_t baseline_bytes(const dun_trainer *t) {
    size_t K = t->session->labels.n_classes;
    return K * K * sizeof *t->result->baseline.confusion;
}

static void pack_state(dun_trainer *t) {
    uint8_t *at = dun_watch_put(t->saved, &t->watch);
    memcpy(at, t->result->baseline.confusion, baseline_bytes(t));
    dun_best_put(at + baseline_bytes(t), &t->best);
}

static void unpack_state(dun_trainer *t) {
    const uint8_t *at = dun_watch_take(&t->watch, t->saved);
    memcpy(t->result->baseline.confusion, at, baseline_bytes(t));
    dun_best_take(&t->best, at + baseline_bytes(t));
}

bool dun_trainer_save_asked(dun_trainer *t) {
    unsigned wishes = dun_save_wishes();
    bool asked = wishes != t->run->save_wishes;
    t->run->save_wishes = wishes;
    return asked;
}

int dun_trainer_save(dun_trainer *t, uint64_t epoch, uint32_t texts_done) {
    int rc = DUN_OK;
    if (!t->run->path)
        goto out;
    t->at.step = t->result->steps;
    t->at.optim_step = t->optim.step;
    t->at.calculated_step = t->calculated.optim.step;
    t->at.epoch = epoch;
    t->at.texts_done = texts_done;
    t->at.last_loss = (double)t->result->last_loss;
    pack_state(t);
    /* The checkpoint counts on them. */
    TRY(dun_run_dir_sync(t->run));
    TRY(dun_stream_sync(&t->trajectory.file));
    t->at.history_bytes = t->run->history.bytes;
    TRY(dun_checkpoint_write(&t->at, &t->state, t->run->path));
out:
    return rc;
}

static int carry(dun_checkpoint_data *state, dun_buffer *const *tensors, size_t n) {
    if (n > DUN_CHECKPOINT_TENSORS - state->n_device)
        return dun_error(DUN_FAILED, "a checkpoint carries at most %d tensors", DUN_CHECKPOINT_TENSORS);
    memcpy(state->device + state->n_device, tensors, n * sizeof *tensors);
    state->n_device += n;
    return DUN_OK;
}

/* All on the device that a step changes, in the order of the file. */
static int gather_tensors(dun_trainer *t) {
    int rc = DUN_OK;
    dun_session *session = t->session;
    dun_checkpoint_data *state = &t->state;
    dun_optim *const optims[] = {&t->optim, &t->calculated.optim};
    dun_buffer *moments[DUN_CHECKPOINT_TENSORS];
    TRY(carry(state, (dun_buffer *const[]){&session->engine.prompt, &t->centroids}, 2));
    for (size_t i = 0; session->config->prompt.reparametrize && i < DUN_N_REPARAM; i++)
        TRY(carry(state, (dun_buffer *const[]){&t->reparam.value[i]}, 1));
    for (size_t i = 0; i < sizeof optims / sizeof *optims; i++)
        TRY(carry(state, moments, dun_optim_states(moments, DUN_CHECKPOINT_TENSORS, optims[i])));
    for (size_t i = 0; i < t->average.n_tensors; i++)
        TRY(carry(state, (dun_buffer *const[]){&t->average.tensors[i].mean}, 1));
    if (session->normalizer.values)
        TRY(carry(state, (dun_buffer *const[]){&session->normalizer.constants}, 1));
    if (t->loss.words.n_classes)
        TRY(carry(state, (dun_buffer *const[]){&t->loss.words.offset}, 1));
    if (session->metric.dimensions)
        TRY(carry(state, (dun_buffer *const[]){&session->metric.matrix}, 1));
out:
    return rc;
}

static int identify(dun_checkpoint *at, const dun_session *session) {
    int rc = DUN_OK;
    dun_str text = {0};
    TRY(dun_config_write_known(&text, session->config));
    at->config_hash = dun_hash(DUN_HASH_START, text.bytes, text.length);
    dun_str_clear(&text);
    TRY(dun_config_write_known_0_1(&text, session->config));
    at->config_hash_0_1 = dun_hash(DUN_HASH_START, text.bytes, text.length);
    at->model_hash = dun_model_file_fingerprint(session->model);
    at->n_train = session->train->n;
    at->n_valid = session->valid ? session->valid->n : 0;
    at->train_hash = dun_dataset_hash(session->train, &session->labels);
    at->valid_hash = session->valid ? dun_dataset_hash(session->valid, &session->labels) : 0;
out:
    dun_str_free(&text);
    return rc;
}

int dun_train_look(const dun_session *session, const dun_run_dir *run) {
    int rc = DUN_OK;
    dun_checkpoint now = {0};
    TRY(identify(&now, session));
    TRY(dun_checkpoint_look(&now, run->path));
out:
    return rc;
}

int dun_trainer_prepare_checkpoint(dun_trainer *t) {
    int rc = DUN_OK;
    dun_session *session = t->session;
    dun_str text = {0};
    char team[40] = "";
    TRY(identify(&t->at, session));
    TRY(dun_tiles_defines(&text, &session->compute.tiles, DUN_CUT_ALL));
    if (session->team.n > 1) { /* first: what is too long is cut */
        uint64_t others;
        bool alike;
        TRY(dun_team_arithmetic(&others, &alike, &session->team));
        if (!alike)
            snprintf(team, sizeof team, DUN_CHECKPOINT_TEAM, (unsigned long long)others);
    }
    TRY(dun_team_arithmetic_alike(t->at.teams, DUN_CHECKPOINT_TEAMS, &session->team));
    const char *precision = dun_gemm_precision(session->compute.gemm);
    const bool plain = strcmp(precision, "f32") == 0; /* as it was before there were others */
    snprintf(t->at.tiles, sizeof t->at.tiles, "%s%s%s%s %s", team, dun_gemm_name(session->compute.gemm),
             plain ? "" : ", ", plain ? "" : precision, text.bytes);
    TRY(gather_tensors(t));
    dun_checkpoint_data *state = &t->state;
    state->host_bytes = dun_watch_bytes() + baseline_bytes(t) + dun_best_bytes(&t->best);
    TRY_NEW(t->saved, state->host_bytes);
    state->host = t->saved;
out:
    dun_str_free(&text);
    return rc;
}

/* The offsets that the checkpoint brought. */
static int adopt_label_words(dun_trainer *t) {
    int rc = DUN_OK;
    dun_label_rows *words = &t->session->label_words;
    if (!words->rows)
        goto out;
    TRY(dun_label_rows_new_offsets(words));
    TRY(dun_buffer_read(words->offsets, &t->loss.words.offset, 0, words->n_classes * sizeof(float)));
out:
    return rc;
}

int dun_trainer_begin(dun_trainer *t, bool resume) {
    int rc = DUN_OK;
    dun_run_result *result = t->result;
    int found = resume ? dun_checkpoint_read(&t->at, &t->state, t->run->path) : 0;
    TRY(found);
    if (found) {
        result->steps = t->at.step;
        result->last_loss = (float)t->at.last_loss;
        t->optim.step = t->at.optim_step;
        t->calculated.optim.step = t->at.calculated_step;
        unpack_state(t);
        TRY(dun_normalizer_adopt(&t->session->normalizer));
        TRY(adopt_label_words(t));
        dun_metric_adopt(&t->session->metric);
        dun_metrics_finish(&result->baseline);
        dun_observe_say(t->session->observer, "resume    epoch %llu, step %llu",
                        (unsigned long long)t->at.epoch, (unsigned long long)t->at.step);
    } else {
        t->at.epoch = 1;
        TRY(dun_trainer_start_centroids(t));
    }
    if (t->session->config->prompt.reparametrize)
        TRY(dun_reparam_forward(&t->session->engine.prompt, &t->reparam));
    if (!found)
        TRY(dun_average_start(&t->average));
    TRY(dun_run_dir_rewind(t->run, t->at.history_bytes));
    if (t->session->config->output.tensorboard && t->run->path)
        TRY(dun_run_dir_tensorboard(t->run, result->steps));
    rc = DUN_OK;
out:
    return rc;
}
