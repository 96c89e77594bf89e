/* Fields of config.json that are read, and those that are refused; see spec_hf.h. */
#include "io/model/spec_hf_inside.h"

#include "base/err.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN = 60 };

const json_t *dun_hf_find(const dun_hf_config *config, const char *names) {
    char name[SHOWN];
    while (*names) {
        size_t length = strcspn(names, "|");
        snprintf(name, sizeof name, "%.*s", (int)length, names);
        const json_t *value = json_object_get(config->object, name);
        if (value && !json_is_null(value))
            return value;
        names += length + (names[length] == '|');
    }
    return NULL;
}

int dun_hf_refuse(const dun_hf_config *config, const char *key, const json_t *found, const char *expected) {
    char value[SHOWN + 32];
    if (json_is_string(found))
        snprintf(value, sizeof value, "'%.*s'", SHOWN, json_string_value(found));
    else if (json_is_integer(found))
        snprintf(value, sizeof value, "%" JSON_INTEGER_FORMAT, json_integer_value(found));
    else if (json_is_real(found))
        snprintf(value, sizeof value, "%g", json_real_value(found));
    else
        snprintf(value, sizeof value, "%s",
                 json_is_true(found)     ? "true"
                 : json_is_false(found)  ? "false"
                 : json_is_object(found) ? "an object"
                 : json_is_array(found)  ? "a list"
                                         : "null");
    return dun_error(DUN_BAD_INPUT, "%s: key '%.*s' is %s; expected %s", config->file, (int)strcspn(key, "|"),
                     key, value, expected);
}

int dun_hf_count(uint32_t *value, const dun_hf_config *config, const char *names, uint32_t least,
                 uint32_t most) {
    const json_t *found = dun_hf_find(config, names);
    char expected[64];
    json_int_t count = json_integer_value(found);
    if (!found)
        return DUN_OK;
    snprintf(expected, sizeof expected, "a whole number of %u to %u", least, most);
    if (!json_is_integer(found) || count < (json_int_t)least || count > (json_int_t)most)
        return dun_hf_refuse(config, names, found, expected);
    *value = (uint32_t)count;
    return DUN_OK;
}

int dun_hf_real(double *value, const dun_hf_config *config, const char *names, double least) {
    const json_t *found = dun_hf_find(config, names);
    char expected[64];
    if (!found)
        return DUN_OK;
    snprintf(expected, sizeof expected, "a number of at least %g that a float holds", least);
    const double number = json_number_value(found);
    if (!json_is_number(found) || !(number >= least && number <= 3e38))
        return dun_hf_refuse(config, names, found, expected);
    *value = number;
    return DUN_OK;
}

int dun_hf_float(float *value, const dun_hf_config *config, const char *names, double least) {
    double number = (double)*value;
    int rc = dun_hf_real(&number, config, names, least);
    *value = (float)number;
    return rc;
}

int dun_hf_flag(bool *value, const dun_hf_config *config, const char *names) {
    const json_t *found = dun_hf_find(config, names);
    if (!found)
        return DUN_OK;
    if (!json_is_boolean(found))
        return dun_hf_refuse(config, names, found, "true or false");
    *value = json_is_true(found);
    return DUN_OK;
}

int dun_hf_text(const char **value, const dun_hf_config *config, const char *names) {
    const json_t *found = dun_hf_find(config, names);
    if (!found)
        return DUN_OK;
    if (!json_is_string(found))
        return dun_hf_refuse(config, names, found, "a string");
    *value = json_string_value(found);
    return DUN_OK;
}

const char *dun_spec_hf_kind(const json_t *config) {
    const char *type = json_string_value(json_object_get(config, "model_type"));
    const char *class = json_string_value(json_array_get(json_object_get(config, "architectures"), 0));
    return type ? type : class ? class : "";
}

/* Model types that are an architecture under another name. */
static const struct {
    const char *type, *arch;
} aliases[] = {
    {"mistral", "llama"}, {"olmo3", "olmo2"}, {"RefinedWeb", "falcon"}, {"RefinedWebModel", "falcon"}};

static int find_arch(const dun_arch **out, const dun_hf_config *config) {
    const char *kind = dun_spec_hf_kind(config->object);
    if (!*kind)
        return dun_error(DUN_BAD_INPUT, "%s: key 'model_type' is missing; expected what kind of model it is",
                         config->file);
    for (const dun_arch *arch = dun_arch_table; arch->name; arch++) {
        bool is = strcmp(kind, arch->hf) == 0;
        for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
            is |= strcmp(kind, aliases[i].type) == 0 && strcmp(arch->name, aliases[i].arch) == 0;
        if (is) {
            *out = arch;
            return DUN_OK;
        }
    }
    return dun_spec_refuse(config->file, kind);
}

/* Weights in forms of other programs. */
static int check_quantised(const dun_hf_config *config) {
    const json_t *found = dun_hf_find(config, "quantization_config|quantization|compression_config");
    const char *method = json_string_value(json_object_get(found, "quant_method"));
    if (!found)
        return DUN_OK;
    if (!method && json_object_get(found, "group_size"))
        method = "MLX";
    return dun_error(
        DUN_BAD_INPUT,
        "%s: the weights are quantised by %s, which is not read; expected F32, F16 or BF16, or a GGUF "
        "file of the same model",
        config->file, method ? method : "a method that is not named");
}

/* Sizes; those that are missing and optional stay 0, and what follows is filled in below or by
 * dun_spec_finish. */
static const struct {
    const char *keys;
    size_t offset; /* of the uint32_t in dun_spec */
    uint32_t most;
    bool optional;
} sizes[] = {
    {"num_hidden_layers|n_layer", offsetof(dun_spec, n_layers), DUN_MAX_LAYERS, false},
    {"hidden_size|n_embd|n_embed", offsetof(dun_spec, width), DUN_MOST_WIDTH, false},
    {"num_attention_heads|n_head", offsetof(dun_spec, n_heads), DUN_MOST_HEADS, false},
    {"num_key_value_heads|num_kv_heads|n_head_kv", offsetof(dun_spec, n_kv_heads), DUN_MOST_HEADS, true},
    {"head_dim", offsetof(dun_spec, head_dim), DUN_MOST_HEAD_DIM, true},
    {"intermediate_size|n_inner|ffn_dim|ffn_hidden_size", offsetof(dun_spec, ffn_width), DUN_MOST_FFN, true},
    {"vocab_size", offsetof(dun_spec, vocab), DUN_MOST_VOCAB, false},
    {"max_position_embeddings|n_positions|n_ctx|seq_length", offsetof(dun_spec, context), DUN_MOST_CONTEXT,
     true},
};

/* Falcon's key/value heads: one for all, unless it is of the new kind or says it is not so. */
static int read_falcon(dun_spec *spec, const dun_hf_config *config) {
    int rc;
    bool one = true, new_kind = false;
    TRY(dun_hf_flag(&one, config, "multi_query"));
    TRY(dun_hf_flag(&new_kind, config, "new_decoder_architecture"));
    if (!new_kind && one)
        spec->n_kv_heads = 1;
    else if (!new_kind)
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: key 'multi_query' is false; expected true, or the new decoder architecture",
                      config->file));
out:
    return rc;
}

static int read_sizes(dun_spec *spec, const dun_hf_config *config) {
    int rc = DUN_OK;
    const dun_hf_usual *usual = config->usual;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint32_t *value = (uint32_t *)(void *)((char *)spec + sizes[i].offset);
        TRY(dun_hf_count(value, config, sizes[i].keys, 1, sizes[i].most));
        if (!*value && !sizes[i].optional)
            TRY(dun_error(DUN_BAD_INPUT, "%s: key '%.*s' is missing; expected a whole number of 1 to %u",
                          config->file, (int)strcspn(sizes[i].keys, "|"), sizes[i].keys, sizes[i].most));
    }
    if (!spec->n_kv_heads && !json_object_get(config->object, "num_key_value_heads") && usual->kv_heads &&
        spec->n_heads % usual->kv_heads == 0) /* null means as many as heads */
        spec->n_kv_heads = usual->kv_heads;
    spec->head_dim = spec->head_dim ? spec->head_dim : usual->head_dim;
    spec->context = spec->context ? spec->context : usual->context;
    if (!spec->ffn_width && spec->width <= DUN_MOST_FFN / 4)
        spec->ffn_width = 4 * spec->width;
    if (dun_spec_is(spec, "falcon"))
        TRY(read_falcon(spec, config));
out:
    return rc;
}

/* The activation by its name in transformers; old configs of Gemma say gelu and mean the other form. */
static int read_activation(dun_spec *spec, const dun_hf_config *config) {
    static const struct {
        const char *name;
        enum dun_act act;
    } names[] = {{"silu", DUN_ACT_SILU},
                 {"swish", DUN_ACT_SILU},
                 {"gelu", DUN_ACT_GELU},
                 {"gelu_new", DUN_ACT_GELU_TANH},
                 {"gelu_fast", DUN_ACT_GELU_TANH},
                 {"gelu_pytorch_tanh", DUN_ACT_GELU_TANH},
                 {"relu", DUN_ACT_RELU}};
    static const char keys[] = "hidden_activation|hidden_act|activation_function|activation";
    const char *name = NULL;
    int rc;
    TRY(dun_hf_text(&name, config, keys));
    if (!name || (spec->traits.embedding == DUN_EMBEDDING_ROOT && strcmp(name, "gelu") == 0))
        goto out;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].name, name) == 0) {
            spec->traits.act = names[i].act;
            goto out;
        }
    TRY(dun_hf_refuse(config, "hidden_act", dun_hf_find(config, keys),
                      "silu, gelu, gelu_new, gelu_pytorch_tanh or relu"));
out:
    return rc;
}

/* Norms, scales and caps. */
static int read_reals(dun_spec *spec, const dun_hf_config *config) {
    int rc;
    const bool gemma2 = dun_spec_is(spec, "gemma2"), gemma3 = dun_spec_is(spec, "gemma3"),
               granite = dun_spec_is(spec, "granite");
    double scalar = gemma2 || gemma3 ? 256 : 0;
    spec->norm_eps = (float)config->usual->eps;
    TRY(dun_hf_float(&spec->norm_eps, config,
                     spec->traits.norm == DUN_NORM_RMS ? "rms_norm_eps"
                                                       : "layer_norm_eps|layer_norm_epsilon|norm_epsilon",
                     0));
    if (!(spec->norm_eps > 0 && spec->norm_eps < 1))
        TRY(dun_error(DUN_BAD_INPUT, "%s: the epsilon of the norms is %g; expected a number between 0 and 1",
                      config->file, (double)spec->norm_eps));
    if (gemma2 || gemma3) {
        if (gemma2 && !json_object_get(config->object, "attn_logit_softcapping"))
            spec->attention_cap = 50;
        if (gemma2 && !json_object_get(config->object, "final_logit_softcapping"))
            spec->logit_cap = 30;
        TRY(dun_hf_float(&spec->attention_cap, config, "attn_logit_softcapping", 0));
        TRY(dun_hf_float(&spec->logit_cap, config, "final_logit_softcapping", 0));
        TRY(dun_hf_real(&scalar, config, "query_pre_attn_scalar", 1e-6));
        spec->attention_scale = (float)(1 / sqrt(scalar));
    }
    if (granite) {
        spec->attention_scale = 1;
        TRY(dun_hf_float(&spec->attention_scale, config, "attention_multiplier", 1e-9));
        TRY(dun_hf_float(&spec->embedding_scale, config, "embedding_multiplier", 0));
        TRY(dun_hf_float(&spec->residual_scale, config, "residual_multiplier", 0));
        TRY(dun_hf_float(&spec->logit_scale, config, "logits_scaling", 0));
    }
out:
    return rc;
}

/* Flags that change what is computed in ways that are not followed, by architecture; "" for all. */
static const struct {
    const char *arch, *key;
    bool followed;
} flags[] = {
    {"gpt2", "scale_attn_by_inverse_layer_idx", false},
    {"gpt2", "add_cross_attention", false},
    {"gpt2", "scale_attn_weights", true},
    {"falcon", "alibi", false},
    {"falcon", "bias", false},
    {"falcon", "parallel_attn", true},
    {"bloom", "apply_residual_connection_post_layernorm", false},
    {"opt", "do_layer_norm_before", true},
    {"opt", "enable_bias", true},
    {"opt", "layer_norm_elementwise_affine", true},
    {"phi2", "qk_layernorm", false},
    {"gemma3", "use_bidirectional_attention", false},
    {"", "is_encoder_decoder", false},
};

static int check_flags(const dun_spec *spec, const dun_hf_config *config) {
    int rc = DUN_OK;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        bool value = flags[i].followed;
        if (flags[i].arch[0] && !dun_spec_is(spec, flags[i].arch))
            continue;
        TRY(dun_hf_flag(&value, config, flags[i].key));
        if (value != flags[i].followed)
            TRY(dun_hf_refuse(config, flags[i].key, dun_hf_find(config, flags[i].key),
                              flags[i].followed ? "true (the other is not supported)"
                                                : "false (the other is not supported)"));
    }
out:
    return rc;
}

/* What only one family says. */
static int read_family(dun_spec *spec, const dun_hf_config *config) {
    int rc = DUN_OK;
    bool parallel = true;
    uint32_t projected = spec->width;
    if (dun_spec_is(spec, "gptneox")) {
        TRY(dun_hf_flag(&parallel, config, "use_parallel_residual"));
        spec->traits.residual = parallel ? DUN_RESIDUAL_PARALLEL : DUN_RESIDUAL_SEQUENTIAL;
    }
    if (dun_spec_is(spec, "bloom"))
        spec->alibi_bias = 8;
    if (dun_spec_is(spec, "opt")) {
        spec->position_offset = 2;
        TRY(dun_hf_count(&projected, config, "word_embed_proj_dim", 1, DUN_MOST_WIDTH));
        if (projected != spec->width)
            TRY(dun_error(DUN_BAD_INPUT,
                          "%s: key 'word_embed_proj_dim' is %u; expected %u, the width (projected "
                          "embeddings: not supported)",
                          config->file, projected, spec->width));
    }
out:
    return rc;
}

/* The embedding's rows; a head of its own is used wherever there is one. */
static int read_tables(dun_weights_from *from, const dun_hf_config *config) {
    int rc = DUN_OK;
    dun_spec *spec = &from->spec;
    dun_place head, embed;
    bool tied = true;
    dun_layout_find(&head, from->form, from->arch, NULL, DUN_W_HEAD, 0, &from->list);
    dun_layout_find(&embed, from->form, from->arch, NULL, DUN_W_EMBED, 0, &from->list);
    TRY(dun_hf_flag(&tied, config, "tie_word_embeddings"));
    spec->tied_head = !head.tensor || (!embed.tensor && tied); /* one table may have either name */
    const dun_stored *table = embed.tensor ? embed.tensor : spec->tied_head ? head.tensor : NULL;
    if (table && table->n_dims == 2 && table->dims[1] != spec->vocab)
        TRY(dun_error(DUN_BAD_INPUT, "%s: key 'vocab_size' is %u; expected %llu, the rows of '%s'",
                      config->file, spec->vocab, (unsigned long long)table->dims[1], table->name));
out:
    return rc;
}

int dun_spec_hf(dun_weights_from *out, const json_t *config, const char *file) {
    int rc;
    const dun_hf_config c = {file, config, dun_hf_usual_of(dun_spec_hf_kind(config))};
    dun_spec *spec = &out->spec;
    out->form = DUN_FORM_HF;
    TRY(find_arch(&out->arch, &c));
    TRY(check_quantised(&c));
    *spec = (dun_spec){.traits = dun_layout_traits(DUN_FORM_HF, out->arch, &out->list)};
    snprintf(spec->architecture, sizeof spec->architecture, "%s", out->arch->name);
    TRY(check_flags(spec, &c));
    TRY(read_sizes(spec, &c));
    TRY(read_activation(spec, &c));
    TRY(read_reals(spec, &c));
    TRY(read_family(spec, &c));
    TRY(dun_spec_finish(spec, file));
    TRY(dun_hf_positions(spec, &c));
    TRY(dun_hf_windows(spec, &c));
    TRY(read_tables(out, &c));
    TRY(dun_spec_finish(spec, file));
out:
    return rc;
}
