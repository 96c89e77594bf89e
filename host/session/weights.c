/* The rule of device.weights = auto, and the memory that it goes by. */
#include "session/weights.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "dev/device.h"
#include "nn/model.h"
#include "ranks/ranks.h"

#include <stdio.h>

static const struct {
    const char *word;
    size_t bytes; /* of dun_weights_facts */
} forms[] = {
    [DUN_FORM_F32] = {"f32", offsetof(dun_weights_facts, f32)},
    [DUN_FORM_F16] = {"f16", offsetof(dun_weights_facts, f16)},
    [DUN_FORM_STORED] = {"stored", offsetof(dun_weights_facts, stored)},
};
enum { N_FORMS = sizeof forms / sizeof *forms };

const char *dun_weights_word(enum dun_weight_form form) {
    return forms[form].word;
}

static uint64_t bytes_of(const dun_weights_facts *facts, enum dun_weight_form form) {
    return *(const uint64_t *)((const char *)facts + forms[form].bytes);
}

/* What will lie on the device. */
static uint64_t loaded(const dun_weights_facts *facts, enum dun_weight_form form) {
    return form == DUN_FORM_F32 ? facts->f32_loaded : bytes_of(facts, form);
}

static bool is_shared(const dun_weights_facts *facts, enum dun_weight_form form) {
    return facts->shared & 1u << form;
}

static double mb(uint64_t bytes) {
    return (double)bytes / 1e6;
}

static int refuse(const dun_weights_facts *facts, enum dun_weight_form form) {
    char fitting[160] = "";
    size_t used = 0;
    for (int i = 0; i < N_FORMS; i++)
        if ((i == DUN_FORM_F32 || facts->reads_stored) &&
            loaded(facts, (enum dun_weight_form)i) <= facts->free)
            used +=
                (size_t)snprintf(fitting + used, sizeof fitting - used, "%sdevice.weights = %s (%.0f MB)",
                                 used ? ", " : "", forms[i].word, mb(loaded(facts, (enum dun_weight_form)i)));
    return dun_error(
        DUN_BAD_DEVICE,
        "the model's weights take %.0f MB as %s, and %s has %.0f MB free; %s%s (f32 %.0f MB, f16 "
        "%.0f MB, stored %.0f MB)",
        mb(loaded(facts, form)), forms[form].word, facts->free_of, mb(facts->free),
        used ? "what fits is " : "no form fits", fitting, mb(loaded(facts, DUN_FORM_F32)), mb(facts->f16),
        mb(facts->stored));
}

int dun_weights_choose(enum dun_weight_form *out, dun_str *reason, const dun_weights_facts *facts,
                       enum dun_device_weights wanted) {
    int rc = DUN_OK;
    static const enum dun_weight_form asked[] = {[DUN_WEIGHTS_F32] = DUN_FORM_F32,
                                                 [DUN_WEIGHTS_F16] = DUN_FORM_F16,
                                                 [DUN_WEIGHTS_STORED] = DUN_FORM_STORED};
    const bool there = is_shared(facts, DUN_FORM_F32);
    const bool fits = there || facts->free == 0 || facts->f32 <= facts->free / 2;
    if (wanted != DUN_WEIGHTS_AUTO) {
        *out = asked[wanted];
        TRY(dun_str_addf(reason, "asked for by device.weights"));
    } else {
        *out = fits || !facts->reads_stored ? DUN_FORM_F32 : DUN_FORM_STORED;
        if (there)
            TRY(dun_str_addf(reason,
                             "they lie on the device as f32 already, for another run of this process"));
        else if (facts->free == 0)
            TRY(dun_str_addf(reason, "how much memory is free is not known"));
        else
            TRY(dun_str_addf(reason,
                             "both copies as f32%s%s%s take %.0f MB, %s than half of the %.0f MB free of %s",
                             facts->precision ? " (precision " : "", facts->precision ? facts->precision : "",
                             facts->precision ? ")" : "", mb(facts->f32), fits ? "less" : "more",
                             mb(facts->free), facts->free_of));
        if (!fits && !facts->reads_stored)
            TRY(dun_str_addf(reason, ", but these products read floats alone"));
    }
    if (facts->free > 0 && loaded(facts, *out) > facts->free && !is_shared(facts, *out))
        TRY(refuse(facts, *out));
out:
    return rc;
}

/* What is free of one device's memory. OpenCL does not say what others use of a device's own. */
static uint64_t free_of(const dun_device_info *info) {
    const dun_limits_source here = dun_limits_of_process();
    const uint64_t left = dun_limits_memory(&here).free;
    if (!dun_device_in_host_memory(info) || left == 0)
        return info->memory_bytes;
    /* Rank 0 chooses for all, of which those on its host load as much. */
    const uint64_t share = dun_ranks_self() == 0 ? left / dun_ranks_here() : left;
    return info->memory_bytes && info->memory_bytes < share ? info->memory_bytes : share;
}

/* Bits of the forms in which such weights lie on a device. */
static unsigned shared_on(const dun_device_info *info, const dun_shared_want *want) {
    unsigned bits = 0;
    for (int i = 0; i < N_FORMS; i++)
        if (dun_shared_model_is_there(info, want, (enum dun_weight_form)i))
            bits |= 1u << i;
    return bits;
}

int dun_weights_facts_of(dun_weights_facts *out, const dun_config *config, const dun_model_file *model,
                         const dun_shared_want *want) {
    int rc = DUN_OK;
    dun_device_info *infos = NULL;
    uint32_t *chosen = NULL;
    size_t n = 0, n_chosen = 0;
    const dun_spec *spec = dun_model_file_spec(model);
    const dun_weight_source *source = dun_model_file_source(model);
    *out = (dun_weights_facts){.shared = ~0u,
                               .f16 = dun_model_bytes_in_form(spec, source, DUN_FORM_F16),
                               .stored = dun_model_bytes_in_form(spec, source, DUN_FORM_STORED)};
    TRY(dun_device_list(&infos, &n));
    TRY_NEW(chosen, n);
    TRY(dun_device_select(chosen, &n_chosen, infos, n, config->device.use));
    for (size_t i = 0; i < n_chosen; i++) {
        const dun_device_info *info = &infos[chosen[i]];
        const uint64_t left = free_of(info);
        out->shared &= shared_on(info, want);
        if (i == 0 || left < out->free) {
            out->free = left;
            out->free_of = dun_device_in_host_memory(info) ? "this computer" : "the device";
        }
    }
out:
    dun_free(chosen);
    dun_free(infos);
    return rc;
}
