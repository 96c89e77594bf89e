/* Weights in the loss: loss.class_weights as a word or a list, and how they and those of texts compare. */
#include "base/err.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/utf8.h"
#include "session/session.h"

#include <string.h>

/* The examples that are trained on; without their tokens, all. */
typedef struct {
    size_t first, end;
} range;

static range trained_on(const dun_session *session) {
    const size_t first = session->first_train;
    return session->n_train ? (range){first, first + session->n_train} : (range){0, session->train->n};
}

static int refuse(const dun_session *session, const char *what) {
    const dun_config *config = session->config;
    return dun_error(DUN_USAGE, "%s: loss.class_weights = %s: %s",
                     dun_config_origin(config, DUN_KEY_loss_class_weights), config->loss.class_weights, what);
}

static int refuse_class(const dun_session *session, const char *word) {
    int rc;
    dun_str classes = {0};
    for (uint32_t k = 0; k < session->labels.n_classes && classes.length < 500; k++)
        TRY(dun_str_addf(&classes, "%s%s", k ? ", " : "", session->labels.names[k]));
    rc = dun_error(DUN_BAD_INPUT, "%s: loss.class_weights names \"%s\", which is no class; they are %s",
                   dun_config_origin(session->config, DUN_KEY_loss_class_weights), word, classes.bytes);
out:
    dun_str_free(&classes);
    return rc;
}

/* Every class weighs as much as any other: w_k = all / (classes * those of k), which texts' own weights count
 * in.
 */
static int balance(dun_session *session) {
    int rc = DUN_OK;
    const uint32_t K = session->labels.n_classes;
    double *of_class = NULL, all = 0, n = 0;
    TRY_NEW(of_class, K);
    const range trained = trained_on(session);
    for (size_t i = trained.first; i < trained.end; i++)
        of_class[session->train->examples[i].label] += session->train->examples[i].weight;
    for (uint32_t k = 0; k < K; k++) {
        all += of_class[k];
        n += of_class[k] > 0;
    }
    for (uint32_t k = 0; k < K; k++)
        session->class_weight[k] = of_class[k] > 0 ? all / (n * of_class[k]) : 1;
out:
    dun_free(of_class);
    return rc;
}

/* One "class:weight" of the list, which is cut up; `named`: [K] by an entry before. */
static int read_entry(dun_session *session, bool *named, char *entry) {
    int rc;
    uint32_t k;
    bool lost;
    char *colon = strrchr(entry, ':');
    if (!colon)
        TRY(refuse(session, "none, balanced or class:weight, class:weight is needed, as in bad:3, good:0.5"));
    *colon = '\0';
    const dun_slice word = dun_utf8_trim(entry, strlen(entry)),
                    number = dun_utf8_trim(colon + 1, strlen(colon + 1));
    ((char *)(uintptr_t)word.bytes)[word.length] = '\0';
    ((char *)(uintptr_t)number.bytes)[number.length] = '\0';
    if (!dun_labels_class(&k, &session->labels, word.bytes))
        TRY(refuse_class(session, word.bytes));
    TRY(dun_number_read(&session->class_weight[k], &lost, number.bytes));
    if (rc == 0 || session->class_weight[k] < 0)
        TRY(refuse(session, "a weight must be a number from 0"));
    if (named[k])
        TRY(refuse(session, "a class is named twice"));
    named[k] = true;
    rc = DUN_OK;
out:
    return rc;
}

static int read_list(dun_session *session) {
    int rc = DUN_OK;
    bool *named = NULL, any = false;
    char *copy = NULL;
    const uint32_t K = session->labels.n_classes;
    TRY_NEW(named, K);
    TRY_PTR(copy, dun_strdup(session->config->loss.class_weights));
    for (char *entry = copy, *next; entry; entry = next) {
        next = strchr(entry, ',');
        if (next)
            *next++ = '\0';
        TRY(read_entry(session, named, entry));
    }
    const range trained = trained_on(session);
    for (size_t i = trained.first; i < trained.end; i++)
        any |= session->class_weight[session->train->examples[i].label] > 0;
    if (!any)
        TRY(refuse(session, "the weights of all texts are 0; one above it is needed"));
out:
    dun_free(copy);
    dun_free(named);
    return rc;
}

/* True: not all are 1 then. */
static bool make_largest_1(double *weights, uint32_t n) {
    double most = 0;
    bool differ = false;
    for (uint32_t i = 0; i < n; i++)
        most = weights[i] > most ? weights[i] : most;
    for (uint32_t i = 0; i < n; i++) {
        weights[i] /= most;
        differ |= weights[i] < 1;
    }
    return differ;
}

int dun_session_weigh_classes(dun_session *session) {
    int rc = DUN_OK;
    const char *what = session->config->loss.class_weights;
    const uint32_t K = session->labels.n_classes;
    dun_free(session->class_weight);
    session->class_weight = NULL;
    TRY_NEW(session->class_weight, K);
    for (uint32_t k = 0; k < K; k++)
        session->class_weight[k] = 1;
    if (strcmp(what, "balanced") == 0)
        TRY(balance(session));
    else if (*what && strcmp(what, "none") != 0)
        TRY(read_list(session));
    session->weighted = make_largest_1(session->class_weight, K);
    double *of_texts = session->n_train ? session->texts.weight + session->first_train : NULL;
    for (uint32_t i = 0; i < session->n_train;
         i++) /* for other texts before, others may have been the largest */
        of_texts[i] = session->train->examples[session->first_train + i].weight;
    session->weighted |= make_largest_1(of_texts, session->n_train);
out:
    return rc;
}
