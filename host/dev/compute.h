/* A device ready to compute: its tiles, programs and products. */
#ifndef DUN_COMPUTE_H
#define DUN_COMPUTE_H

#include "dev/choice.h"
#include "dev/gemm.h"
#include "dev/programs.h"

/* Everything launched on one device: built once, owned here. For one thread at a time. */
typedef struct {
    dun_device *device;
    dun_tiles tiles;
    dun_programs *programs;
    dun_gemm *gemm;
    char reason[DUN_REASON_BYTES]; /* why these tiles */
} dun_compute;

/* Builds the GEMM provider `gemm` ("auto", ...), with tiles for heads of head_dim floats (any legal value
 * where no model is run), in float32. Topics are built when they are first used. */
int dun_compute_create(dun_compute *out, dun_device *device, uint32_t head_dim, const char *gemm);

/* The same from a kernel text of the caller's: for tests that break a kernel on purpose. */
int dun_compute_create_text(dun_compute *out, dun_device *device, const char *text, uint32_t head_dim,
                            const char *gemm);

/* The same as the user wishes, with the topics that the wish names; `text` NULL: the program's own. Tiles
 * that the driver does not take for one of these give way to simpler ones, with a warning. */
int dun_compute_create_wish(dun_compute *out, dun_device *device, const char *text, const dun_wish *wish);
void dun_compute_free(dun_compute *compute);

/* Before kernels of a room are launched: builds the topics that `topics` has bits for, unless they were
 * before. DUN_BAD_DEVICE: the driver does not take one of them; the tiles stay what they are. */
int dun_compute_use(const dun_compute *compute, const dun_kernel_list *list, unsigned topics);

/* A kernel whose topic is in use. */
dun_kernel *dun_compute_kernel(const dun_compute *compute, const dun_kernel_list *list, size_t kernel);

/* Ranges: one work-group for each of n rows; one item for each of n, in groups of the tile's size. */
dun_range dun_rows(const dun_compute *compute, size_t n);
dun_range dun_items(const dun_compute *compute, size_t n);

/* Items in a work-group of the kernels that walk rows, for dun_kernel_list.group. */
uint32_t dun_group_of_rows(const dun_tiles *tiles, size_t kernel);

#endif
