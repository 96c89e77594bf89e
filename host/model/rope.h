/* How a model's rotary positions are scaled, as plain numbers: every scheme is a divisor of each pair's angle
 * and a magnitude, so that the engine knows no schemes; here they are made of what files say. */
#ifndef DUN_ROPE_H
#define DUN_ROPE_H

#include <stdint.h>

enum { DUN_MAX_ROPE = 1024 }; /* most components of a head that turn */

/* Pair i of R/2 turns by position * base^(-2i / R) / divisor[i]; what turned is multiplied by the magnitude.
 * All zeros: nothing is scaled. */
typedef struct {
    float magnitude;    /* 0: 1 */
    uint32_t long_from; /* sequences of more rows than this take the second divisors; 0: none do */
    float divisor[DUN_MAX_ROPE / 2];      /* 0: 1 */
    float long_divisor[DUN_MAX_ROPE / 2]; /* 0: 1 */
} dun_rope_scaling;

/* Each sets the divisors of `dim` components (and, where the scheme has one, the magnitude) and leaves the
 * rest. */

/* Every angle divided by the factor. */
void dun_rope_linear(dun_rope_scaling *out, uint32_t dim, double factor);

/* Llama 3's: wavelengths below context / high stay, those above context / low are divided by the factor. */
typedef struct {
    double factor, low, high; /* "low_freq_factor", "high_freq_factor" */
    uint32_t context;         /* "original_max_position_embeddings" */
} dun_rope_llama3_parameters;
void dun_rope_llama3(dun_rope_scaling *out, uint32_t dim, double base, const dun_rope_llama3_parameters *p);

/* YaRN: pairs that turn often stay, those that turn less than once are divided; magnitude 0: 0.1 ln(factor)
 * + 1. */
typedef struct {
    double factor, beta_fast, beta_slow; /* usually 32 and 1 */
    double magnitude;                    /* "attention_factor"; 0: from the factor */
    uint32_t context;                    /* the original one */
} dun_rope_yarn_parameters;
void dun_rope_yarn(dun_rope_scaling *out, uint32_t dim, double base, const dun_rope_yarn_parameters *p);

/* LongRoPE's magnitude: sqrt(1 + ln(context / original) / ln(original)), 1 where the context is no longer.
 * The divisors are the file's own. */
float dun_rope_long_magnitude(uint32_t context, uint32_t original);

#endif
