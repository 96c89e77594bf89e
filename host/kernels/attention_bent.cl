/* Scores that are bent, for attention.cl and attention_group.cl, which are compiled a second time behind this file for
 * models that have any of it. Of a score s = scale * q . k of a query at position t_q and a key at t_k,
 *   z = cap tanh(s / cap) + slope_h (t_k - t_q),   and only t_q - window < t_k <= t_q is seen,
 * where cap 0 means no cap, window 0 all rows; dz/ds = 1 - tanh^2(s / cap). The slopes of ALiBi (Press et al. 2022) with
 * largest exponent B and n the largest power of two up to H: 2^(-B (h+1) / n) for h < n, then 2^(-B (2 (h-n) + 1) / 2n);
 * B 0: none. Flops a visible key more: a hyperbolic tangent, 5. */
#undef ATT_BENT
#undef ATTENTION
#undef BEND_ARGUMENTS
#undef BEND_BY
#undef BEND
#undef BEND_RATE
#undef FIRST_SEEN
#undef SEES
#define ATT_BENT 1
#define ATTENTION(name) bent_attention_##name
#define BEND_ARGUMENTS , int window, float cap, float alibi
#define BEND_BY(head) const float bend_slope = alibi_slope(head, H, alibi);
#define BEND(score, distance) bend(score, distance, cap, bend_slope)
#define BEND_RATE(score) bend_rate(score, cap)
#define FIRST_SEEN(n) (window > 0 ? max(0, (n) - window) : 0)
#define SEES(distance) ((distance) >= 0 && (window == 0 || (distance) < window))

float alibi_slope(int head, int H, float alibi) {
    int n = 1;
    while (2 * n <= H)
        n *= 2;
    float exponent = head < n ? (float)(head + 1) / (float)n : (float)(2 * (head - n) + 1) / (float)(2 * n);
    return alibi > 0.0f ? exp2(-alibi * exponent) : 0.0f;
}

/* distance: t_k - t_q, at most 0. */
float bend(float score, int distance, float cap, float slope) {
    return (cap > 0.0f ? cap * tanh(score / cap) : score) + slope * (float)distance;
}

float bend_rate(float score, float cap) {
    float t = cap > 0.0f ? tanh(score / cap) : 0.0f;
    return 1.0f - t * t;
}
