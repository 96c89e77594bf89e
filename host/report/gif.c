/* Finds what changed between frames, maps it to the palette, and hands it to giflib. */
#include "report/gif.h"

#include "base/err.h"
#include "base/mem.h"

#include <gif_lib.h>
#include <stdbool.h>
#include <string.h>

enum { SAME = DUN_GIF_COLORS, N_INDICES = 256, BITS = 5, LEVELS = 1 << BITS };

struct dun_gif {
    GifFileType *file;
    dun_str *out;
    int width, height, n_frames;
    uint32_t palette[N_INDICES];
    int n_colors;
    int16_t nearest[LEVELS * LEVELS * LEVELS]; /* colour by its upper bits; -1: not looked for yet */
    uint8_t *shown, *frame;                    /* (height, width) indices */
};

static int failed(int code) {
    const char *text = GifErrorString(code);
    return dun_error(DUN_FAILED, "the GIF could not be made: %s", text ? text : "no memory");
}

static int write_bytes(GifFileType *file, const GifByteType *bytes, int n) {
    dun_gif *gif = file->UserData;
    return dun_str_add(gif->out, (const char *)bytes, (size_t)n) < 0 ? 0 : n;
}

/* GIF_OK or a failure as one of ours. */
static int check(const dun_gif *gif, int result) {
    return result == GIF_ERROR ? failed(gif->file->Error) : DUN_OK;
}

static int put_head(dun_gif *gif) {
    int rc = DUN_OK;
    ColorMapObject *colors = GifMakeMapObject(N_INDICES, NULL);
    if (!colors)
        return failed(E_GIF_ERR_NOT_ENOUGH_MEM);
    for (int i = 0; i < N_INDICES; i++)
        colors->Colors[i] =
            (GifColorType){(GifByteType)(gif->palette[i] >> 16 & 255),
                           (GifByteType)(gif->palette[i] >> 8 & 255), (GifByteType)(gif->palette[i] & 255)};
    EGifSetGifVersion(gif->file, true);
    TRY(check(gif, EGifPutScreenDesc(gif->file, gif->width, gif->height, 8, 0, colors)));
    /* Netscape's extension: loop without end. */
    TRY(check(gif, EGifPutExtensionLeader(gif->file, APPLICATION_EXT_FUNC_CODE)));
    TRY(check(gif, EGifPutExtensionBlock(gif->file, 11, "NETSCAPE2.0")));
    TRY(check(gif, EGifPutExtensionBlock(gif->file, 3, "\1\0\0")));
    TRY(check(gif, EGifPutExtensionTrailer(gif->file)));
out:
    GifFreeMapObject(colors);
    return rc;
}

int dun_gif_begin(dun_gif **out, dun_str *bytes, int width, int height, const uint32_t *palette, int n) {
    int rc = DUN_OK, code = 0;
    dun_gif *gif = NULL;
    *out = NULL;
    TRY_NEW(gif, 1);
    gif->out = bytes;
    gif->width = width;
    gif->height = height;
    gif->n_colors = n < DUN_GIF_COLORS ? n : DUN_GIF_COLORS;
    memcpy(gif->palette, palette, (size_t)gif->n_colors * sizeof *palette);
    memset(gif->nearest, 0xff, sizeof gif->nearest);
    TRY_NEW(gif->shown, (size_t)width * (size_t)height);
    TRY_NEW(gif->frame, (size_t)width * (size_t)height);
    gif->file = EGifOpen(gif, write_bytes, &code);
    if (!gif->file)
        TRY(failed(code));
    TRY(put_head(gif));
    *out = gif;
out:
    if (rc < 0)
        dun_gif_free(gif);
    return rc;
}

static int distance(uint32_t a, uint32_t b) {
    int sum = 0;
    for (int shift = 0; shift < 24; shift += 8) {
        int d = (int)(a >> shift & 255) - (int)(b >> shift & 255);
        sum += d * d;
    }
    return sum;
}

static uint8_t index_of(dun_gif *gif, uint32_t pixel) {
    uint32_t r = pixel >> (24 - BITS) & (LEVELS - 1), g = pixel >> (16 - BITS) & (LEVELS - 1);
    uint32_t b = pixel >> (8 - BITS) & (LEVELS - 1);
    int16_t *known = &gif->nearest[(r << BITS | g) << BITS | b];
    if (*known < 0) {
        /* The middle of the colours that share these bits, spread so that white stays white. */
        uint32_t middle =
            (r * 255 / (LEVELS - 1)) << 16 | (g * 255 / (LEVELS - 1)) << 8 | b * 255 / (LEVELS - 1);
        *known = 0;
        for (int i = 1; i < gif->n_colors; i++)
            if (distance(gif->palette[i], middle) < distance(gif->palette[*known], middle))
                *known = (int16_t)i;
    }
    return (uint8_t)*known;
}

typedef struct {
    int left, top, right, bottom; /* exclusive */
} box;

/* Finds the indices and the box of those that changed; at least one pixel, so that the time passes. */
static box find_changes(dun_gif *gif, const uint32_t *pixels, int stride) {
    box b = {gif->width, gif->height, 0, 0};
    for (int y = 0; y < gif->height; y++)
        for (int x = 0; x < gif->width; x++) {
            size_t at = (size_t)y * (size_t)gif->width + (size_t)x;
            gif->frame[at] = index_of(gif, pixels[(size_t)y * (size_t)stride + (size_t)x]);
            if (gif->n_frames > 0 && gif->frame[at] == gif->shown[at])
                continue;
            b.left = x < b.left ? x : b.left;
            b.right = x + 1 > b.right ? x + 1 : b.right;
            b.top = y < b.top ? y : b.top;
            b.bottom = y + 1;
        }
    return b.right > b.left ? b : (box){0, 0, 1, 1};
}

int dun_gif_add(dun_gif *gif, const uint32_t *pixels, int stride, int hundredths) {
    int rc = DUN_OK;
    GifByteType extension[4];
    box b = find_changes(gif, pixels, stride);
    const GraphicsControlBlock control = {.DisposalMode = DISPOSE_DO_NOT,
                                          .DelayTime = hundredths,
                                          .TransparentColor = gif->n_frames ? SAME : NO_TRANSPARENT_COLOR};
    EGifGCBToExtension(&control, extension);
    TRY(check(gif, EGifPutExtension(gif->file, GRAPHICS_EXT_FUNC_CODE, sizeof extension, extension)));
    TRY(check(gif,
              EGifPutImageDesc(gif->file, b.left, b.top, b.right - b.left, b.bottom - b.top, false, NULL)));
    for (int y = b.top; y < b.bottom; y++) {
        size_t row = (size_t)y * (size_t)gif->width;
        for (int x = b.left; x < b.right; x++) {
            size_t at = row + (size_t)x;
            bool same = gif->n_frames > 0 && gif->frame[at] == gif->shown[at];
            gif->shown[at] = gif->frame[at];
            if (same)
                gif->frame[at] = SAME;
        }
        TRY(check(gif, EGifPutLine(gif->file, gif->frame + row + b.left, b.right - b.left)));
    }
    gif->n_frames++;
out:
    return rc;
}

int dun_gif_end(dun_gif *gif) {
    int code = 0, result = EGifCloseFile(gif->file, &code);
    gif->file = NULL;
    return result == GIF_ERROR ? failed(code) : DUN_OK;
}

void dun_gif_free(dun_gif *gif) {
    int code = 0;
    if (!gif)
        return;
    if (gif->file)
        EGifCloseFile(gif->file, &code);
    dun_free(gif->shown);
    dun_free(gif->frame);
    dun_free(gif);
}
