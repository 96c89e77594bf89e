/* The table of tiles: defaults, limits of a device, making smaller what does not fit, text and back. */
#include "dev/tiles.h"

#include "base/err.h"
#include "dev/quirks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *define, *legal;
    unsigned cut;
    size_t offset;
} rows[] = {
#define X(field, define, cut, legal, meaning) {define, legal, DUN_CUT_##cut, offsetof(dun_tiles, field)},
    DUN_TILES(X)
#undef X
};
enum { N_ROWS = sizeof rows / sizeof *rows };

static uint32_t get(const dun_tiles *tiles, size_t row) {
    return *(const uint32_t *)((const char *)tiles + rows[row].offset);
}

static void set(dun_tiles *tiles, size_t row, uint32_t value) {
    *(uint32_t *)((char *)tiles + rows[row].offset) = value;
}

/* Local tiles from the largest to the smallest: the first that a device can take is its default. Eight by
 * four outputs an item keep the multipliers busier than local memory; a group of 128 items leaves room for
 * several on one processor. The last two are for small devices. */
enum { BY_GPU = 1, BY_CPU = 2 };
static const struct {
    unsigned types;
    uint32_t m, n, k, work_m, work_n, vector, pad, split;
} local_tiles[] = {
    {BY_GPU, 64, 64, 16, 8, 4, 4, 4, 8},          {BY_CPU, 32, 64, 16, 8, 8, 4, 4, 1},
    {BY_GPU | BY_CPU, 32, 32, 16, 4, 4, 4, 4, 4}, {BY_GPU | BY_CPU, 16, 16, 8, 2, 2, 2, 2, 2},
    {BY_GPU | BY_CPU, 16, 16, 8, 4, 4, 4, 4, 1},
};
enum { N_LOCAL_TILES = sizeof local_tiles / sizeof *local_tiles };

static void take_local(dun_tiles *tiles, size_t row) {
    tiles->local_m = local_tiles[row].m;
    tiles->local_n = local_tiles[row].n;
    tiles->local_k = local_tiles[row].k;
    tiles->work_m = local_tiles[row].work_m;
    tiles->work_n = local_tiles[row].work_n;
    tiles->local_vector = local_tiles[row].vector;
    tiles->local_pad = local_tiles[row].pad;
    tiles->local_split = local_tiles[row].split;
}

void dun_tiles_drop_local(dun_tiles *tiles) {
    tiles->local_m = tiles->local_n = tiles->local_k = tiles->work_m = tiles->work_n = 0;
    tiles->local_vector = tiles->local_pad = tiles->local_split = tiles->half_weights = 0;
}

void dun_tiles_smallest_local(dun_tiles *tiles) {
    take_local(tiles, N_LOCAL_TILES - 1);
}

uint32_t dun_tiles_local_items(const dun_tiles *t) {
    return t->local_m && t->work_m && t->work_n ? t->local_m / t->work_m * (t->local_n / t->work_n) : 0;
}

uint64_t dun_tiles_local_bytes(const dun_tiles *t) {
    return (uint64_t)t->local_k * (t->local_m + t->local_pad + t->local_n) * sizeof(float);
}

/* Why the local tile's own numbers do not fit each other, or NULL. */
static const char *local_misfit(const dun_tiles *t) {
    if (!t->local_n || !t->local_k || !t->work_m || !t->work_n || !t->local_vector || !t->local_split)
        return "TS_N, TS_K, WPT_M, WPT_N, TS_VW and TS_SPLIT are needed beside TS_M";
    if (t->local_m % t->work_m || t->local_n % t->work_n)
        return "WPT_M and WPT_N must divide TS_M and TS_N";
    if (t->work_m % t->local_vector || t->work_n % t->local_vector || t->local_pad % t->local_vector)
        return "TS_VW must divide WPT_M, WPT_N and TS_PAD";
    return NULL;
}

/* Two tiles of 16 floats an item (and one against bank conflicts), results an item, two rows of a head. */
static uint64_t attention_bytes(const dun_tiles *t) {
    return t->attention_group * (2 * 17 + 4) * sizeof(float) + 2 * (uint64_t)t->head_dim * sizeof(float);
}

/* What drivers keep for themselves of local memory. */
enum { SPARE_LOCAL_BYTES = 256 };

enum part {
    FITS,
    GROUP,
    ATTENTION_ITEMS,
    ATTENTION_MEMORY,
    SUB_GROUPS,
    LOCAL_NUMBERS,
    LOCAL_ITEMS,
    LOCAL_MEMORY
};

static enum part misfit(const dun_tiles *t, const dun_device_info *info) {
    uint64_t local_bytes = info->local_bytes > SPARE_LOCAL_BYTES ? info->local_bytes - SPARE_LOCAL_BYTES : 0;
    if (t->group > 1 && t->group > info->max_group_size)
        return GROUP;
    if (t->attention_group > 1 && t->attention_group > info->max_group_size)
        return ATTENTION_ITEMS;
    if (t->attention_group > 1 && attention_bytes(t) > local_bytes)
        return ATTENTION_MEMORY;
    if (t->sub_groups && !info->sub_groups)
        return SUB_GROUPS;
    if (t->local_m && local_misfit(t))
        return LOCAL_NUMBERS;
    if (t->local_m && dun_tiles_local_items(t) > info->max_group_size)
        return LOCAL_ITEMS;
    return t->local_m && dun_tiles_local_bytes(t) > local_bytes ? LOCAL_MEMORY : FITS;
}

static int describe(dun_str *out, enum part part, const dun_tiles *t, const dun_device_info *info) {
    switch (part) {
    case GROUP:
        return dun_str_addf(out, "WG=%u: the device has work-groups of at most %u items", t->group,
                            info->max_group_size);
    case ATTENTION_ITEMS:
        return dun_str_addf(out, "ATT_WG=%u: the device has work-groups of at most %u items",
                            t->attention_group, info->max_group_size);
    case ATTENTION_MEMORY:
        return dun_str_addf(out, "ATT_WG=%u needs %llu bytes of local memory; the device has %llu",
                            t->attention_group, (unsigned long long)attention_bytes(t),
                            (unsigned long long)info->local_bytes);
    case SUB_GROUPS:
        return dun_str_addf(out, "SUB_GROUPS=1 needs a device with sub-groups");
    case LOCAL_NUMBERS:
        return dun_str_addf(out, "%s", local_misfit(t));
    case LOCAL_ITEMS:
        return dun_str_addf(out,
                            "a local tile of %u x %u needs work-groups of %u items; the device has at "
                            "most %u",
                            t->local_m, t->local_n, dun_tiles_local_items(t), info->max_group_size);
    case LOCAL_MEMORY:
        return dun_str_addf(out,
                            "a local tile of %u x %u x %u needs %llu bytes of local memory; the device "
                            "has %llu",
                            t->local_m, t->local_n, t->local_k, (unsigned long long)dun_tiles_local_bytes(t),
                            (unsigned long long)info->local_bytes);
    default:
        return DUN_OK;
    }
}

/* The largest local tile of the table that fits, or none. */
static void choose_local(dun_tiles *tiles, const dun_device_info *info) {
    unsigned type = info->type == DUN_DEVICE_CPU ? BY_CPU : BY_GPU;
    for (size_t i = 0; i < N_LOCAL_TILES; i++) {
        take_local(tiles, i);
        if ((local_tiles[i].types & type) && misfit(tiles, info) < LOCAL_NUMBERS)
            return;
    }
    dun_tiles_drop_local(tiles);
}

/* Makes the part that does not fit smaller. Ends: every part gets to where it fits everywhere. */
static void shrink(dun_tiles *tiles, enum part part, const dun_device_info *info) {
    if (part == GROUP)
        tiles->group /= 2;
    else if (part == ATTENTION_ITEMS || part == ATTENTION_MEMORY)
        tiles->attention_group = tiles->attention_group > 8 ? tiles->attention_group / 2 : 1;
    else if (part == SUB_GROUPS)
        tiles->sub_groups = 0;
    else
        choose_local(tiles, info);
}

int dun_tiles_fault(dun_str *out, const dun_tiles *tiles, const dun_device_info *info) {
    return describe(out, misfit(tiles, info), tiles, info);
}

int dun_tiles_fit(dun_str *said, dun_tiles *tiles, const dun_device_info *info) {
    int rc = DUN_OK;
    enum part part, before = FITS;
    while ((part = misfit(tiles, info)) != FITS) {
        if (part != before) {
            TRY(dun_str_addf(said, "%s", said->length ? "; " : ""));
            TRY(describe(said, part, tiles, info));
        }
        before = part;
        shrink(tiles, part, info);
    }
out:
    return rc;
}

dun_tiles dun_tiles_default(const dun_device_info *info, uint32_t head_dim) {
    bool cpu = info->type == DUN_DEVICE_CPU;
    uint32_t width = info->vector_width >= 16 ? 16 : info->vector_width >= 8 ? 8 : 4;
    dun_tiles tiles = {.group = cpu ? 1 : 64, .vector = cpu ? width : 4, .head_dim = head_dim};
    tiles.attention_group = tiles.group;
    /* The register tile needs 2*MR accumulators and 3 more: 32 registers with AVX-512, 16 with AVX. */
    tiles.reg_vector = tiles.vector;
    tiles.reg_rows = width == 16 ? 12 : width == 8 ? 6 : 4;
    tiles.reg_ahead = cpu && dun_quirk_of(info, DUN_QUIRK_PREFETCHES);
    for (enum part part; (part = misfit(&tiles, info)) != FITS;)
        shrink(&tiles, part, info);
    choose_local(&tiles, info);
    return tiles;
}

static bool is_listed(const char *list, const char *word, size_t length) {
    for (const char *at = list; at; at = strchr(at, '|')) {
        at += *at == '|';
        if (strcspn(at, "|") == length && memcmp(at, word, length) == 0)
            return true;
    }
    return false;
}

static int read_word(dun_tiles *tiles, const char *word, size_t length, const char *origin) {
    size_t name = 0;
    while (name < length && word[name] != '=')
        name++;
    for (size_t i = 0; i < N_ROWS && name < length; i++) {
        if (strlen(rows[i].define) != name || memcmp(rows[i].define, word, name) != 0)
            continue;
        if (!is_listed(rows[i].legal, word + name + 1, length - name - 1))
            return dun_error(DUN_USAGE, "%s: %.*s: %s can be one of %s", origin, (int)length, word,
                             rows[i].define, rows[i].legal);
        set(tiles, i, (uint32_t)strtoul(word + name + 1, NULL, 10));
        return DUN_OK;
    }
    return dun_error(DUN_USAGE,
                     "%s: \"%.*s\" is no tile; NAME=value with a name of kernels.cl is needed, as "
                     "WG=64 TS_M=32",
                     origin, (int)(length < 60 ? length : 60), word);
}

int dun_tiles_read(dun_tiles *tiles, const char *words, const char *origin) {
    int rc = DUN_OK;
    for (const char *at = words; *at;) {
        size_t length = strcspn(at, " ,\t");
        if (length)
            TRY(read_word(tiles, at, length, origin));
        at += length;
        at += strspn(at, " ,\t");
    }
out:
    return rc;
}

/* Each define with what stands before it; those of the local tile only when there is one. */
static int add_all(dun_str *out, const dun_tiles *tiles, const char *before, unsigned cut) {
    int rc = DUN_OK;
    const char *space = "";
    for (size_t i = 0; i < N_ROWS; i++) {
        if (!(rows[i].cut & cut) || (rows[i].cut == DUN_CUT_LOCAL && !tiles->local_m))
            continue;
        TRY(dun_str_addf(out, "%s%s%s=%u", space, before, rows[i].define, get(tiles, i)));
        space = " ";
    }
out:
    return rc;
}

int dun_tiles_write(dun_str *out, const dun_tiles *tiles) {
    return add_all(out, tiles, "", DUN_CUT_ALL);
}

int dun_tiles_defines(dun_str *out, const dun_tiles *tiles, unsigned cut) {
    int rc = DUN_OK;
    uint32_t head_vector = tiles->vector;
    while (tiles->head_dim % head_vector)
        head_vector /= 2;
    TRY(add_all(out, tiles, "-D", cut));
    if (cut & DUN_CUT_HEADS)
        TRY(dun_str_addf(out, " -DHEAD_DIM=%u -DHEAD_VW=%u", tiles->head_dim, head_vector));
out:
    return rc;
}
