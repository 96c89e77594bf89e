/* Philox4x32 with ten rounds, and what is drawn from it: uniform and normal numbers, shuffled orders. */
#include "base/rng.h"

#include <math.h>

/* Ten rounds of Philox4x32; counter = (index, stream), key = seed. */
uint64_t dun_random_u64(uint64_t seed, uint64_t stream, uint64_t index) {
    uint32_t c0 = (uint32_t)index, c1 = (uint32_t)(index >> 32);
    uint32_t c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return (uint64_t)c1 << 32 | c0;
}

double dun_random_uniform(uint64_t seed, uint64_t stream, uint64_t index) {
    return (double)(dun_random_u64(seed, stream, index) >> 11) * 0x1p-53;
}

double dun_random_normal(uint64_t seed, uint64_t stream, uint64_t index) {
    uint64_t bits = dun_random_u64(seed, stream, index);
    /* (0, 1]: the logarithm must stay finite */
    double radius = ((double)(uint32_t)bits + 1.0) * 0x1p-32;
    double angle = (double)(uint32_t)(bits >> 32) * 0x1p-32;
    return sqrt(-2.0 * log(radius)) * cos(6.283185307179586 * angle);
}

uint64_t dun_random_below(uint64_t bound, uint64_t seed, uint64_t stream, uint64_t index) {
    return (uint64_t)(dun_random_uniform(seed, stream, index) * (double)bound);
}

void dun_random_shuffle(uint32_t *order, uint32_t n, uint64_t seed, uint64_t stream, uint64_t round) {
    dun_random_shuffle_strided(order, n, 1, seed, stream, round);
}

void dun_random_shuffle_strided(uint32_t *order, uint32_t n, uint32_t stride, uint64_t seed, uint64_t stream,
                                uint64_t round) {
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    for (uint32_t i = n; i-- > stride;) { /* i and those before it at its distance: i % stride + k stride */
        uint32_t k = (uint32_t)dun_random_below(i / stride + 1, seed, stream, round << 32 | (i + 1));
        uint32_t j = i % stride + k * stride;
        uint32_t swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
}
