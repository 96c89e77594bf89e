/* What a device runs: GEMM provider and tiles; wished for, tuned or default, cut down to the device's limits,
 * and why. */
#ifndef DUN_CHOICE_H
#define DUN_CHOICE_H

#include "dev/programs.h"

/* What the user asked for. Zero but for head_dim: everything is the program's to choose. */
enum { DUN_WISH_USES = 2 };
typedef struct {
    uint32_t head_dim;
    const char *gemm;      /* a provider's name; NULL or "auto": choose */
    const char *tiles;     /* "WG=64 ...": these values over the choice; NULL, "" or "auto": choose. The word
                            * "default" before them leaves tuning rows out */
    const char *precision; /* a word of precision.h; NULL or "auto": choose */
    const char *precision_reason; /* why that word; NULL: it was asked for */
    bool half_weights;            /* store weights as f16 where the provider can */
    bool every_gemm; /* every provider is built, not the chosen one alone: the local tile stays */
    bool exact;      /* fail rather than take simpler tiles */
    /* What is built at once, beside products, up to a NULL list: the tiles are those that suit all of it. */
    struct {
        const dun_kernel_list *list;
        unsigned topics; /* bits */
    } uses[DUN_WISH_USES];
} dun_wish;

enum { DUN_REASON_BYTES = 400 };

typedef struct {
    const char *gemm;                /* a provider's name */
    dun_tiles tiles;                 /* without the local tile where the provider does not use it */
    const char *precision, *variant; /* a word of precision.h; what computes it, "" for f32 (parts.h) */
    char gemm_reason[DUN_REASON_BYTES], tiles_reason[DUN_REASON_BYTES], precision_reason[DUN_REASON_BYTES];
} dun_choice;

/* DUN_USAGE: a wish that nobody has, or tiles that do not fit the device; DUN_BAD_DEVICE: a provider that
 * cannot run there. */
int dun_choose(dun_choice *out, const dun_device_info *info, const dun_wish *wish);

/* The one precision of devices that compute together, those of `infos` that `which` names: what the wish
 * says, or of what each would take by itself the most exact. `out` is the choice of one that takes it, its
 * reason names the device where others would take another. Errors as dun_choose has them. */
int dun_choose_together(dun_choice *out, const dun_device_info *infos, const uint32_t *which, size_t n,
                        const dun_wish *wish);

/* After `why` (a build that failed, a limit met later): the next simpler tiles; false when these are the
 * simplest already. The reason grows by `why`. */
bool dun_choice_simplify(dun_choice *choice, const dun_device_info *info, const char *why);

#endif
