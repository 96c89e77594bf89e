/* A learning curve: trainings on 32, 64, ... all texts of a config, which answer whether more labels would
 * help. The texts are read, and run through the model, once for all of them. */
#ifndef DUN_CURVE_H
#define DUN_CURVE_H

#include "base/str.h"
#include "run/experiment.h"

#include <jansson.h>

enum { DUN_CURVE_RUNS = 20, DUN_CURVE_SIZES = 32 };

typedef struct {
    const char *path; /* config file */
    uint32_t from;    /* texts of the smallest size */
    uint32_t
        runs; /* of a size, each with texts of its own, as far as there are enough; 1 .. DUN_CURVE_RUNS */
    bool same_steps; /* smaller sizes take as many steps as all texts do, instead of as many epochs */
    const dun_overrides *overrides; /* NULL: none */
    const dun_observer *observer;
} dun_curve_order;

/* Of one size. Accuracies are those of the validation texts. */
typedef struct {
    uint32_t n_texts, n_runs;
    double accuracy[DUN_CURVE_RUNS]; /* of each run */
    double mean, low,
        high;         /* mean of the runs, with Wilson's interval of 95 % for as many validation texts */
    double untrained; /* mean of what class means under the starting prompt reach */
    uint64_t steps;   /* of a run */
    double seconds;   /* of all */
} dun_curve_size;

/* Would more labels help? By what the last step of the curve brought, on the same validation texts. */
enum dun_curve_answer { DUN_CURVE_YES, DUN_CURVE_HARDLY, DUN_CURVE_UNCLEAR };

/* Points of accuracy, as a share, that are hardly worth more labels. */
#define DUN_CURVE_LITTLE 0.01

typedef struct {
    char *name;  /* of the config */
    char *model; /* of the model */
    uint32_t n_valid;
    bool same_steps;
    dun_curve_size sizes[DUN_CURVE_SIZES];
    uint32_t n_sizes;
    double gain, gain_low, gain_high; /* from the last but one size to the last, with an interval of 95 % */
    enum dun_curve_answer answer;
} dun_curve;

/* The sizes: from, twice that, ... all; the last but one at most 4/5 of all. Returns how many. */
uint32_t dun_curve_sizes(uint32_t sizes[DUN_CURVE_SIZES], uint32_t from, uint32_t all);

/* Wilson's interval of 95 % for a share of n. */
void dun_curve_interval(double *low, double *high, double share, double n);

/* Interval of 95 % for the mean of n changes of a text, -1 .. 1 each, from their sum and the sum of their
 * squares, with half a text more that changed each way and two halves that did not (Agresti and Min 2005), so
 * that few texts without a change are not certain; of_runs: the variance of the mean that runs add. */
void dun_curve_gain_interval(double *low, double *high, double sum, double squares, double n, double of_runs);

/* Runs all of them. DUN_USAGE: the config, or too few texts for two sizes; DUN_BAD_INPUT: data, or a class
 * without a text in the smallest size; DUN_INTERRUPTED. `curve` is for dun_curve_free in any case. */
int dun_curve_run(dun_curve *curve, const dun_curve_order *order);
void dun_curve_free(dun_curve *curve);

/* What it says, as a sentence. */
int dun_curve_sentence(dun_str *out, const dun_curve *curve);

/* A table for people; a table with a head for spreadsheets; a new object with all of it. */
int dun_curve_text(dun_str *out, const dun_curve *curve);
int dun_curve_csv(dun_str *out, const dun_curve *curve);
int dun_curve_json(json_t **out, const dun_curve *curve);

#endif
