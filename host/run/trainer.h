/* A training as it stands; the inside of train.c, which runs it, with its beginning (train_start.c), its
 * validation texts (train_valid.c) and what a checkpoint carries of it (train_save.c). */
#ifndef DUN_TRAINER_H
#define DUN_TRAINER_H

#include "learn/average.h"
#include "learn/calculated.h"
#include "learn/loss.h"
#include "learn/optim.h"
#include "learn/reparam.h"
#include "run/best.h"
#include "run/checkpoint.h"
#include "run/rundir.h"
#include "run/trajectory.h"
#include "run/watch.h"
#include "session/session.h"

typedef struct {
    dun_session *session;
    dun_run_dir *run;
    dun_run_result *result;
    dun_loss loss;
    dun_optim optim;
    dun_reparam reparam;               /* makes the prompt; unused without prompt.reparametrize */
    dun_buffer centroids, d_centroids; /* (K, D) */
    dun_calculated calculated;         /* moves the centroids; unused without centroid.update */
    dun_average average;               /* of prompt and centroids; what is measured and saved */
    uint64_t n_steps;                  /* of the whole run */
    double prompt_lr;                  /* prompt.lr, scaled for the model */
    double rate;                       /* the schedule's factor in the last step */
    uint32_t *order;                   /* [n_train] */
    int32_t *labels;                   /* [batch_size] */
    double *weights;                   /* [batch_size] of the batch's texts, those of their classes in it */
    float *distances;                  /* (batch_size, K) */
    float *prompt;                     /* (P, C) as the last step left it; of a team, else NULL */
    bool has_prompt;                   /* a step did */
    dun_checkpoint at;                 /* where training stands */
    dun_checkpoint_data state;         /* what a checkpoint carries */
    uint8_t *saved;                    /* the part of it on the host: watch, baseline's counts, best */
    dun_watch watch;
    dun_best best;          /* validation loss so far; part of a checkpoint where it is asked for */
    double epoch_loss;      /* mean of the last epoch, or of what this process saw of it */
    dun_pass pass;          /* over texts; its sink is (n_train + n_valid, D) for the linear probe, or NULL */
    uint64_t measured_step; /* result->metrics are those after this step */
    dun_trajectory trajectory; /* for the report; empty without one */
    dun_kept_points kept;      /* the validation points as last measured, likewise */
} dun_trainer;

/* Makes everything a step needs, from the session's config. */
int dun_trainer_prepare(dun_trainer *t);

/* Class means under the starting prompt, the baseline they make, and the starting centroids. */
int dun_trainer_start_centroids(dun_trainer *t);

/* A linear probe on the points that the last passes left. */
int dun_trainer_probe(double *accuracy, dun_trainer *t);

/* Measures the validation texts under the prompt that is trained, or its average, for the history, the watch
 * and the best loss. Without such texts there is nothing to measure. */
int dun_trainer_validate(dun_trainer *t);

/* The end of the steps: from now on prompt and centroids that were kept, or their averages, are those in use,
 * and the last measured. */
int dun_trainer_take_kept(dun_trainer *t);

/* Says what a checkpoint carries and whose it is. */
int dun_trainer_prepare_checkpoint(dun_trainer *t);

/* Begins, or goes on where the checkpoint says. */
int dun_trainer_begin(dun_trainer *t, bool resume);

/* Did somebody ask for a checkpoint since the last one who did? */
bool dun_trainer_save_asked(dun_trainer *t);

/* Saves where training stands: `texts_done` of `epoch`. */
int dun_trainer_save(dun_trainer *t, uint64_t epoch, uint32_t texts_done);

#endif
