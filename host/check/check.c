/* Makes a case's tensors with canaries, launches kernels, compares with double, cleans up after it. */
#include "check/check.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const uint32_t canary = 0xFFFFFFFFu; /* a NaN */

void dun_check_init(dun_check *c, dun_compute *compute) {
    *c = (dun_check){.compute = compute, .gemm = compute->gemm};
}

void dun_check_begin(dun_check *c, size_t index, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(c->name, sizeof c->name, format, args);
    va_end(args);
    c->draws = (uint64_t)index << 32;
    c->n_cases++;
}

void dun_check_fail(dun_check *c, const char *format, ...) {
    char text[500];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (c->n_failed++ == 0)
        snprintf(c->message, sizeof c->message, "%s: %s", c->name, text);
}

void dun_check_stop_at(dun_check *c, int rc) {
    if (rc >= 0)
        return;
    dun_check_fail(c, "%s", dun_error_message());
    c->stopped = true;
}

static void *new_block(dun_check *c, size_t n, size_t size) {
    assert(c->n_blocks < DUN_CHECK_BLOCKS);
    void *block = c->stopped ? NULL : dun_calloc(n, size);
    if (block)
        c->blocks[c->n_blocks++] = block;
    else
        DUN_CHECK_TRY(c, DUN_FAILED);
    return block;
}

void *dun_check_own(dun_check *c, size_t size, void (*release)(void *)) {
    assert(c->n_owned < DUN_CHECK_OWNED);
    void *object = new_block(c, 1, size);
    if (!object)
        return NULL;
    c->owned[c->n_owned].object = object;
    c->owned[c->n_owned++].release = release;
    return object;
}

double *dun_check_doubles(dun_check *c, size_t n) {
    return new_block(c, n, sizeof(double));
}

int32_t *dun_check_ints(dun_check *c, size_t n) {
    return new_block(c, n, sizeof(int32_t));
}

double *dun_check_random(dun_check *c, size_t n, double scale) {
    double *values = dun_check_doubles(c, n);
    for (size_t i = 0; values && i < n; i++)
        values[i] = (float)(scale * dun_random_normal(7, DUN_STREAM_TEST, c->draws++));
    return values;
}

/* A tensor of n words with its canary; `words` as they are, or all canary when NULL. */
static dun_check_tensor *new_tensor(dun_check *c, const char *name, const uint32_t *words, size_t n,
                                    bool constant) {
    assert(c->n_tensors < DUN_CHECK_TENSORS);
    dun_check_tensor *t = &c->tensors[c->n_tensors];
    size_t total = n + DUN_CHECK_CANARY_WORDS;
    *t = (dun_check_tensor){.name = name, .n = n, .constant = constant};
    t->before = new_block(c, total, sizeof *t->before);
    for (size_t i = 0; t->before && i < total; i++)
        t->before[i] = words && i < n ? words[i] : canary;
    DUN_CHECK_TRY(c, dun_buffer_create(&t->buffer, c->compute->device, total * sizeof *t->before, name));
    if (c->stopped)
        return &c->nothing;
    c->n_tensors++;
    DUN_CHECK_TRY(c, dun_buffer_write(&t->buffer, 0, t->before, total * sizeof *t->before));
    return t;
}

/* NaN becomes the canary. */
static uint32_t *to_words(dun_check *c, const double *values, size_t n) {
    uint32_t *words = new_block(c, n, sizeof *words);
    for (size_t i = 0; words && i < n; i++) {
        float value = (float)values[i];
        memcpy(&words[i], isnan(value) ? (const void *)&canary : &value, sizeof value);
    }
    return words;
}

dun_check_tensor *dun_check_input(dun_check *c, const char *name, const double *values, size_t n) {
    return new_tensor(c, name, to_words(c, values, n), n, true);
}

dun_check_tensor *dun_check_in_out(dun_check *c, const char *name, const double *values, size_t n) {
    return new_tensor(c, name, to_words(c, values, n), n, false);
}

dun_check_tensor *dun_check_input_ints(dun_check *c, const char *name, const int32_t *values, size_t n) {
    return new_tensor(c, name, (const uint32_t *)values, n, true);
}

dun_check_tensor *dun_check_output(dun_check *c, const char *name, size_t n) {
    return new_tensor(c, name, NULL, n, false);
}

static uint32_t *read_words(dun_check *c, const dun_check_tensor *t) {
    if (c->stopped)
        return NULL;
    size_t total = t->n + DUN_CHECK_CANARY_WORDS;
    uint32_t *words = new_block(c, total, sizeof *words);
    DUN_CHECK_TRY(c, dun_buffer_read(words, &t->buffer, 0, total * sizeof *words));
    return c->stopped ? NULL : words;
}

void dun_check_freeze(dun_check *c, dun_check_tensor *t) {
    uint32_t *now = read_words(c, t);
    if (!now)
        return;
    t->before = now;
    t->constant = true;
}

static float float_of(uint32_t word) {
    float value;
    memcpy(&value, &word, sizeof value);
    return value;
}

double *dun_check_read(dun_check *c, const dun_check_tensor *t) {
    const uint32_t *words = read_words(c, t);
    double *values = dun_check_doubles(c, t->n);
    for (size_t i = 0; values && i < t->n; i++)
        values[i] = float_of(words[i]);
    return values;
}

static void look_at_canaries(dun_check *c) {
    for (size_t k = 0; k < c->n_tensors; k++) {
        dun_check_tensor *t = &c->tensors[k];
        const uint32_t *now = read_words(c, t);
        if (!now)
            return;
        for (size_t i = t->n; i < t->n + DUN_CHECK_CANARY_WORDS; i++)
            if (now[i] != canary) {
                dun_check_fail(c, "%s: written %zu floats beyond its end of %zu", t->name, i - t->n + 1,
                               t->n);
                break;
            }
        for (size_t i = 0; t->constant && i < t->n; i++)
            if (now[i] != t->before[i]) {
                dun_check_fail(c, "%s: an input was changed at %zu", t->name, i);
                break;
            }
    }
}

static void free_case(dun_check *c) {
    while (c->n_owned > 0) {
        c->n_owned--;
        c->owned[c->n_owned].release(c->owned[c->n_owned].object);
    }
    while (c->n_tensors > 0)
        dun_buffer_free(&c->tensors[--c->n_tensors].buffer);
    while (c->n_blocks > 0)
        dun_free(c->blocks[--c->n_blocks]);
    c->stopped = false;
}

void dun_check_end(dun_check *c) {
    look_at_canaries(c);
    free_case(c);
}

void dun_check_run_case(dun_check *c, void (*run)(dun_check *c, size_t index), size_t index) {
    run(c, index);
    dun_check_end(c);
}

void dun_check_launch(dun_check *c, const dun_kernel_list *list, size_t id, dun_range range,
                      const dun_arg *args, size_t n_args) {
    DUN_CHECK_TRY(c, dun_compute_use(c->compute, list, 1u << list->rows[id].topic));
    DUN_CHECK_TRY(c, dun_launch(dun_compute_kernel(c->compute, list, id), range, args, n_args));
}

double dun_check_relative_error(const double *got, const double *want, size_t n) {
    double error = 0.0, norm = 0.0;
    for (size_t i = 0; i < n; i++) {
        error += (got[i] - want[i]) * (got[i] - want[i]);
        norm += want[i] * want[i];
    }
    double relative = error > 0.0 ? sqrt(error / norm) : 0.0;
    return error >= 0.0 && relative >= 0.0 ? relative : INFINITY;
}

/* Sums of a comparison over the elements that have a wanted value. */
typedef struct {
    double error, norm, largest_error, largest;
    size_t n, at; /* elements compared; where the largest error is */
    double got;   /* what was there */
} difference;

static void measure(dun_check *c, difference *d, const dun_check_tensor *t, const double *want) {
    const uint32_t *words = read_words(c, t);
    for (size_t i = 0; words && i < t->n; i++) {
        if (isnan(want[i])) {
            if (words[i] != t->before[i])
                dun_check_fail(c, "%s: element %zu had to stay as it was", t->name, i);
            continue;
        }
        double error = fabs(float_of(words[i]) - want[i]);
        d->error += error * error;
        d->norm += want[i] * want[i];
        d->largest = fmax(d->largest, fabs(want[i]));
        if (!(error <= d->largest_error)) { /* a NaN, once met, stays */
            d->at = i;
            d->got = float_of(words[i]);
            d->largest_error = isnan(error) ? INFINITY : error;
        }
        d->n++;
    }
}

/* Where an error belongs in the histogram; a NaN is in the last bin. */
static size_t bin_of(double error, double bound) {
    static const double ends[DUN_CHECK_BINS - 1] = {0.0, 0.01, 0.03, 0.1, 0.3, 1.0};
    size_t bin = 0;
    while (bin < DUN_CHECK_BINS - 1 && !(error <= ends[bin] * bound))
        bin++;
    return bin;
}

void dun_check_close_floor(dun_check *c, const dun_check_tensor *t, const double *want, double tolerance,
                           double floor) {
    difference d = {0};
    measure(c, &d, t, want);
    if (c->stopped)
        return;
    c->n_compared++;
    if (d.n == 0)
        return;
    double bound = tolerance * (sqrt(d.norm) + floor * sqrt((double)d.n));
    double largest_bound = 30.0 * tolerance * (d.largest + floor);
    double error = sqrt(d.error);
    c->histogram[bin_of(error, bound)]++;
    if (bound > 0.0 && !(c->worst >= error / bound))
        c->worst = error / bound;
    if (!(error <= bound) || !(d.largest_error <= largest_bound))
        dun_check_fail(c, "%s: relative L2 error %.3g (allowed %.3g); at %zu of %zu got %.9g, want %.9g",
                       t->name, error / sqrt(d.norm), tolerance, d.at, t->n, d.got, want[d.at]);
}

void dun_check_close(dun_check *c, const dun_check_tensor *t, const double *want, double tolerance) {
    dun_check_close_floor(c, t, want, tolerance, 0.0);
}

void dun_check_tame(dun_check *c, const dun_check_tensor *t) {
    const uint32_t *words = read_words(c, t);
    if (!words)
        return;
    c->n_compared++;
    for (size_t i = 0; i < t->n; i++) {
        int kind = fpclassify(float_of(words[i]));
        if (kind != FP_NORMAL && kind != FP_ZERO) {
            dun_check_fail(c, "%s: %g at %zu of %zu", t->name, (double)float_of(words[i]), i, t->n);
            return;
        }
    }
}
