/* Pictures of a flock; see pictures.h. */
#include "base/err.h"
#include "base/mem.h"
#include "math/pca.h"
#include "report/draw.h"
#include "report/page.h"
#include "report/pictures.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Steps and positions of a page; positions behind each point, and of all in a frame of the GIF. */
enum { PAGE_FRAMES = 400, PAGE_POINTS = 200000, WAKE = 24, MARKERS = 6000 };

/* All positions in the plane, (steps + 1, points, 2): as they are, with 0 for a second dimension that is not
 * there, or on the principal components of all positions. */
static int flatten(float **out, const dun_flock *flock) {
    int rc = DUN_OK;
    size_t n = ((size_t)flock->n_steps + 1) * flock->n_points, D = flock->n_dimensions;
    dun_pca pca = {0};
    TRY_NEW(*out, 2 * n);
    if (D > 2)
        TRY(dun_pca_fit(&pca, flock->positions, n, D));
    for (size_t i = 0; i < n; i++) {
        const float *at = flock->positions + i * D;
        if (D > 2)
            dun_pca_project(*out + 2 * i, &pca, at);
        else
            memcpy(*out + 2 * i, at, D * sizeof *at);
    }
out:
    dun_pca_free(&pca);
    return rc;
}

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
    TRY(flatten(&points, flock));
    dun_box_add(&box, points, ((size_t)flock->n_steps + 1) * flock->n_points);
    const scene s = {.flock = flock,
                     .points = points,
                     .view = dun_view_fit(&box, 24, 24, DUN_GIF_WIDTH - 48, DUN_GIF_HEIGHT - 24 - 50)};
    TRY(dun_gif_of(out, draw, &s, flock->n_steps + 1));
out:
    dun_free(points);
    return rc;
}

static int add_frames(dun_str *json, const dun_flock *flock, const float *points, const uint32_t *steps,
                      uint32_t n) {
    int rc = DUN_OK;
    TRY(dun_str_addf(json, ",\"frames\":["));
    for (uint32_t i = 0; i < n; i++) {
        const float *at = points + (size_t)2 * steps[i] * flock->n_points;
        TRY(dun_str_addf(json, "%s{\"step\":%u,\"loss\":%.6g,\"x\":", i ? "," : "", steps[i],
                         (double)flock->losses[steps[i]]));
        TRY(dun_page_add_numbers(json, at, flock->n_points, 2, 5));
        TRY(dun_str_addf(json, ",\"y\":"));
        TRY(dun_page_add_numbers(json, at + 1, flock->n_points, 2, 5));
        TRY(dun_str_addf(json, "}"));
    }
    TRY(dun_str_addf(json, "]"));
out:
    return rc;
}

int dun_flock_page(dun_str *html, const dun_flock *flock, const char *name) {
    int rc = DUN_OK;
    dun_str json = {0};
    float *points = NULL;
    uint32_t steps[PAGE_FRAMES], all = flock->n_steps + 1;
    uint32_t n = flock->n_points < PAGE_POINTS / 2 ? PAGE_POINTS / flock->n_points : 2;
    n = n < PAGE_FRAMES ? n : PAGE_FRAMES;
    n = n < all ? n : all;
    for (uint32_t i = 0; i < n; i++)
        steps[i] = n > 1 ? (uint32_t)((uint64_t)i * (all - 1) / (n - 1)) : all - 1;
    TRY(flatten(&points, flock));
    TRY(dun_str_addf(&json, "{\"program\":\"dunlin %s\",\"title\":", DUN_VERSION));
    TRY(dun_page_add_string(&json, name, strlen(name), DUN_PAGE_TEXT_BYTES));
    TRY(dun_str_addf(&json, ",\"points\":%u,\"dimensions\":%u,\"steps\":%u", flock->n_points,
                     flock->n_dimensions, flock->n_steps));
    TRY(add_frames(&json, flock, points, steps, n));
    TRY(dun_str_addf(&json, "}"));
    TRY(dun_page_add(html, DUN_PAGE_BOIDS, name, &json));
out:
    dun_free(points);
    dun_str_free(&json);
    return rc;
}

int dun_flock_pictures(const dun_run_dir *run, const dun_flock *flock, const char *name) {
    int rc = DUN_OK;
    dun_str bytes = {0};
    TRY(dun_flock_page(&bytes, flock, name));
    TRY(dun_run_dir_write(run, "boids.html", &bytes));
    dun_str_clear(&bytes);
    TRY(dun_picture_flock(&bytes, flock));
    TRY(dun_run_dir_write(run, "boids.gif", &bytes));
out:
    dun_str_free(&bytes);
    return rc;
}
