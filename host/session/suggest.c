/* A heap of the smallest margins, and the farthest-first choice among them. */
#include "session/suggest.h"

#include "base/err.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "session/evaluate.h"

#include <math.h>
#include <string.h>

int dun_suggestions_create(dun_suggestions *s, uint32_t wanted, uint32_t width) {
    int rc = DUN_OK;
    *s = (dun_suggestions){.width = width, .capacity = wanted * DUN_SUGGEST_POOL};
    TRY_NEW(s->pool, s->capacity);
out:
    return rc;
}

static void forget(dun_suggestion *one) {
    dun_free(one->text);
    dun_free(one->point);
    *one = (dun_suggestion){0};
}

void dun_suggestions_free(dun_suggestions *s) {
    for (uint32_t i = 0; i < s->n; i++)
        forget(&s->pool[i]);
    dun_free(s->pool);
    *s = (dun_suggestions){0};
}

static void swap(dun_suggestion *a, dun_suggestion *b) {
    const dun_suggestion kept = *a;
    *a = *b;
    *b = kept;
}

/* Equal margins: the text that came first is kept. */
static bool is_worse(const dun_suggestion *a, const dun_suggestion *b) {
    if (a->margin < b->margin || a->margin > b->margin)
        return a->margin > b->margin;
    return a->number > b->number;
}

static void sift_up(dun_suggestion *pool, uint32_t i) {
    while (i > 0 && is_worse(&pool[i], &pool[(i - 1) / 2])) {
        swap(&pool[i], &pool[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
}

static void sift_down(dun_suggestion *pool, uint32_t n) {
    for (uint32_t i = 0, child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && is_worse(&pool[child + 1], &pool[child]))
            child++;
        if (!is_worse(&pool[child], &pool[i]))
            return;
        swap(&pool[child], &pool[i]);
    }
}

/* The nearest class, its margin over the next, and its probability. */
static void judge(dun_suggestion *one, const float *distances, uint32_t K, double temperature,
                  bool difference) {
    double second = INFINITY, total = 0;
    one->nearest = dun_nearest_centroid(distances, K);
    const double first = (double)distances[one->nearest];
    for (uint32_t k = 0; k < K; k++) {
        total += exp((first - (double)distances[k]) / temperature);
        if (k != one->nearest)
            second = fmin(second, (double)distances[k]);
    }
    one->confidence = 1 / total;
    const double whole = difference ? 1 : second + first;
    one->margin = whole > 0 ? (second - first) / whole : 0;
}

int dun_suggestions_offer(dun_suggestions *s, const char *text, size_t length, const float *distances,
                          uint32_t K, const float *point, double temperature) {
    int rc = DUN_OK;
    dun_suggestion one = {.number = ++s->n_seen, .length = length};
    judge(&one, distances, K, temperature, s->differences);
    const bool full = s->n == s->capacity;
    if (full && !is_worse(&s->pool[0], &one))
        goto out;
    TRY_PTR(one.text, dun_strndup(text, length));
    TRY_NEW(one.point, s->width);
    memcpy(one.point, point, s->width * sizeof *point);
    if (full) {
        forget(&s->pool[0]);
        s->pool[0] = one;
        sift_down(s->pool, s->n);
    } else {
        s->pool[s->n] = one;
        sift_up(s->pool, s->n++);
    }
    one = (dun_suggestion){0};
out:
    forget(&one);
    return rc;
}

static double squared(const float *a, const float *b, uint32_t n) {
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sum;
}

/* How far each that is left is from the chosen ones, after another was chosen; 0: it is that text again. */
static void note_choice(dun_suggestions *s, uint32_t n_chosen) {
    const dun_suggestion *chosen = &s->pool[n_chosen - 1];
    for (uint32_t i = n_chosen; i < s->n; i++) {
        dun_suggestion *one = &s->pool[i];
        const bool same =
            one->length == chosen->length && memcmp(one->text, chosen->text, chosen->length) == 0;
        one->apart = same ? 0 : fmin(one->apart, squared(chosen->point, one->point, s->width));
    }
}

uint32_t dun_suggestions_choose(dun_suggestions *s, uint32_t wanted) {
    uint32_t n_chosen = 0;
    for (uint32_t i = 0; i < s->n; i++)
        s->pool[i].apart = INFINITY;
    while (n_chosen < wanted && n_chosen < s->n) {
        uint32_t best = n_chosen;
        for (uint32_t i = n_chosen + 1; i < s->n; i++) {
            const double far = s->pool[i].apart, farthest = s->pool[best].apart;
            if (far > farthest || (far >= farthest && is_worse(&s->pool[best], &s->pool[i])))
                best = i;
        }
        if (!(s->pool[best].apart > 0))
            break;
        swap(&s->pool[n_chosen++], &s->pool[best]);
        note_choice(s, n_chosen);
    }
    return n_chosen;
}

/* One pass over the queue; `queued` are its texts, zero-terminated, one after another. */
static int offer_pass(dun_suggestions *s, dun_classifier *c, dun_str *queued, float *points,
                      double temperature) {
    int rc = DUN_OK;
    uint32_t n = 0;
    size_t taken = 0;
    const uint32_t K = c->loss.n_classes;
    if (!queued->bytes) /* nothing is queued */
        goto out;
    TRY(dun_classifier_run(&n, c));
    TRY(dun_buffer_read(points, dun_session_points(c->session), 0, (size_t)n * s->width * sizeof *points));
    for (uint32_t i = 0; i < n; i++) {
        const char *text = queued->bytes + taken;
        const size_t length = strlen(text);
        TRY(dun_suggestions_offer(s, text, length, c->distances + (size_t)i * K, K,
                                  points + (size_t)i * s->width, temperature));
        taken += length + 1;
    }
    queued->length -= taken;
    memmove(queued->bytes, queued->bytes + taken, queued->length);
out:
    return rc;
}

int dun_suggestions_of_asked(dun_suggestions *s, dun_classifier *c, dun_asked *asked, double temperature) {
    int rc = DUN_OK, more = 1;
    const dun_observer *observer = c->session->observer;
    dun_str queued = {0};
    float *points = NULL;
    const char *text;
    size_t length;
    s->differences = c->loss.words.n_classes > 0;
    dun_observe_begin(observer, "texts", "texts", 0);
    TRY_NEW(points, (size_t)c->session->engine.options.max_sequences * s->width);
    while (more == 1 || dun_classifier_queued(c) > 0) {
        while (more == 1 && !dun_classifier_full(c)) {
            TRY(more = dun_asked_next(&text, &length, asked));
            if (more == 0 || length == 0) /* an empty text teaches nothing */
                continue;
            TRY(dun_classifier_add(c, text, length));
            TRY(dun_str_add(&queued, text, length + 1));
        }
        if (dun_interrupted())
            TRY(dun_error(DUN_INTERRUPTED, "interrupted"));
        if (dun_classifier_queued(c) > 0)
            TRY(offer_pass(s, c, &queued, points, temperature));
        dun_observe_advance(observer, s->n_seen, NULL);
    }
    TRY(dun_asked_tell(asked));
out:
    dun_observe_end(observer);
    dun_free(points);
    dun_str_free(&queued);
    return rc;
}
