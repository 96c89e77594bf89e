/* How kernels are cut for a device: the defines of preface.cl and gemm_reg.cl. Part of a run's record,
 * because sums are taken in an order that depends on them. */
#ifndef DUN_TILES_H
#define DUN_TILES_H

#include "device.h"
#include "text.h"

typedef struct {
    uint32_t group;      /* WG */
    uint32_t vector;     /* VW: 4, 8, 16 */
    uint32_t reg_rows;   /* REG_MR: 4, 6, 12 */
    uint32_t reg_vector; /* REG_VW: 4, 8, 16 */
    uint32_t reg_ahead;  /* REG_AHEAD: 0, 1 */
    uint32_t head_dim;   /* HEAD_DIM */
} dun_tiles;

/* Sane tiles for an untuned device: vectors as wide as the device's own, work-groups of one item on CPUs. */
dun_tiles dun_tiles_default(const dun_device_info *info, uint32_t head_dim);

/* Appends "-DWG=1 -DVW=16 ...". */
int dun_tiles_defines(dun_text *out, const dun_tiles *tiles);

#endif
