/* Which texts' labels would teach a run most: those whose two nearest centroids are about as near, and that
 * are not all alike. */
#ifndef DUN_SUGGEST_H
#define DUN_SUGGEST_H

#include "io/data/asked.h"
#include "session/classifier.h"

/* Texts that are looked at for each that is wanted: those with the smallest margins. */
enum { DUN_SUGGEST_POOL = 10 };

typedef struct {
    char *text;
    size_t length;
    uint64_t number; /* of the text among those offered, from 1 */
    double margin; /* (second - first) / (second + first) distance: 0 .. 1; of `differences` second - first */
    float *point;  /* (D) */
    double apart;  /* squared distance from the nearest of those chosen before */
    uint32_t nearest;  /* class */
    double confidence; /* of it */
} dun_suggestion;

typedef struct {
    dun_suggestion *pool; /* [capacity], a heap with the largest margin first; in the end by choice */
    uint32_t n, capacity, width;
    uint64_t n_seen;
    bool differences; /* distances that label words are taken from may be negative: they have no ratios */
} dun_suggestions;

/* For `wanted` texts with points of this width. */
int dun_suggestions_create(dun_suggestions *s, uint32_t wanted, uint32_t width);
void dun_suggestions_free(dun_suggestions *s);

/* A text with its distances (K, at least 2) and point, which are copied where they are kept. */
int dun_suggestions_offer(dun_suggestions *s, const char *text, size_t length, const float *distances,
                          uint32_t K, const float *point, double temperature);

/* Offers all texts that are asked about, run by a classifier whose queue is empty. What is amiss with the
 * texts is told at the end. DUN_INTERRUPTED; errors of dun_asked_next. */
int dun_suggestions_of_asked(dun_suggestions *s, dun_classifier *classifier, dun_asked *asked,
                             double temperature);

/* Puts at most `wanted` in front, in the order of choice: the smallest margin first, then each time the text
 * that is farthest from those chosen, among the smallest margins kept. A text that equals a chosen one is
 * none. Returns how many. */
uint32_t dun_suggestions_choose(dun_suggestions *s, uint32_t wanted);

#endif
