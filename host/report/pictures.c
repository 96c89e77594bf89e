/* Draws the scatter plot and the film of a training, as PNG, SVG and GIF. */
#include "report/pictures.h"

#include "base/err.h"
#include "base/mem.h"
#include "report/draw.h"
#include "report/gif.h"
#include "session/evaluate.h"

#include <cairo-svg.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    SCATTER_WIDTH = 900,
    SCATTER_HEIGHT = 680,
    GIF_FRAMES = 48,
    GIF_DELAY = 9, /* hundredths of a second */
    GIF_LAST = 220,
    WAKE = 10, /* batches that are still seen */
    LEGEND_CLASSES = 12,
};

static cairo_status_t add_bytes(void *out, const unsigned char *bytes, unsigned n) {
    return dun_str_add(out, (const char *)bytes, n) < 0 ? CAIRO_STATUS_NO_MEMORY : CAIRO_STATUS_SUCCESS;
}

static int check(cairo_status_t status) {
    if (status == CAIRO_STATUS_SUCCESS)
        return DUN_OK;
    return dun_error(DUN_FAILED, "the picture could not be drawn: %s", cairo_status_to_string(status));
}

static void clear(cairo_t *cr) {
    cairo_set_source_rgb(cr, 1, 1, 1);
    cairo_paint(cr);
}

/* Class names with their markers in one line, as many as fit. */
static void draw_legend(cairo_t *cr, const dun_run_data *run, double width) {
    const dun_view pixels = {.scale = 1};
    double x = 22;
    for (uint32_t k = 0; k < run->n_classes; k++) {
        if (k == LEGEND_CLASSES || (k > 0 && x > width - 110)) {
            char rest[48];
            snprintf(rest, sizeof rest, "and %u more", run->n_classes - k);
            dun_draw_words(cr, x, 28, width - x - 10, 13, rest);
            return;
        }
        const float at[2] = {(float)x, -23.5f};
        dun_draw_marker(cr, &pixels, k, at, (dun_marker){.radius = 5.5, .alpha = 1});
        x += 12 + dun_draw_words(cr, x + 12, 28, 130, 13, run->classes[k]) + 20;
    }
}

static void draw_scatter(cairo_t *cr, const dun_run_data *run) {
    const dun_projection *p = &run->projection;
    double radius = p->n > 2500 ? 2.6 : p->n > 600 ? 3.4 : 4.4;
    uint32_t right = 0;
    dun_box box = DUN_BOX_EMPTY;
    char words[160];
    dun_box_add(&box, p->points, p->n);
    dun_box_add(&box, p->centroids, p->n_classes);
    dun_view view = dun_view_fit(&box, 30, 56, SCATTER_WIDTH - 60, SCATTER_HEIGHT - 56 - 60);
    clear(cr);
    for (int wrong = 0; wrong < 2; wrong++)
        for (uint32_t i = 0; i < p->n; i++) {
            uint32_t label = (uint32_t)p->labels[i];
            uint32_t nearest = dun_nearest_centroid(p->distances + (size_t)i * p->n_classes, p->n_classes);
            if ((nearest != label) != wrong)
                continue;
            right += !wrong;
            dun_draw_marker(cr, &view, label, p->points + 2 * i,
                            (dun_marker){.radius = radius, .alpha = wrong ? 1 : 0.75});
            if (wrong)
                dun_draw_ring(cr, &view, p->points + 2 * i, radius + 2.2);
        }
    for (uint32_t k = 0; k < p->n_classes; k++)
        dun_draw_centroid(cr, &view, k, p->centroids + 2 * k, 11);
    draw_legend(cr, run, SCATTER_WIDTH);
    snprintf(
        words, sizeof words,
        "%.1f %% of %u held-out texts right, the others ringed; two principal components, %.0f %% of the "
        "variance; large: centroids",
        p->n ? 100.0 * right / p->n : 0, p->n, 100 * (p->pca.share[0] + p->pca.share[1]));
    dun_draw_words(cr, 22, SCATTER_HEIGHT - 20, SCATTER_WIDTH - 44, 13, words);
}

int dun_picture_scatter_png(dun_str *out, const dun_run_data *run) {
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, SCATTER_WIDTH, SCATTER_HEIGHT);
    cairo_t *cr = cairo_create(surface);
    draw_scatter(cr, run);
    cairo_status_t status = cairo_status(cr);
    cairo_destroy(cr);
    if (status == CAIRO_STATUS_SUCCESS)
        status = cairo_surface_write_to_png_stream(surface, add_bytes, out);
    cairo_surface_destroy(surface);
    return check(status);
}

/* cairo numbers its surfaces through the process: `id="surface7"` becomes `id="surface"`, so that the same
 * run gives the same bytes. */
static int add_without_numbers(dun_str *out, const char *svg) {
    static const char id[] = "id=\"surface";
    int rc = DUN_OK;
    for (const char *at; (at = strstr(svg, id));
         svg = at + sizeof id - 1 + strspn(at + sizeof id - 1, "0123456789"))
        TRY(dun_str_add(out, svg, (size_t)(at - svg) + sizeof id - 1));
    TRY(dun_str_add(out, svg, strlen(svg)));
out:
    return rc;
}

int dun_picture_scatter_svg(dun_str *out, const dun_run_data *run) {
    int rc = DUN_OK;
    dun_str svg = {0};
    cairo_surface_t *surface =
        cairo_svg_surface_create_for_stream(add_bytes, &svg, SCATTER_WIDTH, SCATTER_HEIGHT);
    cairo_t *cr = cairo_create(surface);
    draw_scatter(cr, run);
    cairo_status_t status = cairo_status(cr);
    cairo_destroy(cr);
    cairo_surface_finish(surface);
    TRY(check(status == CAIRO_STATUS_SUCCESS ? cairo_surface_status(surface) : status));
    TRY(add_without_numbers(out, svg.bytes ? svg.bytes : ""));
out:
    cairo_surface_destroy(surface);
    dun_str_free(&svg);
    return rc;
}

int dun_gif_of(dun_str *out, dun_frame_drawer *draw, const void *self, uint32_t n) {
    int rc = DUN_OK;
    dun_gif *gif = NULL;
    uint32_t palette[DUN_GIF_COLORS];
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, DUN_GIF_WIDTH, DUN_GIF_HEIGHT);
    cairo_t *cr = cairo_create(surface);
    uint32_t shown = n < GIF_FRAMES ? n : GIF_FRAMES;
    TRY(dun_gif_begin(&gif, out, DUN_GIF_WIDTH, DUN_GIF_HEIGHT, palette,
                      dun_draw_palette(palette, DUN_GIF_COLORS)));
    for (uint32_t i = 0; i < shown; i++) {
        uint32_t frame = shown > 1 ? (uint32_t)((uint64_t)i * (n - 1) / (shown - 1)) : n - 1;
        draw(cr, self, frame);
        cairo_surface_flush(surface);
        TRY(check(cairo_status(cr)));
        TRY(dun_gif_add(gif, (const uint32_t *)(const void *)cairo_image_surface_get_data(surface),
                        cairo_image_surface_get_stride(surface) / (int)sizeof(uint32_t),
                        i + 1 < shown ? GIF_DELAY : GIF_LAST));
    }
    TRY(dun_gif_end(gif));
out:
    dun_gif_free(gif);
    cairo_destroy(cr);
    cairo_surface_destroy(surface);
    return rc;
}

typedef struct {
    const dun_run_data *run;
    dun_view view;
} training;

static void draw_path(cairo_t *cr, const training *t, uint32_t k, uint32_t frame) {
    cairo_set_source_rgba(cr, 0.11, 0.13, 0.15, 0.55);
    cairo_set_line_width(cr, 1.8);
    cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
    cairo_new_path(cr);
    for (uint32_t f = 0; f <= frame; f++) {
        const float *at = t->run->scenes[f].centroids + 2 * k;
        cairo_line_to(cr, t->view.x + t->view.scale * (double)at[0],
                      t->view.y - t->view.scale * (double)at[1]);
    }
    cairo_stroke(cr);
}

static void draw_training(cairo_t *cr, const void *self, uint32_t frame) {
    const training *t = self;
    const dun_run_data *run = t->run;
    char words[64];
    clear(cr);
    for (uint32_t f = frame > WAKE ? frame - WAKE : 0; f <= frame; f++) {
        const dun_scene *scene = &run->scenes[f];
        double left = 1 - (double)(frame - f) / (WAKE + 1);
        for (uint32_t i = 0; i < scene->n; i++)
            dun_draw_marker(
                cr, &t->view, (uint32_t)scene->labels[i], scene->points + 2 * i,
                (dun_marker){.radius = 4.4 * (0.35 + 0.65 * left), .alpha = 0.9 * pow(left, 1.6)});
    }
    for (uint32_t k = 0; k < run->n_classes; k++)
        draw_path(cr, t, k, frame);
    for (uint32_t k = 0; k < run->n_classes; k++)
        dun_draw_centroid(cr, &t->view, k, run->scenes[frame].centroids + 2 * k, 10);
    draw_legend(cr, run, DUN_GIF_WIDTH);
    if (frame + 1 < run->n_scenes)
        snprintf(words, sizeof words, "step %llu", (unsigned long long)run->scenes[frame].step);
    else
        snprintf(words, sizeof words, "trained");
    dun_draw_words(cr, 22, DUN_GIF_HEIGHT - 16, DUN_GIF_WIDTH - 44, 13, words);
}

int dun_picture_training(dun_str *out, const dun_run_data *run) {
    training t = {.run = run};
    dun_box box = DUN_BOX_EMPTY;
    for (uint32_t f = 0; f < run->n_scenes; f++) {
        dun_box_add(&box, run->scenes[f].points, run->scenes[f].n);
        dun_box_add(&box, run->scenes[f].centroids, run->n_classes);
    }
    t.view = dun_view_fit(&box, 20, 46, DUN_GIF_WIDTH - 40, DUN_GIF_HEIGHT - 46 - 42);
    return dun_gif_of(out, draw_training, &t, run->n_scenes);
}

int dun_run_pictures(const dun_run_dir *folder, const dun_run_data *run) {
    int rc = DUN_OK;
    dun_str bytes = {0};
    if (!run->has_points)
        return DUN_OK;
    TRY(dun_picture_scatter_png(&bytes, run));
    TRY(dun_run_dir_write(folder, "scatter.png", &bytes));
    dun_str_clear(&bytes);
    TRY(dun_picture_scatter_svg(&bytes, run));
    TRY(dun_run_dir_write(folder, "scatter.svg", &bytes));
    dun_str_clear(&bytes);
    if (run->n_scenes > 1) {
        TRY(dun_picture_training(&bytes, run));
        TRY(dun_run_dir_write(folder, "training.gif", &bytes));
    }
out:
    dun_str_free(&bytes);
    return rc;
}
