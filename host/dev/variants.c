/* The tables of precisions and variants, and the choice among variants. A unit of another vendor is a topic
 * of kernels.cl with a kernel parts_product over the layouts of parts.cl, and a row here. */
#include "dev/parts.h"

#include "base/err.h"
#include "dev/variant_try.h"
#include "dev/x86.h"

#include <string.h>

#define PRECISION(id, said, n_texts, n_forward, n_backward, means)                                           \
    {.word = said, .meaning = means, .texts = n_texts, .forward = n_forward, .backward = n_backward},
static const dun_precision precisions[] = {DUN_PRECISIONS(PRECISION)};
enum { N_PRECISIONS = sizeof precisions / sizeof *precisions };

const dun_precision *dun_precision_find(const char *word) {
    for (size_t i = 0; i < N_PRECISIONS; i++)
        if (strcmp(precisions[i].word, word) == 0)
            return &precisions[i];
    return NULL;
}

bool dun_precision_is_all(const dun_precision *p) {
    return p->texts && p->forward && p->backward;
}

int dun_precision_parts(const dun_precision *p) {
    return p->texts > p->forward ? p->texts : p->forward;
}

static const char *runs_everywhere(const dun_device_info *info) {
    (void)info;
    return NULL;
}

/* Items and bytes of local memory of a work-group of parts_mma.cl; bfloat16 came with capability 8.0. */
enum { MMA_ITEMS = 128, MMA_LOCAL_BYTES = 38912, MMA_CAPABILITY = 80 };

static const char *mma_cannot(const dun_device_info *info) {
    return info->nvidia == 0                  ? "it is no NVIDIA GPU, or does not tell its compute capability"
           : info->nvidia < MMA_CAPABILITY    ? "its compute capability is below 8.0: no bfloat16"
           : info->max_group_size < MMA_ITEMS ? "it has no work-groups of 128 items"
           : info->local_bytes < MMA_LOCAL_BYTES ? "it has no 38 KB of local memory"
                                                 : NULL;
}

static const dun_variant amx = {.name = "amx",
                                .matrix_unit = true,
                                .instructions = true,
                                .cannot = dun_amx_cannot,
                                .topic = {"parts_amx", 0}};
/* No matrix unit to auto: how fast it is, nobody has measured yet. */
static const dun_variant mma = {.name = "nvidia_mma",
                                .instructions = true,
                                .cannot = mma_cannot,
                                .topic = {"parts_mma", 0},
                                .items = MMA_ITEMS,
                                .panels = 2,
                                .pairs = 2};
static const dun_variant avx512 = {
    .name = "avx512_bf16", .instructions = true, .cannot = dun_avx512_cannot, .topic = {"parts_avx512", 0}};
static const dun_variant portable = {.name = "portable", .cannot = runs_everywhere, .topic = {"parts", 0}};
const dun_variant *const dun_variants[] = {&amx, &mma, &avx512, &portable, NULL};

const dun_variant *dun_variant_find(const char *name) {
    for (const dun_variant *const *v = dun_variants; *v; v++)
        if (strcmp((*v)->name, name) == 0)
            return *v;
    return NULL;
}

const dun_variant *dun_variant_choose(dun_str *why, const dun_device_info *info, bool units) {
    const dun_variant *const *v = dun_variants;
    for (; v[1]; v++) {
        if ((units && !(*v)->matrix_unit) || (*v)->cannot(info))
            continue;
        if (dun_variant_try(why, info, (*v)->name))
            break;
    }
    return *v;
}
