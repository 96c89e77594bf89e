/* See tiles.h. */
#include "tiles.h"

dun_tiles dun_tiles_default(const dun_device_info *info, uint32_t head_dim) {
    bool cpu = info->type == DUN_DEVICE_CPU;
    uint32_t width = info->vector_width >= 16 ? 16 : info->vector_width >= 8 ? 8 : 4;
    dun_tiles tiles = {.group = cpu ? 1 : 64, .vector = cpu ? width : 4, .head_dim = head_dim};
    /* The register tile needs 2*MR accumulators and 3 more: 32 registers with AVX-512, 16 with AVX. */
    tiles.reg_vector = tiles.vector;
    tiles.reg_rows = width == 16 ? 12 : width == 8 ? 6 : 4;
    tiles.reg_ahead = cpu;
    while (tiles.group > 1 && tiles.group > info->max_group_size)
        tiles.group /= 2;
    return tiles;
}

int dun_tiles_defines(dun_text *out, const dun_tiles *tiles) {
    uint32_t head_vector = tiles->vector;
    while (tiles->head_dim % head_vector)
        head_vector /= 2;
    return dun_text_addf(out,
                         "-DWG=%u -DVW=%u -DREG_MR=%u -DREG_VW=%u -DREG_AHEAD=%u -DHEAD_DIM=%u -DHEAD_VW=%u",
                         tiles->group, tiles->vector, tiles->reg_rows, tiles->reg_vector, tiles->reg_ahead,
                         tiles->head_dim, head_vector);
}
