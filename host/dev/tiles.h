/* How kernels are cut for a device: the defines of kernels.cl. Part of a run's record, because sums are taken
 * in an order that depends on them. */
#ifndef DUN_TILES_H
#define DUN_TILES_H

#include "base/str.h"
#include "dev/device.h"

/* Groups of tiles: what a kernel text is cut by. */
enum { DUN_CUT_ROWS = 1, DUN_CUT_HEADS = 2, DUN_CUT_REG = 4, DUN_CUT_LOCAL = 8, DUN_CUT_ALL = 15 };

/* X(field, define, DUN_CUT_... it belongs to, values that are legal, meaning) */
#define DUN_TILES(X)                                                                                         \
    X(group, "WG", ROWS, "1|2|4|8|16|32|64|128|256|512|1024", "items in a work-group of the row kernels")    \
    X(vector, "VW", ROWS, "4|8|16", "floats in a vector of the row kernels")                                 \
    X(sub_groups, "SUB_GROUPS", ROWS, "0|1", "sums of a work-group go through sub-groups")                   \
    X(attention_group, "ATT_WG", HEADS, "1|8|16|32|64|128|256",                                              \
      "items for a query row and head; 1: one item")                                                         \
    X(reg_rows, "REG_MR", REG, "4|6|12", "rows of the register tile")                                        \
    X(reg_vector, "REG_VW", REG, "4|8|16", "half the columns of the register tile")                          \
    X(reg_ahead, "REG_AHEAD", REG, "0|1", "the register tile prefetches")                                    \
    X(local_m, "TS_M", LOCAL, "0|16|32|64|128", "rows of the local tile; 0: its kernels are left out")       \
    X(local_n, "TS_N", LOCAL, "0|16|32|64|128", "columns of the local tile")                                 \
    X(local_k, "TS_K", LOCAL, "0|8|16|32", "depth of the local tile")                                        \
    X(work_m, "WPT_M", LOCAL, "0|1|2|4|8|16", "rows of the local tile that one item computes")               \
    X(work_n, "WPT_N", LOCAL, "0|1|2|4|8|16", "columns of the local tile that one item computes")            \
    X(local_vector, "TS_VW", LOCAL, "0|1|2|4", "floats in a vector read from local memory")                  \
    X(local_pad, "TS_PAD", LOCAL, "0|2|4|8", "floats between the rows of the local tile of activations")     \
    X(local_split, "TS_SPLIT", LOCAL, "0|1|2|4|8|16", "most parts that a sum over K is cut into")            \
    X(half_weights, "TS_HALF", LOCAL, "0|1", "weights of the local tile are stored as f16")

typedef struct {
#define X(field, define, cut, legal, meaning) uint32_t field;
    DUN_TILES(X)
#undef X
    uint32_t head_dim; /* HEAD_DIM: the model's, not a choice */
} dun_tiles;

/* Sane tiles for an untuned device: vectors as wide as the device's own, work-groups of one item on CPUs. */
dun_tiles dun_tiles_default(const dun_device_info *info, uint32_t head_dim);

/* Leaves the local tile out, for providers that do not use it. */
void dun_tiles_drop_local(dun_tiles *tiles);

/* The smallest local tile, which every device with local memory can take. */
void dun_tiles_smallest_local(dun_tiles *tiles);

/* What the local tile takes of a device: items in a work-group, bytes of local memory. */
uint32_t dun_tiles_local_items(const dun_tiles *tiles);
uint64_t dun_tiles_local_bytes(const dun_tiles *tiles);

/* Appends why the device cannot take the tiles (limits, values that do not fit each other), nothing if it
 * can. */
int dun_tiles_fault(dun_str *out, const dun_tiles *tiles, const dun_device_info *info);

/* Replaces what does not fit the device by smaller tiles that do; appends what and why to `said`, nothing if
 * all fit. */
int dun_tiles_fit(dun_str *said, dun_tiles *tiles, const dun_device_info *info);

/* Reads "WG=64 TS_M=32 ..." over what is there. DUN_USAGE: an unknown name or a value that is not legal;
 * `origin` opens the message. */
int dun_tiles_read(dun_tiles *tiles, const char *words, const char *origin);

/* Appends "WG=1 VW=16 ...", which reads back. */
int dun_tiles_write(dun_str *out, const dun_tiles *tiles);

/* Appends "-DWG=1 -DVW=16 ...": the tiles of the groups in `cut`, DUN_CUT_... */
int dun_tiles_defines(dun_str *out, const dun_tiles *tiles, unsigned cut);

#endif
