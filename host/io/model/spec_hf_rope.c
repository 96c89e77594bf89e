/* Positions and windows in config.json: rotary bases and scaling in all spellings (rope_theta and
 * rope_scaling; rope_parameters, also by layer type), layers that slide or do not turn. See spec_hf_inside.h.
 */
#include "io/model/spec_hf_inside.h"

#include "base/err.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The share of a head that turns. */
static int read_rope_dim(dun_spec *spec, const dun_hf_config *config, const dun_hf_config *rope) {
    int rc;
    double part = config->usual->part > 0 ? config->usual->part : 1;
    TRY(dun_hf_real(&part, config, "partial_rotary_factor|rotary_pct|rope_pct", 0));
    if (rope->object)
        TRY(dun_hf_real(&part, rope, "partial_rotary_factor", 0));
    if (part > 1 || (uint32_t)(part * spec->head_dim) < 2)
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: %g of a head of %u turn; expected a share that is two components or more",
                      config->file, part, spec->head_dim));
    spec->rope_dim = (uint32_t)(part * spec->head_dim);
out:
    return rc;
}

/* A list of a divisor for each rotary pair. */
static int read_divisors(float *out, const dun_spec *spec, const dun_hf_config *rope, const char *key) {
    const json_t *list = json_object_get(rope->object, key);
    if (json_array_size(list) != spec->rope_dim / 2)
        return dun_error(DUN_BAD_INPUT, "%s: key '%s' has %zu values; expected %u, one for each rotary pair",
                         rope->file, key, json_array_size(list), spec->rope_dim / 2);
    for (uint32_t i = 0; i < spec->rope_dim / 2; i++) {
        const json_t *value = json_array_get(list, i);
        if (!json_is_number(value) || !(json_number_value(value) > 0 && json_number_value(value) < 3e38))
            return dun_hf_refuse(rope, key, value, "positive numbers");
        out[i] = (float)json_number_value(value);
    }
    return DUN_OK;
}

static int need(bool there, const dun_hf_config *rope, const char *key) {
    return there
               ? DUN_OK
               : dun_error(DUN_BAD_INPUT, "%s: key '%s' of the rotary scaling is missing; expected a number",
                           rope->file, key);
}

static int set_linear(dun_spec *spec, const dun_hf_config *rope) {
    int rc;
    double factor = 0;
    TRY(dun_hf_real(&factor, rope, "factor", 1e-6));
    TRY(need(factor > 0, rope, "factor"));
    if (factor != 1)
        dun_rope_linear(&spec->rope, spec->rope_dim, factor);
out:
    return rc;
}

static int set_llama3(dun_spec *spec, const dun_hf_config *rope) {
    int rc;
    dun_rope_llama3_parameters p = {.low = 1, .high = 4, .context = spec->context};
    TRY(dun_hf_real(&p.factor, rope, "factor", 1e-6));
    TRY(dun_hf_real(&p.low, rope, "low_freq_factor", 1e-6));
    TRY(dun_hf_real(&p.high, rope, "high_freq_factor", 1e-6));
    TRY(dun_hf_count(&p.context, rope, "original_max_position_embeddings", 1, DUN_MOST_CONTEXT));
    TRY(need(p.factor > 0, rope, "factor"));
    if (!(p.high > p.low))
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: key 'high_freq_factor' is %g; expected more than 'low_freq_factor', %g",
                      rope->file, p.high, p.low));
    dun_rope_llama3(&spec->rope, spec->rope_dim, (double)spec->rope_base, &p);
out:
    return rc;
}

static double yarn_magnitude(double scale, double factor) {
    return factor > 1 ? 0.1 * scale * log(factor) + 1 : 1;
}

static int set_yarn(dun_spec *spec, const dun_hf_config *rope) {
    int rc;
    double scale = 0, all = 0;
    bool truncate = true;
    dun_rope_yarn_parameters p = {.beta_fast = 32, .beta_slow = 1, .context = spec->context};
    TRY(dun_hf_real(&p.factor, rope, "factor", 1e-6));
    TRY(dun_hf_real(&p.beta_fast, rope, "beta_fast", 1e-6));
    TRY(dun_hf_real(&p.beta_slow, rope, "beta_slow", 1e-6));
    TRY(dun_hf_real(&scale, rope, "mscale", 0));
    TRY(dun_hf_real(&all, rope, "mscale_all_dim", 0));
    TRY(dun_hf_real(&p.magnitude, rope, "attention_factor", 0));
    TRY(dun_hf_flag(&truncate, rope, "truncate"));
    TRY(dun_hf_count(&p.context, rope, "original_max_position_embeddings", 1, DUN_MOST_CONTEXT));
    TRY(need(p.factor > 0, rope, "factor"));
    if (!truncate)
        TRY(dun_hf_refuse(rope, "truncate", dun_hf_find(rope, "truncate"),
                          "true (the other is not supported)"));
    if (!(p.magnitude > 0) && scale > 0 && all > 0)
        p.magnitude = yarn_magnitude(scale, p.factor) / yarn_magnitude(all, p.factor);
    dun_rope_yarn(&spec->rope, spec->rope_dim, (double)spec->rope_base, &p);
out:
    return rc;
}

/* The lengths stand in the config itself, or among the parameters. */
static int set_longrope(dun_spec *spec, const dun_hf_config *config, const dun_hf_config *rope) {
    int rc;
    uint32_t original = 0;
    double factor = 0;
    TRY(dun_hf_count(&original, rope, "original_max_position_embeddings", 1, DUN_MOST_CONTEXT));
    TRY(dun_hf_count(&original, config, "original_max_position_embeddings", 1, DUN_MOST_CONTEXT));
    TRY(read_divisors(spec->rope.divisor, spec, rope, "short_factor"));
    TRY(read_divisors(spec->rope.long_divisor, spec, rope, "long_factor"));
    TRY(dun_hf_real(&factor, rope, "factor", 0));
    if (original) {
        spec->rope.magnitude = dun_rope_long_magnitude(spec->context, original);
    } else {
        original = spec->context;
        spec->rope.magnitude = factor > 1 && original > 1 ? (float)sqrt(1 + log(factor) / log(original)) : 1;
    }
    spec->rope.long_from = original;
    TRY(dun_hf_float(&spec->rope.magnitude, rope, "attention_factor", 0));
out:
    return rc;
}

/* One scheme, of rope_scaling or of rope_parameters. "dynamic" changes nothing within the context. */
static int read_scaling(dun_spec *spec, const dun_hf_config *config, const dun_hf_config *rope) {
    int rc;
    const char *type = "default";
    TRY(dun_hf_text(&type, rope, "rope_type|type"));
    if (strcmp(type, "linear") == 0)
        TRY(set_linear(spec, rope));
    else if (strcmp(type, "llama3") == 0)
        TRY(set_llama3(spec, rope));
    else if (strcmp(type, "longrope") == 0 || strcmp(type, "su") == 0 ||
             (strcmp(type, "yarn") == 0 && dun_spec_is(spec, "phi3"))) /* names of its first days */
        TRY(set_longrope(spec, config, rope));
    else if (strcmp(type, "yarn") == 0)
        TRY(set_yarn(spec, rope));
    else if (strcmp(type, "default") != 0 && strcmp(type, "dynamic") != 0)
        TRY(dun_hf_refuse(rope, "rope_type", dun_hf_find(rope, "rope_type|type"),
                          "default, linear, dynamic, llama3, yarn or longrope"));
out:
    return rc;
}

/* Layers with a window turn as they are. */
static int refuse_scaling(const dun_hf_config *sliding) {
    int rc;
    const char *type = "default";
    TRY(dun_hf_text(&type, sliding, "rope_type|type"));
    if (strcmp(type, "default") != 0)
        TRY(dun_hf_refuse(sliding, "rope_type", dun_hf_find(sliding, "rope_type|type"),
                          "default, for sliding_attention"));
out:
    return rc;
}

/* An object among the values of a config; empty where it is not there. */
static int find_object(dun_hf_config *out, const dun_hf_config *config, const char *names) {
    const json_t *found = dun_hf_find(config, names);
    *out = (dun_hf_config){config->file, found, config->usual};
    return !found || json_is_object(found) ? DUN_OK : dun_hf_refuse(config, names, found, "an object");
}

int dun_hf_positions(dun_spec *spec, const dun_hf_config *config) {
    int rc = DUN_OK;
    dun_hf_config rope, sliding = {0};
    if (spec->traits.position != DUN_POSITION_ROPE)
        goto out;
    TRY(find_object(&rope, config, "rope_parameters|rope_scaling"));
    if (rope.object && json_object_get(rope.object, "full_attention")) { /* by layer type */
        TRY(find_object(&sliding, &rope, "sliding_attention"));
        TRY(find_object(&rope, &rope, "full_attention"));
    }
    TRY(read_rope_dim(spec, config, &rope));
    spec->rope_base = (float)config->usual->base;
    TRY(dun_hf_float(&spec->rope_base, config, "rope_theta|rotary_emb_base", 1));
    if (rope.object) {
        TRY(dun_hf_float(&spec->rope_base, &rope, "rope_theta", 1));
        TRY(read_scaling(spec, config, &rope));
    }
    /* of layers with a window, which are not scaled where they differ */
    spec->rope_base_window = (float)config->usual->base_window;
    if (config->usual->base_window > 0)
        TRY(dun_hf_float(&spec->rope_base_window, config, "rope_local_base_freq", 1));
    else if (dun_spec_is(spec, "olmo2")) /* Olmo 3 */
        spec->rope_base_window = spec->rope_base;
    if (sliding.object) {
        TRY(refuse_scaling(&sliding));
        TRY(dun_hf_float(&spec->rope_base_window, &sliding, "rope_theta", 1));
    }
out:
    return rc;
}

/* Layers by name: layer_types. */
static int read_layer_types(dun_spec *spec, const dun_hf_config *config, const json_t *types) {
    if (json_array_size(types) != spec->n_layers)
        return dun_error(DUN_BAD_INPUT,
                         "%s: key 'layer_types' has %zu values; expected %u, one for each layer",
                         config->file, json_array_size(types), spec->n_layers);
    for (uint32_t layer = 0; layer < spec->n_layers; layer++) {
        const json_t *type = json_array_get(types, layer);
        const char *name = json_is_string(type) ? json_string_value(type) : "";
        if (strcmp(name, "sliding_attention") == 0)
            spec->layers[layer] |= DUN_LAYER_WINDOW;
        else if (strcmp(name, "full_attention") != 0)
            return dun_hf_refuse(config, "layer_types", type,
                                 "full_attention or sliding_attention in each layer");
    }
    return DUN_OK;
}

/* Layers that do not turn: a list with 1 for those that do, or every n-th. */
static int read_still_layers(dun_spec *spec, const dun_hf_config *config) {
    int rc = DUN_OK;
    const json_t *turning = dun_hf_find(config, "no_rope_layers");
    uint32_t every = 4;
    TRY(dun_hf_count(&every, config, "no_rope_layer_interval", 1, DUN_MAX_LAYERS));
    if (turning && json_array_size(turning) != spec->n_layers)
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: key 'no_rope_layers' has %zu values; expected %u, one for each layer",
                      config->file, json_array_size(turning), spec->n_layers));
    for (uint32_t layer = 0; layer < spec->n_layers; layer++) {
        const json_t *turns = json_array_get(turning, layer);
        if (turning && !json_is_integer(turns))
            TRY(dun_hf_refuse(config, "no_rope_layers", turns,
                              "1 for each layer that turns and 0 for the others"));
        bool still = turning ? json_integer_value(turns) == 0 : (layer + 1) % every == 0;
        spec->layers[layer] |= still ? DUN_LAYER_STILL : 0;
    }
out:
    return rc;
}

/* Which layers slide where no list says so. */
static int read_pattern(dun_spec *spec, const dun_hf_config *config) {
    int rc = DUN_OK;
    uint32_t pattern = 0, from = 28;
    switch (config->usual->slide) {
    case DUN_SLIDE_PATTERN:
        pattern = dun_spec_window_pattern(spec);
        TRY(dun_hf_count(&pattern, config, "sliding_window_pattern|_sliding_window_pattern", 1,
                         DUN_MAX_LAYERS));
        break;
    case DUN_SLIDE_FROM:
        TRY(dun_hf_count(&from, config, "max_window_layers", 0, DUN_MAX_LAYERS));
        break;
    case DUN_SLIDE_NONE:
    case DUN_SLIDE_ALL:
    case DUN_SLIDE_STILL:
        break;
    }
    dun_spec_set_windows(spec, pattern);
    for (uint32_t layer = 0; layer < spec->n_layers; layer++)
        if ((config->usual->slide == DUN_SLIDE_FROM && layer < from) ||
            (config->usual->slide == DUN_SLIDE_STILL && !dun_spec_layer_is(spec, layer, DUN_LAYER_STILL)))
            spec->layers[layer] &= (uint8_t)~DUN_LAYER_WINDOW;
out:
    return rc;
}

int dun_hf_windows(dun_spec *spec, const dun_hf_config *config) {
    int rc = DUN_OK;
    const dun_hf_usual *usual = config->usual;
    const json_t *types = dun_hf_find(config, "layer_types"),
                 *said = json_object_get(config->object, "sliding_window");
    bool used = !usual->flagged && usual->slide != DUN_SLIDE_NONE;
    if (dun_spec_is(spec, "smollm3"))
        TRY(read_still_layers(spec, config));
    if (usual->flagged)
        TRY(dun_hf_flag(&used, config, "use_sliding_window"));
    if (used && (!said || usual->slide == DUN_SLIDE_PATTERN)) /* null means none, but where layers differ */
        spec->window = usual->window;
    if (used)
        TRY(dun_hf_count(&spec->window, config, "sliding_window", 1, DUN_MOST_CONTEXT));
    if (!spec->window) {
        spec->rope_base_window = 0;
        goto out;
    }
    if (types)
        TRY(read_layer_types(spec, config, types));
    else
        TRY(read_pattern(spec, config));
out:
    return rc;
}
