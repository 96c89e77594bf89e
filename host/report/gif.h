/* Animated GIF of drawn frames, with giflib. Frames hold only what changed, the rest is left transparent. */
#ifndef DUN_GIF_H
#define DUN_GIF_H

#include "base/str.h"

#include <stdint.h>

enum { DUN_GIF_COLORS = 255 }; /* of a palette; one more index stands for "as before" */

typedef struct dun_gif dun_gif;

/* Begins a GIF of width x height that loops for ever, appended to `bytes`, which stays borrowed. The palette
 * holds n colours 0xRRGGBB; what is drawn gets the nearest. */
int dun_gif_begin(dun_gif **out, dun_str *bytes, int width, int height, const uint32_t *palette, int n);

/* Adds a frame of pixels 0xXXRRGGBB, `stride` pixels a row, shown for so many hundredths of a second. */
int dun_gif_add(dun_gif *gif, const uint32_t *pixels, int stride, int hundredths);

/* Writes what is left; afterwards, or after a failure, dun_gif_free. */
int dun_gif_end(dun_gif *gif);
void dun_gif_free(dun_gif *gif);

#endif
