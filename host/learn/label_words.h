/* Label words on the device: what the model's head makes of points, for the words that stand for the classes,
 * is taken from the points' distances to the centroids. The formulas are in host/kernels/words.cl. */
#ifndef DUN_LABEL_WORDS_H
#define DUN_LABEL_WORDS_H

#include "learn/kernels.h"

typedef struct {
    const dun_compute *compute;
    uint32_t n_classes, width; /* K, D; 0: there are no words */
    float weight;
    dun_buffer row;    /* (K, D) rows of the head, less their mean */
    dun_buffer offset; /* (K) calibration: what a class's word has before any training; 0 until it is known */
    dun_buffer told;   /* (B, K) */
} dun_label_words;

/* `rows`: (K, D). */
int dun_label_words_create(dun_label_words *words, const dun_compute *compute, const float *rows,
                           float weight, uint32_t max_points, uint32_t n_classes, uint32_t width);
void dun_label_words_free(dun_label_words *words);

/* told (n, K) from the distances (n, K) of points (n, D). */
int dun_label_words_fwd(dun_label_words *words, const dun_buffer *distance, const dun_buffer *points,
                        uint32_t n);

/* Adds to d_points (n, D) what the gradient d_told (n, K) of that means for them. */
int dun_label_words_bwd(const dun_label_words *words, dun_buffer *d_points, const dun_buffer *d_told,
                        uint32_t n);

#endif
