/* The reparametrisation of a prompt in double; see reference_ops.h. */
#include "base/err.h"
#include "base/mem.h"
#include "check/reference_ops.h"

#include <math.h>
#include <stddef.h>

/* Where each tensor begins in x. */
typedef struct {
    int down, up, gain, shift, end;
} places;

static places places_of(const dun_ref_reparam_shape *s) {
    places at;
    at.down = s->P * s->C;
    at.up = at.down + s->M * s->C;
    at.gain = at.up + s->C * s->M;
    at.shift = at.gain + s->C;
    at.end = at.shift + s->C;
    return at;
}

int dun_ref_reparam_size(const dun_ref_reparam_shape *shape) {
    return places_of(shape).end;
}

static void moments(double *mean, double *r, const double *u, const dun_ref_reparam_shape *s) {
    double sum = 0.0, squares = 0.0;
    for (int j = 0; j < s->C; j++)
        sum += u[j];
    *mean = sum / s->C;
    for (int j = 0; j < s->C; j++)
        squares += (u[j] - *mean) * (u[j] - *mean);
    *r = 1.0 / sqrt(squares / s->C + s->eps);
}

void dun_ref_reparam_fwd(double *rows, double *hidden, double *u, const double *x,
                         const dun_ref_reparam_shape *s) {
    const places at = places_of(s);
    for (int p = 0; p < s->P; p++) {
        const double *base = x + p * s->C;
        double *h = hidden + p * s->M, *out = u + p * s->C, mean, r;
        for (int m = 0; m < s->M; m++) {
            h[m] = 0.0;
            for (int j = 0; j < s->C; j++)
                h[m] += base[j] * x[at.down + m * s->C + j];
            h[m] = fmax(h[m], 0.0);
        }
        for (int j = 0; j < s->C; j++) {
            out[j] = 0.0;
            for (int m = 0; m < s->M; m++)
                out[j] += h[m] * x[at.up + j * s->M + m];
        }
        moments(&mean, &r, out, s);
        for (int j = 0; j < s->C; j++)
            rows[p * s->C + j] = base[j] + x[at.gain + j] * (out[j] - mean) * r + x[at.shift + j];
    }
}

/* d_u of one row by the chain rule through mean and r, each on its own:
 * du_j = t_j r + sum_i t_i (dr/du_j (u_i - mean) - r / C),  dr/du_j = -r^3 (u_j - mean) / C */
static void norm_bwd(double *d_u, const double *d_rows, const double *u, const double *gain,
                     const dun_ref_reparam_shape *s) {
    double mean, r;
    moments(&mean, &r, u, s);
    for (int j = 0; j < s->C; j++) {
        d_u[j] = gain[j] * d_rows[j] * r;
        for (int i = 0; i < s->C; i++)
            d_u[j] += gain[i] * d_rows[i] * (-r * r * r * (u[j] - mean) / s->C * (u[i] - mean) - r / s->C);
    }
}

int dun_ref_reparam_bwd(double *dx, double *d_hidden, double *d_u, const double *d_rows, const double *x,
                        const dun_ref_reparam_shape *s) {
    int rc = DUN_OK;
    const places at = places_of(s);
    double *rows = NULL, *hidden = NULL, *u = NULL, mean, r;
    TRY_NEW(rows, (size_t)(s->P * s->C));
    TRY_NEW(hidden, (size_t)(s->P * s->M));
    TRY_NEW(u, (size_t)(s->P * s->C));
    for (int i = 0; i < at.end; i++)
        dx[i] = 0.0;
    dun_ref_reparam_fwd(rows, hidden, u, x, s);
    for (int p = 0; p < s->P; p++) {
        const double *dr = d_rows + p * s->C, *base = x + p * s->C, *h = hidden + p * s->M;
        double *du = d_u + p * s->C, *dh = d_hidden + p * s->M;
        norm_bwd(du, dr, u + p * s->C, x + at.gain, s);
        moments(&mean, &r, u + p * s->C, s);
        for (int j = 0; j < s->C; j++) {
            dx[at.gain + j] += dr[j] * (u[p * s->C + j] - mean) * r;
            dx[at.shift + j] += dr[j];
            dx[p * s->C + j] += dr[j];
            for (int m = 0; m < s->M; m++)
                dx[at.up + j * s->M + m] += du[j] * h[m];
        }
        for (int m = 0; m < s->M; m++) {
            dh[m] = 0.0;
            for (int j = 0; j < s->C; j++)
                dh[m] += h[m] > 0.0 ? du[j] * x[at.up + j * s->M + m] : 0.0;
            for (int j = 0; j < s->C; j++) {
                dx[at.down + m * s->C + j] += dh[m] * base[j];
                dx[p * s->C + j] += dh[m] * x[at.down + m * s->C + j];
            }
        }
    }
out:
    dun_free(rows);
    dun_free(hidden);
    dun_free(u);
    return rc;
}
