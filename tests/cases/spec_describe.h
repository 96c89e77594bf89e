/* A spec as a line, for the tests of what files' keys mean. */
#ifndef SPEC_DESCRIBE_H
#define SPEC_DESCRIBE_H

#include "model/spec.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 2048 };

static inline void add(char *out, const char *name, double value, double usual) {
    if (value != usual)
        snprintf(out + strlen(out), TEXT_BYTES - strlen(out), " %s=%.6g", name, value);
}

/* What differs from a plain Llama of these sizes, as "name=value". */
static inline void describe(char *out, const dun_spec *spec) {
    uint64_t windows = 0, still = 0; /* a bit a layer */
    for (uint32_t layer = 0; layer < spec->n_layers; layer++) {
        windows |= (uint64_t)dun_spec_layer_is(spec, layer, DUN_LAYER_WINDOW) << layer;
        still |= (uint64_t)dun_spec_layer_is(spec, layer, DUN_LAYER_STILL) << layer;
    }
    snprintf(out, TEXT_BYTES, "%s", spec->architecture);
    add(out, "C", spec->width, 32);
    add(out, "G", spec->n_kv_heads, 4);
    add(out, "D", spec->head_dim, 8);
    add(out, "F", spec->ffn_width, 48);
    add(out, "context", spec->context, 256);
    add(out, "R", spec->rope_dim, 8);
    add(out, "base", (double)spec->rope_base, 10000);
    add(out, "base2", (double)spec->rope_base_window, 0);
    add(out, "f0", (double)spec->rope.divisor[0], 0);
    add(out, "f3", (double)spec->rope.divisor[3], 0);
    add(out, "g0", (double)spec->rope.long_divisor[0], 0);
    add(out, "m", (double)spec->rope.magnitude, 0);
    add(out, "long", spec->rope.long_from, 0);
    add(out, "window", spec->window, 0);
    add(out, "sliding", (double)windows, 0);
    add(out, "still", (double)still, 0);
    add(out, "eps", (double)spec->norm_eps, (double)1e-6f);
    add(out, "scale", (double)spec->attention_scale, 0);
    add(out, "cap", (double)spec->attention_cap, 0);
    add(out, "embed", (double)spec->embedding_scale, 0);
    add(out, "residual", (double)spec->residual_scale, 0);
    add(out, "logit", (double)spec->logit_scale, 0);
    add(out, "logitcap", (double)spec->logit_cap, 0);
    add(out, "act", spec->traits.act, DUN_ACT_SILU);
    add(out, "parallel", spec->traits.residual, DUN_RESIDUAL_SEQUENTIAL);
    add(out, "alibi", (double)spec->alibi_bias, 0);
    add(out, "offset", spec->position_offset, 0);
}

#endif
