/* Points, centroids and words on a cairo surface: what the pictures have in common. The colours and shapes of
 * classes are those of the pages (host/report/page/common.js). */
#ifndef DUN_DRAW_H
#define DUN_DRAW_H

#include "base/str.h"

#include <cairo.h>
#include <stddef.h>
#include <stdint.h>

enum { DUN_DRAW_HUES = 8, DUN_DRAW_SHADES = 12 };

/* Data coordinates to pixels, the same scale both ways. */
typedef struct {
    double scale, x, y; /* pixel = x + scale * data x, y - scale * data y */
} dun_view;

typedef struct {
    double x0, y0, x1, y1;
} dun_box;

/* Grows a box, which starts as DUN_BOX_EMPTY, by points (n, 2). */
#define DUN_BOX_EMPTY                                                                                        \
    { 1, 1, 0, 0 }
void dun_box_add(dun_box *box, const float *points, size_t n);

/* The view that shows the box inside a rectangle of pixels. */
dun_view dun_view_fit(const dun_box *box, double left, double top, double width, double height);

/* Marker of class k; alpha 0 to 1. `edge` > 0 rings it dark with that width. `round`: a disc for every class.
 */
typedef struct {
    double radius, alpha, edge;
    int round;
} dun_marker;

void dun_draw_marker(cairo_t *cr, const dun_view *view, uint32_t k, const float at[2], dun_marker marker);

/* A centroid: a large marker with a light rim and a dark edge. */
void dun_draw_centroid(cairo_t *cr, const dun_view *view, uint32_t k, const float at[2], double radius);

/* A ring, for points with the wrong class. */
void dun_draw_ring(cairo_t *cr, const dun_view *view, const float at[2], double radius);

/* Words whose baseline begins at x, y; cut to `width`. Returns what they took. */
double dun_draw_words(cairo_t *cr, double x, double y, double width, double size, const char *words);

/* White, greys, and every hue in shades towards white: what a GIF of these drawings needs. Returns how many.
 */
int dun_draw_palette(uint32_t *palette, int most);

/* Appends a GIF, at most 48 frames evenly chosen of n, each drawn by `draw`; the last one stays longer. */
enum { DUN_GIF_WIDTH = 480, DUN_GIF_HEIGHT = 380 };
typedef void dun_frame_drawer(cairo_t *cr, const void *self, uint32_t frame);
int dun_gif_of(dun_str *out, dun_frame_drawer *draw, const void *self, uint32_t n);

#endif
