/* Checks of a model's sizes, and kinds of model that are not followed (refused.def). See spec_check.h. */
#include "io/model/spec_check.h"

#include "base/err.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

bool dun_spec_is(const dun_spec *spec, const char *arch) {
    return strcmp(spec->architecture, arch) == 0;
}

uint32_t dun_spec_window_pattern(const dun_spec *spec) {
    static const struct {
        const char *arch;
        uint32_t pattern;
    } patterns[] = {{"gemma2", 2}, {"gemma3", 6}, {"olmo2", 4}};
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        if (dun_spec_is(spec, patterns[i].arch))
            return patterns[i].pattern;
    return 0;
}

void dun_spec_set_windows(dun_spec *spec, uint32_t n) {
    for (uint32_t layer = 0; layer < spec->n_layers && layer < DUN_MAX_LAYERS; layer++)
        if (!n || layer % n < n - 1)
            spec->layers[layer] |= DUN_LAYER_WINDOW;
}

static int check_heads(dun_spec *spec, const char *file) {
    int rc = DUN_OK;
    if (!spec->n_kv_heads)
        spec->n_kv_heads = spec->n_heads;
    if (spec->n_heads % spec->n_kv_heads)
        TRY(dun_error(DUN_BAD_INPUT, "%s: %u query heads over %u key/value heads; expected a divisor of %u",
                      file, spec->n_heads, spec->n_kv_heads, spec->n_heads));
    if (!spec->head_dim && spec->width % spec->n_heads)
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: width %u over %u heads; expected a multiple, or the length of a head", file,
                      spec->width, spec->n_heads));
    if (!spec->head_dim)
        spec->head_dim = spec->width / spec->n_heads;
    if (spec->head_dim > DUN_MOST_HEAD_DIM)
        TRY(dun_error(DUN_BAD_INPUT, "%s: a head of %u components; expected at most %d", file, spec->head_dim,
                      DUN_MOST_HEAD_DIM));
    if (spec->traits.position != DUN_POSITION_ROPE)
        goto out;
    if (!spec->rope_dim)
        spec->rope_dim = spec->head_dim;
    if (spec->rope_dim % 2 || spec->rope_dim > spec->head_dim)
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: %u rotary components in a head of %u; expected an even number up to %u", file,
                      spec->rope_dim, spec->head_dim, spec->head_dim));
out:
    return rc;
}

/* Scales and caps are 0, which is none, or positive. */
static int check_reals(const dun_spec *spec, const char *file) {
    const struct {
        const char *what;
        float value;
    } reals[] = {{"attention scale", spec->attention_scale},  {"cap of scores", spec->attention_cap},
                 {"embedding scale", spec->embedding_scale},  {"residual scale", spec->residual_scale},
                 {"logit scale", spec->logit_scale},          {"cap of logits", spec->logit_cap},
                 {"magnitude of turns", spec->rope.magnitude}};
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++)
        if (!(reals[i].value >= 0 && isfinite(reals[i].value)))
            return dun_error(DUN_BAD_INPUT, "%s: the %s is %g; expected a positive number", file,
                             reals[i].what, (double)reals[i].value);
    for (uint32_t i = 0; i < spec->rope_dim / 2; i++)
        if (!(spec->rope.divisor[i] >= 0 && spec->rope.long_divisor[i] >= 0 &&
              isfinite(spec->rope.divisor[i]) && isfinite(spec->rope.long_divisor[i])))
            return dun_error(DUN_BAD_INPUT,
                             "%s: the divisor of rotary pair %u is %g; expected a positive number", file, i,
                             (double)spec->rope.divisor[i]);
    return DUN_OK;
}

/* A window as long as the longest text hides nothing. */
static void drop_long_window(dun_spec *spec) {
    if (spec->window < spec->context || spec->rope_base_window > 0)
        return;
    spec->window = 0;
    for (uint32_t layer = 0; layer < DUN_MAX_LAYERS; layer++)
        spec->layers[layer] &= (uint8_t)~DUN_LAYER_WINDOW;
}

int dun_spec_finish(dun_spec *spec, const char *file) {
    int rc;
    drop_long_window(spec);
    TRY(check_heads(spec, file));
    TRY(check_reals(spec, file));
out:
    return rc;
}

#define REFUSED(kind, what, nearest) {kind, what, nearest},
static const struct {
    const char *kind, *what, *nearest;
} refused[] = {
#include "io/model/refused.def"
};
#undef REFUSED

int dun_spec_refuse(const char *file, const char *kind) {
    char known[512];
    size_t used = 0;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (strncmp(kind, refused[i].kind, strlen(refused[i].kind)) == 0)
            return dun_error(DUN_BAD_INPUT,
                             "%s: architecture '%s' is not supported (%s); the nearest that is: %s", file,
                             kind, refused[i].what, refused[i].nearest);
    for (const dun_arch *arch = dun_arch_table; arch->name && used < sizeof known; arch++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", arch->name);
    return dun_error(DUN_BAD_INPUT, "%s: architecture '%s' is not supported; supported: %s", file, kind,
                     known);
}
