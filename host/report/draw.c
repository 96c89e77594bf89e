/* Shapes and colours of the classes, fitting points into a box, words of a line. */
#include "report/draw.h"

#include "base/utf8.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const double pi = 3.14159265358979323846;
static const uint32_t hues[DUN_DRAW_HUES] = {0x0072b2, 0xe69f00, 0x009e73, 0xd55e00,
                                             0xcc79a7, 0x56b4e9, 0xb5a800, 0x7d7d7d};
static const uint32_t ink = 0x1d2025;

enum shape { CIRCLE, SQUARE, TRIANGLE, DIAMOND, DOWN, PLUS, CROSS, STAR, N_SHAPES };

static void set_color(cairo_t *cr, uint32_t rgb, double alpha) {
    cairo_set_source_rgba(cr, (rgb >> 16 & 255) / 255.0, (rgb >> 8 & 255) / 255.0, (rgb & 255) / 255.0,
                          alpha);
}

void dun_box_add(dun_box *box, const float *points, size_t n) {
    for (size_t i = 0; i < n; i++) {
        double x = (double)points[2 * i], y = (double)points[2 * i + 1];
        if (box->x0 > box->x1)
            *box = (dun_box){x, y, x, y};
        box->x0 = fmin(box->x0, x);
        box->x1 = fmax(box->x1, x);
        box->y0 = fmin(box->y0, y);
        box->y1 = fmax(box->y1, y);
    }
}

dun_view dun_view_fit(const dun_box *box, double left, double top, double width, double height) {
    double w = box->x1 - box->x0, h = box->y1 - box->y0;
    double scale = fmin(w > 0 ? width / w : INFINITY, h > 0 ? height / h : INFINITY);
    if (!isfinite(scale))
        scale = 1;
    return (dun_view){.scale = scale,
                      .x = left + width / 2 - scale * (box->x0 + box->x1) / 2,
                      .y = top + height / 2 + scale * (box->y0 + box->y1) / 2};
}

/* Corners on a circle, every second one further in where inner is not 1. */
static void add_corners(cairo_t *cr, double x, double y, double r, int n, double first, double inner) {
    for (int i = 0; i < n; i++) {
        double a = first + 2 * pi * i / n, s = (i % 2 ? inner : 1) * r * 1.15;
        cairo_line_to(cr, x + s * cos(a), y + s * sin(a));
    }
    cairo_close_path(cr);
}

/* Two bars across each other. */
static void add_bars(cairo_t *cr, double x, double y, double r, double turn) {
    static const double outline[12][2] = {{-1, -3}, {1, -3}, {1, -1}, {3, -1}, {3, 1},   {1, 1},
                                          {1, 3},   {-1, 3}, {-1, 1}, {-3, 1}, {-3, -1}, {-1, -1}};
    for (int i = 0; i < 12; i++) {
        double a = outline[i][0] * r * 0.37, b = outline[i][1] * r * 0.37;
        cairo_line_to(cr, x + a * cos(turn) - b * sin(turn), y + a * sin(turn) + b * cos(turn));
    }
    cairo_close_path(cr);
}

static void add_shape(cairo_t *cr, enum shape shape, double x, double y, double r) {
    cairo_new_path(cr);
    switch (shape) {
    case SQUARE:
        cairo_rectangle(cr, x - r * 0.88, y - r * 0.88, r * 1.76, r * 1.76);
        break;
    case TRIANGLE:
        add_corners(cr, x, y, r, 3, -pi / 2, 1);
        break;
    case DOWN:
        add_corners(cr, x, y, r, 3, pi / 2, 1);
        break;
    case DIAMOND:
        add_corners(cr, x, y, r, 4, 0, 1);
        break;
    case PLUS:
        add_bars(cr, x, y, r, 0);
        break;
    case CROSS:
        add_bars(cr, x, y, r, pi / 4);
        break;
    case STAR:
        add_corners(cr, x, y, r, 10, -pi / 2, 0.5);
        break;
    default:
        cairo_arc(cr, x, y, r, 0, 2 * pi);
    }
}

static void draw_shape(cairo_t *cr, uint32_t k, double x, double y, const dun_marker *m) {
    enum shape shape = m->round ? CIRCLE : (enum shape)((k + k / DUN_DRAW_HUES) % N_SHAPES);
    bool hollow = k / (DUN_DRAW_HUES * N_SHAPES) % 2 == 1;
    add_shape(cr, shape, x, y, m->radius);
    set_color(cr, hues[k % DUN_DRAW_HUES], m->alpha);
    if (!hollow)
        cairo_fill_preserve(cr);
    if (m->edge > 0)
        set_color(cr, ink, m->alpha);
    cairo_set_line_width(cr, m->edge > 0 ? m->edge : 1.4);
    if (hollow || m->edge > 0)
        cairo_stroke(cr);
    cairo_new_path(cr);
}

void dun_draw_marker(cairo_t *cr, const dun_view *view, uint32_t k, const float at[2], dun_marker marker) {
    draw_shape(cr, k, view->x + view->scale * (double)at[0], view->y - view->scale * (double)at[1], &marker);
}

void dun_draw_centroid(cairo_t *cr, const dun_view *view, uint32_t k, const float at[2], double radius) {
    double x = view->x + view->scale * (double)at[0], y = view->y - view->scale * (double)at[1];
    enum shape shape = (enum shape)((k + k / DUN_DRAW_HUES) % N_SHAPES);
    add_shape(cr, shape, x, y, radius);
    set_color(cr, 0xffffff, 1);
    cairo_set_line_width(cr, 6);
    cairo_stroke(cr);
    draw_shape(cr, k, x, y, &(dun_marker){.radius = radius, .alpha = 1, .edge = 2});
}

void dun_draw_ring(cairo_t *cr, const dun_view *view, const float at[2], double radius) {
    add_shape(cr, CIRCLE, view->x + view->scale * (double)at[0], view->y - view->scale * (double)at[1],
              radius);
    set_color(cr, ink, 1);
    cairo_set_line_width(cr, 1.5);
    cairo_stroke(cr);
}

double dun_draw_words(cairo_t *cr, double x, double y, double width, double size, const char *words) {
    char line[256];
    cairo_text_extents_t extents;
    size_t length = strlen(words), most = sizeof line - 4;
    length = dun_utf8_valid(words, length < most ? length : most);
    memcpy(line, words, length);
    line[length] = '\0';
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    cairo_select_font_face(cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cr, size);
    cairo_text_extents(cr, line, &extents);
    while (extents.x_advance > width && length > 0) {
        do
            length--;
        while (length > 0 && ((unsigned char)line[length] & 0xc0) == 0x80);
        strcpy(line + length, "\xe2\x80\xa6");
        cairo_text_extents(cr, line, &extents);
    }
    set_color(cr, ink, 0.8);
    cairo_move_to(cr, x, y);
    cairo_show_text(cr, line);
    cairo_new_path(cr);
    return extents.x_advance;
}

/* `share` of a colour over white. */
static uint32_t mix(uint32_t rgb, double share) {
    uint32_t mixed = 0;
    for (int shift = 0; shift < 24; shift += 8)
        mixed |= (uint32_t)lround(255 + share * ((double)(rgb >> shift & 255) - 255)) << shift;
    return mixed;
}

int dun_draw_palette(uint32_t *palette, int most) {
    int n = 0;
    palette[n++] = 0xffffff;
    for (int i = 1; i <= DUN_DRAW_SHADES; i++)
        for (int hue = 0; hue <= DUN_DRAW_HUES && n < most; hue++)
            palette[n++] = mix(hue < DUN_DRAW_HUES ? hues[hue] : ink, (double)i / DUN_DRAW_SHADES);
    return n;
}
