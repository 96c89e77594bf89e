/* Draws the film of a flock. */
#include "report/flock.h"
#include "base/err.h"
#include "base/mem.h"
#include "report/draw.h"
#include "report/pictures.h"

#include <math.h>
#include <stdio.h>

/* Positions behind each point, and of all in a frame of the GIF. */
enum { WAKE = 24, MARKERS = 6000 };

typedef struct {
    const dun_flock *flock;
    const float *points; /* (steps + 1, points, 2) */
    dun_view view;
} scene;

static void draw(cairo_t *cr, const void *self, uint32_t step) {
    const scene *s = self;
    uint32_t n = s->flock->n_points, wake = n < MARKERS / WAKE ? WAKE : MARKERS / n;
    char words[80];
    cairo_set_source_rgb(cr, 1, 1, 1);
    cairo_paint(cr);
    for (uint32_t f = step > wake ? step - wake : 0; f <= step; f++) {
        double left = 1 - (double)(step - f) / (wake + 1);
        for (uint32_t i = 0; i < n; i++)
            dun_draw_marker(cr, &s->view, i, s->points + 2 * ((size_t)f * n + i),
                            (dun_marker){.radius = 7 * (0.35 + 0.65 * left),
                                         .alpha = pow(left, 1.8),
                                         .edge = f == step ? 1.6 : 0,
                                         .round = 1});
    }
    snprintf(words, sizeof words, "step %u: loss %.4g", step, (double)s->flock->losses[step]);
    dun_draw_words(cr, 20, DUN_GIF_HEIGHT - 16, DUN_GIF_WIDTH - 40, 13, words);
}

int dun_picture_flock(dun_str *out, const dun_flock *flock) {
    int rc = DUN_OK;
    dun_box box = DUN_BOX_EMPTY;
    float *points = NULL;
    TRY(dun_flock_flatten(&points, flock));
    dun_box_add(&box, points, ((size_t)flock->n_steps + 1) * flock->n_points);
    const scene s = {.flock = flock,
                     .points = points,
                     .view = dun_view_fit(&box, 24, 24, DUN_GIF_WIDTH - 48, DUN_GIF_HEIGHT - 24 - 50)};
    TRY(dun_gif_of(out, draw, &s, flock->n_steps + 1));
out:
    dun_free(points);
    return rc;
}

int dun_flock_pictures(const dun_run_dir *run, const dun_flock *flock) {
    int rc = DUN_OK;
    dun_str bytes = {0};
    TRY(dun_picture_flock(&bytes, flock));
    TRY(dun_run_dir_write(run, "boids.gif", &bytes));
out:
    dun_str_free(&bytes);
    return rc;
}
