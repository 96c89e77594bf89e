/* Answers questions with a session of its own: a model, a device, and the texts that it was given. */
#include "run/rank_work.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/observer.h"
#include "check/trust.h"
#include "config/paths.h"
#include "dev/kernel_text.h"
#include "ranks/ranks.h"
#include "session/rank.h"
#include "session/session_inside.h"
#include "session/texts_wire.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    dun_config config;
    dun_session session;
    bool is_open;
    uint32_t *which; /* [max_sequences] of a batch */
    float *floats;   /* its points, prompt, or gradients */
    size_t n_floats;
    uint32_t number; /* of the question */
    dun_str in, out; /* the question, the answer */
} worker;

static int begin_answer(worker *w, int status) {
    int rc = DUN_OK;
    TRY(dun_wire_begin(&w->out));
    TRY(dun_wire_u32(&w->out, w->number));
    TRY(dun_wire_u32(&w->out, (uint32_t)status));
out:
    return rc;
}

static void close_session(worker *w) {
    dun_session_close(&w->session);
    dun_config_free(&w->config);
    w->config = (dun_config){0};
    dun_free(w->which);
    dun_free(w->floats);
    w->which = NULL;
    w->floats = NULL;
    w->is_open = false;
}

static size_t prompt_floats(const worker *w) {
    return w->session.engine.prompt.bytes / sizeof(float);
}

/* The device of device.use for this one of its host's ranks. */
static int choose_device(worker *w) {
    int rc = DUN_OK;
    dun_device_info *infos = NULL;
    size_t n = 0;
    uint32_t chosen;
    char use[16];
    TRY(dun_device_list(&infos, &n));
    TRY(dun_device_select_turn(&chosen, infos, n, w->config.device.use, dun_ranks_local()));
    snprintf(use, sizeof use, "%u", chosen);
    TRY(dun_config_put(&w->config, DUN_KEY_device_use, use, "the rank's number on its host"));
out:
    dun_free(infos);
    return rc;
}

static int compare_model(const dun_session *session, uint64_t wanted) {
    const uint64_t found = dun_model_file_fingerprint(session->model);
    if (found == wanted)
        return DUN_OK;
    return dun_error(DUN_BAD_INPUT,
                     "%s is another model file (hash %016" PRIx64 ") than rank 0's (%016" PRIx64 ")",
                     dun_model_file_path(session->model), found, wanted);
}

static int compare_kernels(uint64_t wanted) {
    int rc = DUN_OK;
    uint64_t found;
    TRY(dun_kernel_text_hash(&found));
    if (found != wanted)
        TRY(dun_error(DUN_USAGE,
                      "has another text of kernels (hash %016" PRIx64 ") than rank 0 (%016" PRIx64
                      "): another build of dunlin, or another DUNLIN_KERNELS",
                      found, wanted));
out:
    return rc;
}

/* Where this rank reads the config otherwise than rank 0 wrote it. */
static int compare_config(const dun_config *config, const char *wanted) {
    int rc = DUN_OK;
    dun_str text = {0};
    TRY(dun_config_write(&text, config));
    const char *mine = text.bytes, *theirs = wanted;
    while (*mine && *mine == *theirs) {
        mine++;
        theirs++;
    }
    while (mine > text.bytes && mine[-1] != '\n') {
        mine--;
        theirs--;
    }
    if (*mine || *theirs)
        TRY(dun_error(DUN_USAGE, "reads rank 0's config otherwise: \"%.*s\" is \"%.*s\"",
                      (int)strcspn(theirs, "\n"), theirs, (int)strcspn(mine, "\n"), mine));
out:
    dun_str_free(&text);
    return rc;
}

/* The prompt as it stands at rank 0, and the tokens that all texts begin with. */
static int take_prompt(worker *w, dun_wire *wire) {
    int rc = DUN_OK;
    dun_session *session = &w->session;
    session->n_train = dun_wire_take_u32(wire);
    session->prompt.n_prompts = dun_wire_take_u32(wire);
    session->prompt.n_rows = dun_wire_take_u32(wire);
    session->prompt.width = dun_wire_take_u32(wire);
    const uint64_t n = (uint64_t)session->prompt.n_rows * session->prompt.width * session->prompt.n_prompts;
    if (wire->lost || session->prompt.n_prompts != (uint32_t)session->config->prompt.count ||
        n > wire->left / sizeof(float) || session->prompt.width != dun_model_file_spec(session->model)->width)
        TRY(dun_error(DUN_FAILED, "rank 0's prompt did not come whole"));
    TRY_NEW(session->prompt.rows, n);
    dun_wire_take_bytes(session->prompt.rows, wire, n * sizeof(float));
    TRY(dun_template_resolve(&session->template, session->tokenizer, session->prompt.n_rows));
    TRY(dun_texts_receive_shared(&session->texts, wire));
out:
    return rc;
}

/* As a training does before its first step, where this is one. */
static int trust(worker *w, bool backward) {
    int rc = DUN_OK;
    enum dun_weight_form form;
    dun_str reason = {0};
    if (!backward)
        goto out;
    TRY(dun_session_choose_weights(&form, &reason, &w->session,
                                   dun_config_word(&w->config, DUN_KEY_device_gemm), true));
    TRY(dun_session_choose_precision(&w->session));
    TRY(dun_trust_config(&w->config, dun_model_file_spec(w->session.model)->head_dim, w->session.precision,
                         form, NULL));
out:
    dun_str_free(&reason);
    return rc;
}

static int add_self(worker *w) {
    int rc = DUN_OK;
    const dun_identity self = dun_identity_of(&w->session.compute);
    TRY(dun_wire_bytes(&w->out, self.device, sizeof *self.device));
    TRY(dun_wire_bytes(&w->out, self.tiles, sizeof *self.tiles));
    TRY(dun_wire_u32(&w->out, dun_engine_point_width(&w->session.engine)));
    TRY(dun_wire_text(&w->out, self.gemm));
    TRY(dun_wire_text(&w->out, self.precision));
    TRY(dun_wire_text(&w->out, self.precision_reason));
    TRY(dun_wire_text(&w->out, self.reason));
out:
    return rc;
}

static int open_engine(worker *w, bool backward) {
    int rc = DUN_OK;
    dun_session *session = &w->session;
    TRY(choose_device(w));
    TRY(trust(w, backward));
    TRY(dun_session_start_engine(session, backward));
    const size_t P = prompt_floats(w), D = dun_engine_point_width(&session->engine);
    w->n_floats = session->engine.options.max_sequences * (P > D ? P : D);
    TRY_NEW(w->which, session->engine.options.max_sequences);
    TRY_NEW(w->floats, w->n_floats);
out:
    return rc;
}

static int answer_open(worker *w, dun_wire *wire) {
    int rc = DUN_OK;
    close_session(w);
    const bool backward = dun_wire_take_u32(wire) != 0;
    const char *config = dun_wire_take_text(wire);
    const uint64_t model = dun_wire_take_u64(wire), kernels = dun_wire_take_u64(wire);
    TRY(compare_kernels(kernels));
    TRY(dun_config_init(&w->config));
    w->is_open = true;
    TRY(dun_config_parse(&w->config, config, strlen(config), "rank 0's config"));
    TRY(compare_config(&w->config, config));
    TRY(dun_paths_check(&w->config, DUN_KEY_model_path));
    TRY(dun_session_open(&w->session, &w->config, NULL));
    TRY(compare_model(&w->session, model));
    TRY(take_prompt(w, wire));
    TRY(open_engine(w, backward));
    TRY(add_self(w));
out:
    if (rc < 0)
        close_session(w);
    return rc;
}

static int answer_close(worker *w, dun_wire *wire) {
    (void)wire;
    close_session(w);
    return DUN_OK;
}

static int answer_assign(worker *w, dun_wire *wire) {
    int rc = DUN_OK;
    dun_session *session = &w->session;
    uint32_t n_kept = 0;
    TRY(dun_local_kind.assign(&n_kept, session->first, NULL, NULL, 0));
    dun_texts_drop(&session->texts, session->texts.n);
    if (dun_wire_take_u32(wire)) {
        TRY(dun_texts_receive(&session->texts, wire));
        TRY(dun_local_kind.assign(&n_kept, session->first, &session->texts, NULL, session->texts.n));
    }
    TRY(dun_wire_u32(&w->out, n_kept));
out:
    return rc;
}

/* Pass after pass, until all texts are read or rank 0 wants something else. */
static int answer_fill(worker *w, dun_wire *wire) {
    int rc = DUN_OK;
    dun_local *first = w->session.first;
    const uint32_t n = dun_text_cache_kept(&first->cache);
    uint32_t filled = 0;
    (void)wire;
    for (;;) {
        TRY(dun_local_kind.fill_some(&filled, first));
        TRY(dun_local_kind.finish(first));
        TRY(dun_wire_u32(&w->out, filled));
        if (filled >= n || dun_ranks_has_message(0))
            break;
        TRY(dun_ranks_send(0, &w->out));
        TRY(begin_answer(w, DUN_OK));
    }
out:
    return rc;
}

static int answer_trial(worker *w, dun_wire *wire) {
    int rc = DUN_OK;
    double seconds;
    (void)wire;
    TRY(dun_member_measure(&seconds, &dun_local_kind, w->session.first));
    TRY(dun_wire_bytes(&w->out, &seconds, sizeof seconds));
out:
    return rc;
}

static int broken(void) {
    return dun_error(DUN_FAILED, "rank 0's question does not hold together");
}

/* The points of n texts that were started. */
static int add_points(worker *w, uint32_t n) {
    int rc = DUN_OK;
    TRY(dun_local_kind.points(w->floats, w->session.first));
    TRY(dun_wire_bytes(&w->out, w->floats,
                       (size_t)n * dun_engine_point_width(&w->session.engine) * sizeof(float)));
out:
    return rc;
}

static int answer_start(worker *w, dun_wire *wire) {
    int rc = DUN_OK;
    dun_wire_take_bytes(w->floats, wire, prompt_floats(w) * sizeof(float));
    const uint32_t n = dun_wire_take_u32(wire);
    if (wire->lost || n == 0 || n > w->session.engine.options.max_sequences)
        TRY(broken());
    dun_wire_take_bytes(w->which, wire, n * sizeof *w->which);
    for (uint32_t i = 0; i < n; i++)
        if (wire->lost || w->which[i] >= w->session.texts.n)
            TRY(broken());
    TRY(dun_local_kind.start(w->session.first, w->floats, w->which, n));
    TRY(add_points(w, n));
out:
    return rc;
}

static int answer_back(worker *w, dun_wire *wire) {
    int rc = DUN_OK;
    const uint32_t n = dun_local_texts(w->session.first);
    dun_wire_take_bytes(w->floats, wire,
                        (size_t)n * dun_engine_point_width(&w->session.engine) * sizeof(float));
    if (wire->lost || n == 0)
        TRY(broken());
    TRY(dun_local_kind.start_backward(w->session.first, w->floats));
    TRY(dun_local_kind.gradients(w->floats, w->session.first));
    TRY(dun_wire_bytes(&w->out, w->floats, n * prompt_floats(w) * sizeof(float)));
out:
    return rc;
}

static int answer_texts(worker *w, dun_wire *wire) {
    int rc = DUN_OK;
    dun_texts *texts = &w->session.texts;
    dun_texts_drop(texts, texts->n);
    TRY(dun_texts_receive(texts, wire));
    if (texts->n == 0 || texts->n > w->session.engine.options.max_sequences)
        TRY(broken());
    for (uint32_t i = 0; i < texts->n; i++)
        w->which[i] = i;
    TRY(dun_local_kind.start(w->session.first, NULL, w->which, texts->n));
    TRY(add_points(w, texts->n));
out:
    return rc;
}

static int (*const answers[])(worker *w, dun_wire *wire) = {
    [DUN_RANK_OPEN] = answer_open, [DUN_RANK_CLOSE] = answer_close, [DUN_RANK_ASSIGN] = answer_assign,
    [DUN_RANK_FILL] = answer_fill, [DUN_RANK_TRIAL] = answer_trial, [DUN_RANK_START] = answer_start,
    [DUN_RANK_BACK] = answer_back, [DUN_RANK_TEXTS] = answer_texts,
};

static int answer(worker *w, uint32_t question, dun_wire *wire) {
    int rc = DUN_OK;
    w->number = dun_wire_take_u32(wire);
    TRY(begin_answer(w, DUN_OK));
    const bool opens = question == DUN_RANK_OPEN || question == DUN_RANK_CLOSE;
    if (question >= sizeof answers / sizeof *answers || (!opens && !w->is_open))
        rc = broken();
    else
        rc = answers[question](w, wire);
    if (rc < 0) {
        const int status = rc;
        TRY(begin_answer(w, status));
        TRY(dun_wire_text(&w->out, dun_error_message()));
        dun_error_clear();
    }
    TRY(dun_ranks_send(0, &w->out));
out:
    return rc;
}

int dun_rank_work(void) {
    int rc = DUN_OK;
    worker w = {0};
    for (;;) {
        TRY(dun_ranks_receive(&w.in, 0));
        dun_wire wire = dun_wire_of(&w.in);
        const uint32_t question = dun_wire_take_u32(&wire);
        if (wire.lost || question == DUN_RANKS_END)
            break;
        TRY(answer(&w, question, &wire));
    }
out:
    close_session(&w);
    dun_str_free(&w.in);
    dun_str_free(&w.out);
    return rc;
}
