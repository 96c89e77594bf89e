/* Tuning rows: the GEMM provider and tiles that were measured to be fastest on a device. A row is a section
 * of an INI text, [name]  platform = ..., device = ..., driver = ... (patterns with * and ?; absent: any),
 *           vector = N (the device's native floats; absent: any), kernels = hash of the kernel text (absent:
 * any), gemm = ..., precision = ... (absent: as without a row), tiles = WG=1 ..., note = what was measured
 * kept by `dunlin tune` in the cache for this device, driver and kernel text, read from the file that
 * DUNLIN_DEVICES names, and shipped in config/devices.ini, which is inside the program. The first row that
 * fits, in this order: DUNLIN_DEVICES, cache, shipped. */
#ifndef DUN_TUNING_H
#define DUN_TUNING_H

#include "dev/tiles.h"

enum { DUN_TUNING_TEXT = 320 };

typedef struct {
    char precision[16]; /* or "": the row says nothing of it */
    char gemm[16], tiles[DUN_TUNING_TEXT], note[DUN_TUNING_TEXT];
    char where[DUN_TUNING_TEXT]; /* the row's section and where it stands */
} dun_tuning;

/* The row for a device; false: there is none. Rows that cannot be read are passed over with a warning. */
bool dun_tuning_find(dun_tuning *out, const dun_device_info *info);

/* The same in one text; `name` opens messages. DUN_BAD_INPUT: not INI, an unknown key, a line too long. */
int dun_tuning_find_in(dun_tuning *out, bool *found, const dun_device_info *info, const char *text,
                       const char *name);

/* Appends a row that fits exactly this device, driver and kernel text. */
int dun_tuning_write(dun_str *out, const dun_device_info *info, const char *gemm, const dun_tiles *tiles,
                     const char *note);

/* Keeps a row in the cache. False: it could not be, `problem` says why. */
bool dun_tuning_keep(char *problem, size_t problem_size, const dun_device_info *info, const dun_str *row);

/* What identifies device, driver and kernel text; its first line is the device. */
int dun_tuning_key(dun_str *out, const dun_device_info *info);

#endif
