/* Schemes of rotary scaling as divisors and a magnitude; formulas as in transformers. */
#include "model/rope.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

void dun_rope_linear(dun_rope_scaling *out, uint32_t dim, double factor) {
    for (uint32_t i = 0; i < dim / 2; i++)
        out->divisor[i] = (float)factor;
}

/* With the wavelength t = 2 pi base^(2i/dim) and the context c: 1 where t < c/high, the factor where t >
 * c/low, and between them 1 / ((1-u)/factor + u), u = (c/t - low) / (high - low). */
void dun_rope_llama3(dun_rope_scaling *out, uint32_t dim, double base, const dun_rope_llama3_parameters *p) {
    for (uint32_t i = 0; i < dim / 2; i++) {
        double t = 2 * pi * pow(base, 2.0 * i / dim), u = (p->context / t - p->low) / (p->high - p->low);
        double divisor = 1 / ((1 - u) / p->factor + u);
        if (t < p->context / p->high)
            divisor = 1;
        else if (t > p->context / p->low)
            divisor = p->factor;
        out->divisor[i] = (float)divisor;
    }
}

/* The pair that turns `turns` times within the original context, as a real number. */
static double pair_of(double turns, uint32_t dim, double base, uint32_t context) {
    return dim * log(context / (turns * 2 * pi)) / (2 * log(base));
}

/* angle * (1 - r) + angle / factor * r with r rising from 0 to 1 between the two pairs. */
void dun_rope_yarn(dun_rope_scaling *out, uint32_t dim, double base, const dun_rope_yarn_parameters *p) {
    double low = fmax(0, floor(pair_of(p->beta_fast, dim, base, p->context)));
    double high = fmin(dim - 1.0, ceil(pair_of(p->beta_slow, dim, base, p->context)));
    for (uint32_t i = 0; i < dim / 2; i++) {
        double r = fmin(1, fmax(0, (i - low) / fmax(0.001, high - low)));
        out->divisor[i] = (float)(1 / (1 - r + r / p->factor));
    }
    double own = p->factor > 1 ? 0.1 * log(p->factor) + 1 : 1;
    out->magnitude = (float)(p->magnitude > 0 ? p->magnitude : own);
}

float dun_rope_long_magnitude(uint32_t context, uint32_t original) {
    return context > original ? (float)sqrt(1 + log((double)context / original) / log(original)) : 1;
}
