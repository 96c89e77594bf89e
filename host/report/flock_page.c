/* A flock's page, and its positions in the plane; see flock.h. */
#include "report/flock.h"

#include "base/err.h"
#include "base/mem.h"
#include "math/pca.h"
#include "report/page.h"
#include "report/pictures.h"

#include <string.h>

/* Steps and positions of a page. */
enum { PAGE_FRAMES = 400, PAGE_POINTS = 200000 };

int dun_flock_flatten(float **out, const dun_flock *flock) {
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
    TRY(dun_flock_flatten(&points, flock));
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

int dun_flock_report(const dun_run_dir *run, const dun_flock *flock, const char *name) {
    int rc = DUN_OK;
    dun_str html = {0};
    TRY(dun_flock_page(&html, flock, name));
    TRY(dun_run_dir_write(run, "boids.html", &html));
    TRY(dun_flock_pictures(run, flock));
out:
    dun_str_free(&html);
    return rc;
}
