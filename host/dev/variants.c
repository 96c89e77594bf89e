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

static const dun_variant amx = {.name = "amx",
                                .matrix_unit = true,
                                .instructions = true,
                                .cannot = dun_amx_cannot,
                                .topic = {"parts_amx", 0}},
                         avx512 = {.name = "avx512_bf16",
                                   .instructions = true,
                                   .cannot = dun_avx512_cannot,
                                   .topic = {"parts_avx512", 0}},
                         portable = {.name = "portable", .cannot = runs_everywhere, .topic = {"parts", 0}};
const dun_variant *const dun_variants[] = {&amx, &avx512, &portable, NULL};

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
