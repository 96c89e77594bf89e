/* Pictures: valid files of the right size, drawn where the data are, the same bytes twice. */
#include "base/mem.h"
#include "device_check.h"
#include "report/draw.h"
#include "report/flock.h"
#include "report/gif.h"
#include "report/pictures.h"

#include <gif_lib.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 40, K = 3, SCENES = 70 };

/* A run as files would give it. */
typedef struct {
    dun_run_data run;
    float points[2 * N], centroids[2 * K], distances[N * K], scene_centroids[SCENES][2 * K];
    int64_t labels[N];
    dun_scene scenes[SCENES];
    char *names[K];
} sample;

static void make(sample *s) {
    static const char *const names[K] = {
        "bad", "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d \xf0\x9f\x98\x80",
        "<b>a name so long that it has to be cut somewhere before its end</b>"};
    *s = (sample){0};
    for (int k = 0; k < K; k++) {
        s->names[k] = (char *)(uintptr_t)names[k];
        s->centroids[2 * k] = (float)(10 * cos(2.1 * k));
        s->centroids[2 * k + 1] = (float)(10 * sin(2.1 * k));
    }
    for (int i = 0; i < N; i++) {
        s->labels[i] = i % K;
        s->points[2 * i] = s->centroids[2 * (i % K)] + (float)sin(7.0 * i);
        s->points[2 * i + 1] = s->centroids[2 * (i % K) + 1] + (float)cos(5.0 * i);
        for (int k = 0; k < K; k++)
            s->distances[i * K + k] = k == (i % 7 ? i % K : 0) ? 1 : 2;
    }
    for (int f = 0; f < SCENES; f++) {
        s->scenes[f] = (dun_scene){.step = (uint64_t)f + 1, .n = f + 1 < SCENES ? 8 : 0};
        s->scenes[f].centroids = s->scene_centroids[f];
        memcpy(s->scene_centroids[f], s->centroids, sizeof s->centroids);
        for (int i = 0; i < 8; i++) {
            s->scenes[f].labels[i] = i % K;
            s->scenes[f].points[2 * i] = s->points[2 * i] * (float)f / SCENES;
            s->scenes[f].points[2 * i + 1] = s->points[2 * i + 1] * (float)f / SCENES;
        }
    }
    s->run = (dun_run_data){.path = "sample",
                            .has_points = true,
                            .scenes = s->scenes,
                            .n_scenes = SCENES,
                            .classes = s->names,
                            .n_classes = K};
    s->run.projection = (dun_projection){.n = N,
                                         .n_classes = K,
                                         .points = s->points,
                                         .centroids = s->centroids,
                                         .distances = s->distances,
                                         .labels = s->labels};
}

typedef struct {
    const dun_str *text;
    size_t at;
} reader;

static int read_gif(GifFileType *file, GifByteType *out, int n) {
    reader *r = file->UserData;
    size_t left = r->text->length - r->at, count = (size_t)n < left ? (size_t)n : left;
    memcpy(out, r->text->bytes + r->at, count);
    r->at += count;
    return (int)count;
}

static cairo_status_t read_png(void *self, unsigned char *out, unsigned n) {
    reader *r = self;
    if (r->text->length - r->at < n)
        return CAIRO_STATUS_READ_ERROR;
    memcpy(out, r->text->bytes + r->at, n);
    r->at += n;
    return CAIRO_STATUS_SUCCESS;
}

static GifFileType *open_gif(reader *r, const dun_str *text) {
    int error = 0;
    *r = (reader){.text = text};
    GifFileType *file = DGifOpen(r, read_gif, &error);
    assert_non_null(file);
    assert_int_equal(DGifSlurp(file), GIF_OK);
    return file;
}

static void expect_twice(int (*draw)(dun_str *out, const dun_run_data *run), dun_str *once,
                         const dun_run_data *run) {
    dun_str again = {0};
    check_ok(draw(once, run));
    check_ok(draw(&again, run));
    assert_int_equal(once->length, again.length);
    assert_memory_equal(once->bytes, again.bytes, again.length);
    dun_str_free(&again);
}

static void test_png(void **state) {
    (void)state;
    sample s;
    dun_str png = {0};
    make(&s);
    expect_twice(dun_picture_scatter_png, &png, &s.run);
    reader r = {.text = &png};
    cairo_surface_t *surface = cairo_image_surface_create_from_png_stream(read_png, &r);
    assert_int_equal(cairo_surface_status(surface), CAIRO_STATUS_SUCCESS);
    int width = cairo_image_surface_get_width(surface), height = cairo_image_surface_get_height(surface);
    int stride = cairo_image_surface_get_stride(surface) / 4;
    assert_int_equal(width, 900);
    assert_int_equal(height, 680);
    /* Every centroid's colour is there, about where it belongs; the corners are white. */
    const uint32_t *pixels = (const uint32_t *)(const void *)cairo_image_surface_get_data(surface);
    static const uint32_t colors[K] = {0x0072b2, 0xe69f00, 0x009e73};
    dun_box box = DUN_BOX_EMPTY;
    dun_box_add(&box, s.points, N);
    dun_box_add(&box, s.centroids, K);
    dun_view view = dun_view_fit(&box, 30, 56, 840, 564);
    for (int k = 0; k < K; k++) {
        int x = (int)(view.x + view.scale * (double)s.centroids[2 * k]);
        int y = (int)(view.y - view.scale * (double)s.centroids[2 * k + 1]);
        assert_int_equal(pixels[y * stride + x] & 0xffffff, colors[k]);
    }
    assert_int_equal(pixels[0] & 0xffffff, 0xffffff);
    cairo_surface_destroy(surface);
    dun_str_free(&png);
}

static void test_svg(void **state) {
    (void)state;
    sample s;
    dun_str svg = {0};
    make(&s);
    expect_twice(dun_picture_scatter_svg, &svg, &s.run);
    assert_memory_equal(svg.bytes, "<?xml", 5);
    assert_non_null(strstr(svg.bytes, "<svg"));
    assert_non_null(strstr(svg.bytes, "</svg>"));
    assert_null(strstr(svg.bytes, "<b>"));
    dun_str_free(&svg);
}

static void test_training_gif(void **state) {
    (void)state;
    sample s;
    reader r;
    dun_str gif = {0};
    make(&s);
    expect_twice(dun_picture_training, &gif, &s.run);
    GifFileType *file = open_gif(&r, &gif);
    assert_int_equal(file->SWidth, DUN_GIF_WIDTH);
    assert_int_equal(file->SHeight, DUN_GIF_HEIGHT);
    assert_int_equal(file->ImageCount, 48);
    assert_memory_equal(gif.bytes, "GIF89a", 6);
    for (int i = 0; i < file->ImageCount; i++) {
        GraphicsControlBlock control;
        assert_int_equal(DGifSavedExtensionToGCB(file, i, &control), GIF_OK);
        assert_int_equal(control.DelayTime, i < 47 ? 9 : 220);
    }
    assert_int_equal(DGifCloseFile(file, NULL), GIF_OK);
    dun_str_free(&gif);
}

/* Frames put on each other give the pixels that were added, where the palette has their colours. */
static void test_gif_pixels(void **state) {
    (void)state;
    enum { W = 20, H = 10, FRAMES = 5 };
    static const uint32_t palette[] = {0xffffff, 0x0072b2, 0xe69f00, 0x1d2025};
    static uint32_t pixels[FRAMES][W * H];
    uint8_t shown[W * H];
    reader r;
    dun_gif *gif;
    dun_str out = {0};
    check_ok(dun_gif_begin(&gif, &out, W, H, palette, 4));
    for (int f = 0; f < FRAMES; f++) {
        for (int i = 0; i < W * H; i++)
            pixels[f][i] = palette[f == 2 ? (i * 7 / 3) % 4 : i / W == f || f == 4 ? 3 : 0]; /* 3 is as 3 */
        check_ok(dun_gif_add(gif, pixels[f], W, 5));
    }
    check_ok(dun_gif_add(gif, pixels[FRAMES - 1], W, 5)); /* nothing new */
    check_ok(dun_gif_end(gif));
    dun_gif_free(gif);
    GifFileType *file = open_gif(&r, &out);
    assert_int_equal(file->ImageCount, FRAMES + 1);
    memset(shown, 0, sizeof shown);
    for (int f = 0; f <= FRAMES; f++) {
        const SavedImage *image = &file->SavedImages[f];
        const GifImageDesc *d = &image->ImageDesc;
        for (int y = 0; y < d->Height; y++)
            for (int x = 0; x < d->Width; x++) {
                uint8_t index = image->RasterBits[y * d->Width + x];
                if (index != DUN_GIF_COLORS)
                    shown[(d->Top + y) * W + d->Left + x] = index;
            }
        for (int i = 0; i < W * H; i++)
            assert_int_equal(palette[shown[i]], pixels[f < FRAMES ? f : FRAMES - 1][i]);
    }
    assert_int_equal(DGifCloseFile(file, NULL), GIF_OK);
    dun_str_free(&out);
}

static void test_flock(void **state) {
    (void)state;
    for (uint32_t dimensions = 1; dimensions <= 3; dimensions++) {
        float positions[31 * 4 * 3], losses[31];
        reader r;
        dun_str gif = {0}, again = {0}, html = {0};
        for (int i = 0; i < 31 * 4 * 3; i++)
            positions[i] = (float)sin(0.1 * i);
        for (int i = 0; i < 31; i++)
            losses[i] = (float)(31 - i);
        const dun_flock flock = {.n_points = 4,
                                 .n_dimensions = dimensions,
                                 .n_steps = 30,
                                 .positions = positions,
                                 .losses = losses};
        check_ok(dun_picture_flock(&gif, &flock));
        check_ok(dun_picture_flock(&again, &flock));
        assert_int_equal(gif.length, again.length);
        assert_memory_equal(gif.bytes, again.bytes, gif.length);
        GifFileType *file = open_gif(&r, &gif);
        assert_int_equal(file->ImageCount, 31);
        assert_int_equal(DGifCloseFile(file, NULL), GIF_OK);
        check_ok(dun_flock_page(&html, &flock, "</script>"));
        assert_non_null(strstr(html.bytes, "\"title\":\"\\u003c/script\\u003e\""));
        dun_str_free(&gif);
        dun_str_free(&again);
        dun_str_free(&html);
    }
}

/* Nothing to fit: one place, no points. */
static void test_view(void **state) {
    (void)state;
    static const float one[] = {3, 4};
    dun_box box = DUN_BOX_EMPTY;
    dun_view view = dun_view_fit(&box, 0, 0, 100, 100);
    assert_true(isfinite(view.scale) && isfinite(view.x) && isfinite(view.y));
    dun_box_add(&box, one, 1);
    view = dun_view_fit(&box, 0, 0, 100, 80);
    assert_true(view.x + view.scale * 3 == 50 && view.y - view.scale * 4 == 40);
}

static int live(void **state) {
    (void)state;
    return dun_mem_live() == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_png, live),          cmocka_unit_test_teardown(test_svg, live),
        cmocka_unit_test_teardown(test_training_gif, live), cmocka_unit_test_teardown(test_gif_pixels, live),
        cmocka_unit_test_teardown(test_flock, live),        cmocka_unit_test_teardown(test_view, live)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
