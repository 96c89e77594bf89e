/* Everything an experiment stands on: the config, the model file and its tokenizer, the prompt, the texts,
 * and the engine on a device. Opened in the order in which mistakes are cheapest to find. */
#ifndef DUN_SESSION_H
#define DUN_SESSION_H

#include "base/observer.h"
#include "config/config.h"
#include "dev/common.h"
#include "io/data/given.h"
#include "io/model_file.h"
#include "learn/metric.h"
#include "learn/normalizer.h"
#include "nn/engine.h"
#include "session/local.h"
#include "session/prompt.h"
#include "session/runfile.h"
#include "session/shared_model.h"
#include "session/split_off.h"
#include "session/start_points.h"
#include "session/team.h"
#include "session/template.h"
#include "session/texts.h"
#include "session/weights.h"

/* Seconds by stage, for metrics.json. `start` makes the starting centroids; `baseline` measures what they and
 * a probe are worth before training. */
typedef struct {
    double load, build, texts, start, baseline, train, eval;
} dun_timings;

/* Texts in the stead of the files that a config names. */
typedef struct {
    const dun_given *train, *valid; /* valid NULL: there are none, and nothing is measured */
} dun_session_given;

/* What stands for the classes in the model's vocabulary (session/label_rows.h). */
typedef struct {
    uint32_t n_classes; /* 0: there are no words, or they were not read */
    float *rows;        /* (K, D) of the model's head, less their mean */
    float *offsets;     /* [K] their calibration; NULL: not known yet */
} dun_label_rows;

typedef struct dun_session {
    const dun_config *config;
    const dun_observer *observer;
    const dun_session_given *given; /* NULL: the config's files are read */
    dun_model_file *model;
    dun_tokenizer *tokenizer; /* the model's */
    dun_point_spec point;     /* which of its blocks points are made of */
    dun_template template;
    dun_prompt prompt; /* on the host: the start, or what was trained */
    dun_labels labels;
    double *class_weight;       /* [K] loss.class_weights, the largest made 1; or NULL: nothing is read */
    bool weighted;              /* texts or classes do not weigh alike */
    dun_dataset *train, *valid; /* NULL: not read; or, of `valid`, there is none */
    dun_split_off split; /* which texts data.valid_share split off; `valid` borrows them from `train` */
    dun_texts texts;     /* training texts, then validation texts */
    uint32_t first_train, n_train; /* of those texts; all training texts but for session/subset.h */
    uint32_t first_valid, n_valid;
    dun_device *device;
    dun_compute compute;
    const char *precision; /* of the products of every device; NULL: not chosen yet */
    char precision_reason[DUN_REASON_BYTES];
    dun_weights_facts facts;   /* what form goes by, asked once to choose alike; f32 is 0: not yet */
    enum dun_weight_form form; /* of the weights on every device, */
    bool form_by_auto;         /* which device.weights = auto chose */
    bool precision_by_auto;    /* device.precision = auto chose that of the products */
    dun_shared_model *weights; /* of the engine */
    bool bare, mean;           /* opened for texts alone; their points are means of all tokens */
    dun_common *common;        /* where weights go that other processes load too; borrowed; or NULL */
    uint32_t pass_texts;       /* most texts of a pass of whole texts; 0: the usual number */
    dun_engine engine;
    dun_normalizer normalizer;  /* of the points that dun_session_run leaves */
    dun_metric metric;          /* which they go through then */
    float *saved_normalization; /* (2, D) of the saved prompt in use, or NULL */
    float *saved_metric;        /* (M, D) likewise */
    dun_label_rows label_words; /* of loss.label_words */
    dun_start_points start_points;
    dun_team team;    /* who runs the texts: the engine, and others beside it that device.use names */
    dun_local *first; /* the team's member on the engine */
    double begun;     /* dun_clock_seconds when it was opened, or opened again for another config */
    dun_timings timings;
} dun_session;

/* Another observer for the session and its devices, from now on. */
void dun_session_listen(dun_session *session, const dun_observer *observer);

/* Model file and tokenizer. The config, and the observer, stay borrowed. */
int dun_session_open(dun_session *session, const dun_config *config, const dun_observer *observer);

/* The same for texts alone, without a prompt: a text's point is what its last token gives, or, with `mean`,
 * the mean over all of its tokens. What the config says of prompt and template is not read; that there is
 * room for data.max_length tokens is the caller's to see to. */
int dun_session_open_bare(dun_session *session, const dun_config *config, bool mean,
                          const dun_observer *observer);
void dun_session_close(dun_session *session);

/* The prompt: what the config starts with, or a saved one (checked against the model). */
int dun_session_start_prompt(dun_session *session);
int dun_session_use_prompt(dun_session *session, const dun_saved_prompt *saved, const char *path);

/* Reads the data sets of the config, or given ones, both (the training labels are the classes), and tokenises
 * the validation texts and, where `train` says so, the training texts. There need be no validation texts. */
int dun_session_read_data(dun_session *session, bool train);

/* What loss.class_weights means for the training texts that were read; part of reading them. Only how weights
 * compare counts, so the largest is made 1, and those of texts (session->texts.weight) likewise: equal ones
 * are 1 to the bit. DUN_USAGE: it is no list of classes and weights; DUN_BAD_INPUT: there is no such class.
 */
int dun_session_weigh_classes(dun_session *session);

/* The data sets without their tokens, for which a config is enough; nothing is split off yet. */
int dun_session_read_sets(dun_session *session);

/* DUN_USAGE: text and prompt are longer than the model can read, a batch has too many rows, or one device
 * shares the texts out. */
int dun_session_check(const dun_session *session, bool backward);

/* Sizes of the engine that the config, the prompt and the texts ask for. */
dun_engine_options dun_session_engine_options(const dun_session *session, bool backward);

/* session->precision, once: what device.precision says, or what suits all devices of device.use; auto is the
 * most exact that one of them takes. Errors as dun_choose has them. */
int dun_session_choose_precision(dun_session *session);

/* The form that the weights get with products of a provider, or whatever auto takes; `backward`: for
 * training. `reason` is appended to. Errors as dun_weights_choose has them, before anything was made. */
int dun_session_choose_weights(enum dun_weight_form *out, dun_str *reason, dun_session *session,
                               const char *gemm, bool backward);

/* Opens the device, builds kernels, loads weights, plans memory. `backward`: for training, which needs
 * dun_session_read_texts before anything is run; without, every text is run whole when it is asked for. A
 * prompt before the text is trained on whole sequences too. */
int dun_session_start_engine(dun_session *session, bool backward);

/* For training, where it is not done yet: opens the other devices of device.use, shares session->texts out,
 * makes a cache for them within the config's budget (for each device its own) and computes what is kept; no
 * cache where the prompt stands before the text. */
int dun_session_read_texts(dun_session *session);

/* The normalisation of points, and the metric, anew: with the saved prompt's values if there are any, else
 * not fitted yet. Part of starting the engine. */
int dun_session_start_normalizer(dun_session *session);

/* Uploads rows (P, C) as the prompt in use. */
int dun_session_set_prompt(dun_session *session, const float *rows);

/* How many of the n texts from `first` on one call of dun_session_run takes: at least one. */
uint32_t dun_session_pass(const dun_session *session, uint32_t first, uint32_t n);

/* For a session that reads no data sets of its own: puts a text (any bytes, empty too), cut to
 * data.max_length tokens, behind those that wait in session->texts. Full: more wait than one pass takes. */
int dun_session_queue(dun_session *session, const char *text, size_t length);
bool dun_session_queue_full(const dun_session *session);

/* Runs the prompt in use with n texts (indices into session->texts, no more than a pass takes); the points
 * (n, D), as the config says that they are compared, are then in dun_session_points. */
int dun_session_run(dun_session *session, const uint32_t *which, uint32_t n);

/* The same by who knows the prompt in use, (P, C) on the host, so that a team need not wait for it; NULL: as
 * above. */
int dun_session_run_known(dun_session *session, const float *prompt, const uint32_t *which, uint32_t n);

/* The points of the last run, and room for their gradient. */
dun_buffer *dun_session_points(dun_session *session);
dun_buffer *dun_session_point_gradient(dun_session *session);

/* The way back of n points that dun_session_run left, from their gradient (n, D) in
 * dun_session_point_gradient, which is overwritten: leaves the gradient of the prompt in engine.d_prompt. */
int dun_session_backward(dun_session *session, uint32_t n);

/* What else a way through many texts does. NULL: nothing, and Ctrl-C ends it. */
typedef struct {
    float *sink;   /* (texts.n, D) where it leaves every point; NULL: nowhere */
    bool patient;  /* Ctrl-C is the caller's to notice */
    bool at_start; /* the prompt in use is session->prompt: points may come from, and go to, start_points.h */
} dun_pass;

/* Runs texts first .. first + n - 1, batch by batch, with progress: `each` is called after every batch with
 * the batch's first text and its count. */
typedef int dun_batch_visitor(void *self, uint32_t first, uint32_t count);
int dun_session_run_all(dun_session *session, const dun_pass *pass, uint32_t first, uint32_t n,
                        const char *stage, dun_batch_visitor *each, void *self);

/* Whether a config's points need training texts before they can be compared. */
bool dun_points_are_fitted(const dun_config *config);

/* The width of a point as it is compared. */
uint32_t dun_session_point_width(const dun_session *session);

#endif
