/* Counter-based random numbers: the value depends on (seed, stream, index) alone, so that a draw never
 * depends on how many came before it or on which thread asked. Philox4x32-10 (Salmon et al., SC 2011). */
#ifndef DUN_RNG_H
#define DUN_RNG_H

#include <stddef.h>
#include <stdint.h>

/* What a random number is for; each stream is independent of the others under one seed. */
enum dun_stream {
    DUN_STREAM_PROMPT = 1,
    DUN_STREAM_CENTROID = 2,
    DUN_STREAM_SHUFFLE = 3, /* index: epoch in the high half */
    DUN_STREAM_BOIDS = 4,
    DUN_STREAM_REPARAM = 5,
    DUN_STREAM_PCA = 9,
    DUN_STREAM_SPLIT = 11,  /* index: class in the high half */
    DUN_STREAM_SUBSET = 12, /* likewise */
    DUN_STREAM_METRIC = 13,
    DUN_STREAM_TEST = 100
};

uint64_t dun_random_u64(uint64_t seed, uint64_t stream, uint64_t index);

/* Uniform in [0, 1), 53 bits. */
double dun_random_uniform(uint64_t seed, uint64_t stream, uint64_t index);

/* Standard normal (Box and Muller 1958). */
double dun_random_normal(uint64_t seed, uint64_t stream, uint64_t index);

/* Uniform integer in [0, bound), bound >= 1. */
uint64_t dun_random_below(uint64_t bound, uint64_t seed, uint64_t stream, uint64_t index);

/* Fills order[n] with a random permutation of 0..n-1 (Fisher and Yates); `round` picks the permutation. */
void dun_random_shuffle(uint32_t *order, uint32_t n, uint64_t seed, uint64_t stream, uint64_t round);

/* The same of each class of numbers that are alike modulo `stride`, in its places: order[i] % stride is
 * i % stride, so that `stride` neighbours hold one of each class. */
void dun_random_shuffle_strided(uint32_t *order, uint32_t n, uint32_t stride, uint64_t seed, uint64_t stream,
                                uint64_t round);

#endif
