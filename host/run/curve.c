/* Trains on stretches of the texts, one size after another, in one session. */
#include "run/curve.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "run/order.h"
#include "session/model_name.h"
#include "session/reopen.h"
#include "session/subset.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    const dun_curve_order *order;
    dun_curve *curve;
    dun_config config;
    dun_session session;
    uint32_t n_all;               /* training texts */
    int64_t epochs;               /* of the config */
    double *right, *right_before; /* [n_valid] share of a size's runs, and of those before it, that answer a
                                     text right */
} job;

uint32_t dun_curve_sizes(uint32_t sizes[DUN_CURVE_SIZES], uint32_t from, uint32_t all) {
    uint32_t n = 0;
    for (uint64_t size = from; size <= (uint64_t)all * 4 / 5 && n < DUN_CURVE_SIZES - 1; size *= 2)
        sizes[n++] = (uint32_t)size;
    sizes[n++] = all;
    return n;
}

void dun_curve_interval(double *low, double *high, double share, double n) {
    const double z = 1.96, d = 1 + z * z / n, middle = (share + z * z / (2 * n)) / d;
    const double half = z / d * sqrt(share * (1 - share) / n + z * z / (4 * n * n));
    *low = middle - half;
    *high = middle + half;
}

/* The config without what its runs would leave. */
static int read_config(job *j) {
    int rc = DUN_OK;
    static const enum dun_config_id unwanted[] = {DUN_KEY_output_report, DUN_KEY_output_pictures,
                                                  DUN_KEY_output_tensorboard, DUN_KEY_output_calibrate,
                                                  DUN_KEY_train_probe};
    dun_config *config = &j->config;
    const char *path = j->order->path;
    TRY(dun_config_init(config));
    if (dun_run_dir_exists(path))
        TRY(dun_error(DUN_USAGE, "%s: is a run directory; a config file is needed: %s/config.ini", path,
                      path));
    TRY(dun_experiment_read_config(config, path, j->order->overrides));
    for (size_t i = 0; i < sizeof unwanted / sizeof *unwanted; i++)
        TRY(dun_config_put(config, unwanted[i], "no", "dunlin curve"));
    TRY(dun_config_check(config));
    TRY(dun_model_name_settle(config));
    TRY_PTR(j->curve->name, dun_experiment_name(config, path));
    j->epochs = config->train.epochs;
out:
    return rc;
}

/* Model and texts, in the order whose stretches are trained on. */
static int open_texts(job *j) {
    int rc = DUN_OK;
    dun_session *session = &j->session;
    TRY(dun_session_reopen(session, &j->config, j->order->observer));
    TRY_PTR(j->curve->model, dun_strdup(dun_model_file_spec(session->model)->name));
    if (session->n_valid == 0)
        TRY(dun_error(DUN_USAGE,
                      "%s: a curve is measured on validation texts; data.valid or data.valid_share is needed",
                      j->order->path));
    TRY(dun_session_spread(session, (uint64_t)j->config.experiment.seed));
    j->n_all = session->n_train;
    j->curve->n_valid = session->n_valid;
    j->curve->same_steps = j->order->same_steps;
    TRY_NEW(j->right, session->n_valid);
    TRY_NEW(j->right_before, session->n_valid);
out:
    return rc;
}

static int choose_sizes(job *j) {
    int rc = DUN_OK;
    uint32_t sizes[DUN_CURVE_SIZES];
    const uint32_t n = dun_curve_sizes(sizes, j->order->from, j->n_all);
    if (n < 2)
        TRY(dun_error(
            DUN_USAGE,
            "%u training texts are too few for a curve from %u texts on; at least %u are needed, or a "
            "smaller --from",
            j->n_all, j->order->from, j->order->from + (j->order->from + 3) / 4));
    TRY(dun_session_has_classes(&j->session, 0, sizes[0]));
    if (rc == 0)
        TRY(dun_error(DUN_USAGE,
                      "%u texts have no place for one of each of %u classes; a larger --from is needed",
                      sizes[0], j->session.labels.n_classes));
    for (uint32_t i = 0; i < n; i++)
        j->curve->sizes[i].n_texts = sizes[i];
    j->curve->n_sizes = n;
    rc = DUN_OK;
out:
    return rc;
}

/* Batches of n texts. */
static double batches(const job *j, uint32_t n) {
    const uint32_t size = (uint32_t)j->config.train.batch_size;
    return (double)((n + size - 1) / size);
}

/* As many epochs as the config says, or so many that the steps are as many as with all texts. */
static int set_epochs(job *j, uint32_t n) {
    char number[32];
    const double factor = j->order->same_steps ? batches(j, j->n_all) / batches(j, n) : 1;
    snprintf(number, sizeof number, "%lld", (long long)((double)j->epochs * factor + 0.5));
    return dun_config_put(&j->config, DUN_KEY_train_epochs, number, "dunlin curve");
}

/* Takes a run's answers. */
static void take(job *j, dun_curve_size *size, const dun_run_result *result) {
    const dun_session *session = &j->session;
    const uint32_t K = session->labels.n_classes;
    for (uint32_t i = 0; i < session->n_valid; i++)
        j->right[i] += dun_nearest_centroid(result->distances + (size_t)i * K, K) ==
                       session->texts.label[session->first_valid + i];
    size->accuracy[size->n_runs++] = result->metrics.accuracy;
    size->untrained += result->baseline.accuracy;
    size->steps = result->steps;
}

static int run_once(job *j, dun_curve_size *size, uint32_t first) {
    int rc = DUN_OK;
    dun_kept kept = {0};
    dun_run_outcome outcome = {0};
    const bool begins = !j->session.device; /* until then there is something to hear of */
    dun_session_narrow(&j->session, first, size->n_texts);
    TRY(set_epochs(j, size->n_texts));
    const dun_run_order order = {.session = &j->session,
                                 .config = &j->config,
                                 .folder = "",
                                 .name = j->curve->name,
                                 .kept = &kept,
                                 .observer = begins ? j->order->observer : NULL};
    TRY(dun_run_carry_out(&outcome, &order));
    take(j, size, &outcome.result);
    dun_observe_say(j->order->observer, "curve     %u texts, run %u: accuracy %.4f, without training %.4f",
                    size->n_texts, size->n_runs, outcome.result.metrics.accuracy,
                    outcome.result.baseline.accuracy);
out:
    dun_run_outcome_free(&outcome);
    dun_kept_free(&kept);
    return rc;
}

/* The runs of a size, on stretches that follow each other and have every class. */
static int run_size(job *j, dun_curve_size *size) {
    int rc = DUN_OK;
    const double begun = dun_clock_seconds();
    memset(j->right, 0, j->session.n_valid * sizeof *j->right);
    for (uint32_t i = 0; i < j->order->runs && (uint64_t)(i + 1) * size->n_texts <= j->n_all; i++) {
        TRY(dun_session_has_classes(&j->session, i * size->n_texts, size->n_texts));
        if (rc == 1)
            TRY(run_once(j, size, i * size->n_texts));
    }
    rc = DUN_OK;
    for (uint32_t i = 0; i < size->n_runs; i++)
        size->mean += size->accuracy[i] / size->n_runs;
    size->untrained /= size->n_runs;
    for (uint32_t i = 0; i < j->session.n_valid; i++)
        j->right[i] /= size->n_runs;
    dun_curve_interval(&size->low, &size->high, size->mean, j->session.n_valid);
    size->seconds = dun_clock_seconds() - begun;
out:
    return rc;
}

/* Variance of the mean of a size's runs; of one run none is known. */
static double variance_of_runs(const dun_curve_size *size) {
    double sum = 0;
    for (uint32_t i = 0; i < size->n_runs; i++)
        sum += (size->accuracy[i] - size->mean) * (size->accuracy[i] - size->mean);
    return size->n_runs > 1 ? sum / (size->n_runs - 1) / size->n_runs : 0;
}

void dun_curve_gain_interval(double *low, double *high, double sum, double squares, double n,
                             double of_runs) {
    const double m = n + 2, mean = sum / m, of_texts = ((squares + 1) / m - mean * mean) / m;
    const double half = 1.96 * sqrt(of_texts + of_runs);
    *low = mean - half;
    *high = mean + half;
}

/* What the last step brought, text by text. */
static void judge(job *j) {
    dun_curve *curve = j->curve;
    const double n = curve->n_valid;
    double sum = 0, squares = 0;
    for (uint32_t i = 0; i < curve->n_valid; i++) {
        const double change = j->right[i] - j->right_before[i];
        sum += change;
        squares += change * change;
    }
    curve->gain = sum / n;
    dun_curve_gain_interval(&curve->gain_low, &curve->gain_high, sum, squares, n,
                            variance_of_runs(&curve->sizes[curve->n_sizes - 2]));
    curve->answer = curve->gain_low > 0                   ? DUN_CURVE_YES
                    : curve->gain_high < DUN_CURVE_LITTLE ? DUN_CURVE_HARDLY
                                                          : DUN_CURVE_UNCLEAR;
}

int dun_curve_run(dun_curve *curve, const dun_curve_order *order) {
    int rc = DUN_OK;
    job j = {.order = order, .curve = curve};
    *curve = (dun_curve){0};
    TRY(read_config(&j));
    TRY(open_texts(&j));
    TRY(choose_sizes(&j));
    for (uint32_t i = 0; i < curve->n_sizes; i++) {
        double *before = j.right_before;
        j.right_before = j.right;
        j.right = before;
        TRY(run_size(&j, &curve->sizes[i]));
    }
    judge(&j);
out:
    dun_free(j.right);
    dun_free(j.right_before);
    dun_session_close(&j.session);
    dun_config_free(&j.config);
    return rc;
}

void dun_curve_free(dun_curve *curve) {
    dun_free(curve->name);
    dun_free(curve->model);
    *curve = (dun_curve){0};
}
