/* What a checkpoint carries of a training: written, and gone on from. See trainer.h. */
#include "run/trainer.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static size_t baseline_bytes(const dun_trainer *t) {
    size_t K = t->session->labels.n_classes;
    return K * K * sizeof *t->result->baseline.confusion;
}

static void pack_state(dun_trainer *t) {
    memcpy(t->saved, &t->watch, sizeof t->watch);
    memcpy(t->saved + sizeof t->watch, t->result->baseline.confusion, baseline_bytes(t));
}

static void unpack_state(dun_trainer *t) {
    memcpy(&t->watch, t->saved, sizeof t->watch);
    memcpy(t->result->baseline.confusion, t->saved + sizeof t->watch, baseline_bytes(t));
}

int dun_trainer_save(dun_trainer *t, uint64_t epoch, uint32_t texts_done) {
    int rc = DUN_OK;
    t->at.step = t->result->steps;
    t->at.optim_step = t->optim.step;
    t->at.calculated_step = t->calculated.optim.step;
    t->at.epoch = epoch;
    t->at.texts_done = texts_done;
    t->at.last_loss = (double)t->result->last_loss;
    pack_state(t);
    TRY(dun_run_dir_history_bytes(&t->at.history_bytes, t->run));
    TRY(dun_checkpoint_write(&t->at, &t->state, t->run->path));
out:
    return rc;
}

int dun_trainer_prepare_checkpoint(dun_trainer *t) {
    int rc = DUN_OK;
    dun_session *session = t->session;
    dun_str text = {0};
    char team[40] = "";
    TRY(dun_config_write(&text, session->config));
    t->at.config_hash = dun_hash(DUN_HASH_START, text.bytes, text.length);
    t->at.model_hash = dun_model_file_fingerprint(session->model);
    dun_str_clear(&text);
    TRY(dun_tiles_defines(&text, &session->compute.tiles));
    if (session->team.n > 1) { /* first: what is too long is cut */
        uint64_t others;
        TRY(dun_team_arithmetic(&others, &session->team));
        snprintf(team, sizeof team, "team %016llx, ", (unsigned long long)others);
    }
    snprintf(t->at.tiles, sizeof t->at.tiles, "%s%s %s", team, dun_gemm_name(session->compute.gemm),
             text.bytes);
    dun_checkpoint_data *state = &t->state;
    state->device[state->n_device++] = &session->engine.prompt;
    state->device[state->n_device++] = &t->centroids;
    for (size_t i = 0; session->config->prompt.reparametrize && i < DUN_N_REPARAM; i++)
        state->device[state->n_device++] = &t->reparam.value[i];
    dun_optim *const optims[] = {&t->optim, &t->calculated.optim};
    for (size_t i = 0; i < sizeof optims / sizeof *optims; i++)
        state->n_device += dun_optim_states(state->device + state->n_device,
                                            DUN_CHECKPOINT_TENSORS - state->n_device, optims[i]);
    for (size_t i = 0; i < t->average.n_tensors; i++)
        state->device[state->n_device++] = &t->average.tensors[i].mean;
    if (session->normalizer.values)
        state->device[state->n_device++] = &session->normalizer.constants;
    state->host_bytes = sizeof t->watch + baseline_bytes(t);
    TRY_NEW(t->saved, state->host_bytes);
    state->host = t->saved;
out:
    dun_str_free(&text);
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
    if (t->session->config->output.tensorboard)
        TRY(dun_run_dir_tensorboard(t->run, result->steps));
    rc = DUN_OK;
out:
    return rc;
}
