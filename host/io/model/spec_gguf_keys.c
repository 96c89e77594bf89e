/* Keys of a GGUF file that may be absent, and those of rotary scaling and windows. See spec_gguf_inside.h. */
#include "io/model/spec_gguf_inside.h"

#include "base/err.h"
#include "model/quant.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void dun_spec_gguf_key(char out[DUN_KEY_BYTES], const char *key, const dun_arch *arch) {
    bool own = key[0] == '*';
    snprintf(out, DUN_KEY_BYTES, "%s%s", own ? arch->name : "", key + own);
}

void dun_spec_gguf_show(char *out, size_t size, dun_gguf_string text) {
    size_t length = text.length;
    if (length >= size)
        for (length = size - 1; length > 0 && (text.bytes[length] & 0xc0) == 0x80;)
            length--;
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text.bytes[i];
        out[i] = byte < 0x20 || byte == 0x7f ? ' ' : text.bytes[i];
    }
    out[length] = '\0';
}

int dun_spec_gguf_real(float *value, const dun_gguf *file, const char *name, const dun_arch *arch,
                       float least) {
    int rc = DUN_OK;
    char key[DUN_KEY_BYTES];
    dun_spec_gguf_key(key, name, arch);
    if (!dun_gguf_has(file, key))
        goto out;
    TRY(dun_gguf_get_f32(value, file, key));
    if (!(*value >= least && isfinite(*value)))
        TRY(dun_error(DUN_BAD_INPUT, "%s: key '%s' is %g; expected a finite number of at least %g",
                      dun_gguf_name(file), key, (double)*value, (double)least));
out:
    return rc;
}

int dun_spec_gguf_count(uint32_t *value, const dun_gguf *file, const char *name, const dun_arch *arch) {
    char key[DUN_KEY_BYTES];
    dun_spec_gguf_key(key, name, arch);
    return dun_gguf_has(file, key) ? dun_gguf_get_u32(value, file, key) : DUN_OK;
}

/* The divisors of a tensor rope_*.weight, (R/2). */
static int read_divisors(float *out, bool *found, const dun_gguf *file, const dun_spec *spec,
                         const char *name) {
    int rc = DUN_OK;
    const dun_gguf_tensor *tensor = dun_gguf_find_tensor(file, name);
    *found = tensor;
    if (!tensor)
        goto out;
    if (tensor->type != DUN_QUANT_F32 || tensor->n_dims != 1 || tensor->dims[0] != spec->rope_dim / 2)
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: tensor '%s' has %llu values; expected %u in F32, one for each rotary pair",
                      dun_gguf_name(file), name, (unsigned long long)tensor->dims[0], spec->rope_dim / 2));
    dun_quant_to_f32(out, tensor->type, tensor->data, spec->rope_dim / 2);
out:
    return rc;
}

static int read_yarn(dun_spec *spec, const dun_arch *arch, const dun_gguf *file, float factor) {
    int rc;
    float fast = 32, slow = 1, magnitude = 1, also = 1;
    uint32_t context = spec->context;
    TRY(dun_spec_gguf_count(&context, file, "*.rope.scaling.original_context_length", arch));
    TRY(dun_spec_gguf_real(&fast, file, "*.rope.scaling.yarn_beta_fast", arch, 0));
    TRY(dun_spec_gguf_real(&slow, file, "*.rope.scaling.yarn_beta_slow", arch, 0));
    TRY(dun_spec_gguf_real(&magnitude, file, "*.rope.scaling.attn_factor", arch, 0));
    TRY(dun_spec_gguf_real(&also, file, "*.rope.scaling.yarn_attn_factor", arch, 0));
    const dun_rope_yarn_parameters p = {
        .factor = (double)factor, .beta_fast = (double)fast, .beta_slow = (double)slow, .context = context};
    dun_rope_yarn(&spec->rope, spec->rope_dim, (double)spec->rope_base, &p);
    spec->rope.magnitude *= magnitude * also;
out:
    return rc;
}

/* The key rope.scaling.type; `out` stays as it is where there is none. */
static int read_type(char out[DUN_SHOWN_BYTES], const dun_arch *arch, const dun_gguf *file) {
    int rc = DUN_OK;
    char key[DUN_KEY_BYTES];
    dun_gguf_string type = {0};
    dun_spec_gguf_key(key, "*.rope.scaling.type", arch);
    if (dun_gguf_has(file, key)) {
        TRY(dun_gguf_get_string(&type, file, key));
        dun_spec_gguf_show(out, DUN_SHOWN_BYTES, type);
    }
out:
    return rc;
}

/* LongRoPE by its name alone is not known how. */
static int check_named_long(const dun_arch *arch, const dun_gguf *file) {
    int rc;
    char name[DUN_SHOWN_BYTES] = "";
    TRY(read_type(name, arch, file));
    if (strcmp(name, "longrope") == 0)
        TRY(dun_error(
            DUN_BAD_INPUT,
            "%s: key '%s.rope.scaling.type' is 'longrope', and tensor 'rope_factors_long.weight' is "
            "missing; expected it and 'rope_factors_short.weight' (convert the model again)",
            dun_gguf_name(file), arch->name));
out:
    return rc;
}

/* By name, of the key rope.scaling.type; without one a factor means linear scaling. */
static int read_named_scaling(dun_spec *spec, const dun_arch *arch, const dun_gguf *file) {
    int rc;
    char name[DUN_SHOWN_BYTES] = "linear";
    float factor = 0;
    TRY(read_type(name, arch, file));
    TRY(dun_spec_gguf_real(&factor, file, "*.rope.scale_linear", arch, 0));
    TRY(dun_spec_gguf_real(&factor, file, "*.rope.scaling.factor", arch, 0));
    const bool scaled = factor > 0 && factor != 1;
    if (strcmp(name, "yarn") == 0 && factor == 0)
        dun_warn(
            "%s says YaRN's scaling of positions and no factor; they are not scaled, as llama.cpp reads it",
            dun_gguf_name(file));
    if (strcmp(name, "yarn") == 0 && scaled)
        TRY(read_yarn(spec, arch, file, factor));
    else if (strcmp(name, "linear") == 0 && scaled)
        dun_rope_linear(&spec->rope, spec->rope_dim, (double)factor);
    else if (strcmp(name, "none") != 0 && strcmp(name, "linear") != 0 && strcmp(name, "yarn") != 0 &&
             strcmp(name, "longrope") != 0)
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: key '%s.rope.scaling.type' is '%s'; expected none, linear, yarn or longrope",
                      dun_gguf_name(file), arch->name, name));
out:
    return rc;
}

/* Scaling by tensors: of Llama 3 for all texts, LongRoPE's two for short and for long ones. */
int dun_spec_gguf_scaling(dun_spec *spec, const dun_arch *arch, const dun_gguf *file) {
    int rc;
    bool freqs = false, shorts = false, longs = false;
    uint32_t original = spec->context;
    dun_rope_scaling *rope = &spec->rope;
    TRY(read_named_scaling(spec, arch, file));
    if (dun_spec_is(spec, "llama")) /* elsewhere it is a leftover */
        TRY(read_divisors(rope->divisor, &freqs, file, spec, "rope_freqs.weight"));
    if (dun_spec_is(spec, "llama") && !freqs && spec->vocab == 128256 && spec->context == 131072)
        dun_warn(
            "%s looks like Llama 3.1 or later but lacks the tensor 'rope_freqs.weight', as files of early "
            "converters do; long texts are read otherwise than the model was trained for",
            dun_gguf_name(file));
    TRY(read_divisors(rope->divisor, &shorts, file, spec, "rope_factors_short.weight"));
    TRY(read_divisors(rope->long_divisor, &longs, file, spec, "rope_factors_long.weight"));
    if (shorts != longs)
        TRY(dun_error(DUN_BAD_INPUT, "%s: tensor 'rope_factors_%s.weight' is missing; expected both or none",
                      dun_gguf_name(file), shorts ? "long" : "short"));
    if (!longs) {
        TRY(check_named_long(arch, file));
        goto out;
    }
    TRY(dun_spec_gguf_count(&original, file, "*.rope.scaling.original_context_length", arch));
    rope->long_from = original;
    rope->magnitude = dun_rope_long_magnitude(spec->context, original);
    TRY(dun_spec_gguf_real(&rope->magnitude, file, "*.rope.scaling.attn_factor", arch, 0));
out:
    return rc;
}

/* Which layers see a window only, and the base of their turns. */
int dun_spec_gguf_windows(dun_spec *spec, const dun_arch *arch, const dun_gguf *file) {
    int rc;
    char key[DUN_KEY_BYTES];
    uint32_t pattern = dun_spec_window_pattern(spec);
    uint8_t flags[DUN_MAX_LAYERS];
    spec->window = dun_spec_is(spec, "gemma2") ? 4096 : 0; /* files of the first days do not say it */
    TRY(dun_spec_gguf_count(&spec->window, file, "*.attention.sliding_window", arch));
    if (!spec->window)
        goto out;
    dun_spec_gguf_key(key, "*.attention.sliding_window_pattern", arch);
    if (dun_gguf_has(file, key) && dun_gguf_is_array(file, key)) {
        TRY(dun_gguf_array_flags(flags, spec->n_layers, file, key));
        for (uint32_t layer = 0; layer < spec->n_layers; layer++)
            spec->layers[layer] |= flags[layer] ? DUN_LAYER_WINDOW : 0;
    } else {
        TRY(dun_spec_gguf_count(&pattern, file, "*.attention.sliding_window_pattern", arch));
        dun_spec_set_windows(spec, pattern);
    }
    if (dun_spec_is(spec, "gemma3"))
        spec->rope_base_window = 10000;
    if (dun_spec_is(spec, "olmo2")) /* of Olmo 3, whose sliding layers are not scaled */
        spec->rope_base_window = spec->rope_base;
    TRY(dun_spec_gguf_real(&spec->rope_base_window, file, "*.rope.local.freq_base", arch, 1)); /* Ollama's */
    TRY(dun_spec_gguf_real(&spec->rope_base_window, file, "*.rope.freq_base_swa", arch, 1));
out:
    return rc;
}
