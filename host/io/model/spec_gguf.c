/* Keys of a GGUF file that are read, and keys that are refused; see spec_gguf.h. */
#include "io/model/spec_gguf_inside.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "io/model/spec_check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Sizes that are plain integer keys, or lists of the same number for each layer. */
static const struct {
    const char *key; /* after "<architecture>." */
    size_t offset;   /* of the uint32_t in dun_spec */
    uint32_t most;
    bool optional; /* absent: 0, and dun_spec_finish knows what follows */
} sizes[] = {
    {"block_count", offsetof(dun_spec, n_layers), DUN_MAX_LAYERS, false},
    {"embedding_length", offsetof(dun_spec, width), DUN_MOST_WIDTH, false},
    {"feed_forward_length", offsetof(dun_spec, ffn_width), DUN_MOST_FFN, false},
    {"attention.head_count", offsetof(dun_spec, n_heads), DUN_MOST_HEADS, false},
    {"attention.head_count_kv", offsetof(dun_spec, n_kv_heads), DUN_MOST_HEADS, true},
    {"attention.key_length", offsetof(dun_spec, head_dim), DUN_MOST_HEAD_DIM, true},
    {"rope.dimension_count", offsetof(dun_spec, rope_dim), DUN_MAX_ROPE, true},
    {"context_length", offsetof(dun_spec, context), DUN_MOST_CONTEXT, false},
};

/* Scales and caps; those of `arch` alone are refused in files of others. */
static const struct {
    const char *key;
    size_t offset; /* of the float in dun_spec */
    const char *arch;
    const char *feature;
} reals[] = {
    {"attn_logit_softcapping", offsetof(dun_spec, attention_cap), NULL, NULL},
    {"final_logit_softcapping", offsetof(dun_spec, logit_cap), NULL, NULL},
    {"attention.scale", offsetof(dun_spec, attention_scale), NULL, NULL},
    {"embedding_scale", offsetof(dun_spec, embedding_scale), "granite", "scaled embeddings"},
    {"residual_scale", offsetof(dun_spec, residual_scale), "granite", "scaled residuals"},
    {"logit_scale", offsetof(dun_spec, logit_scale), "granite", "scaled logits"},
    {"attention.max_alibi_bias", offsetof(dun_spec, alibi_bias), "bloom", "ALiBi positions"},
};

/* Keys that change what a model computes in ways the engine does not follow: refused unless they have the
 * value that means "not used". '*' stands for the architecture. */
enum value_kind { TEXT, FLAG, COUNT, REAL };
static const struct {
    const char *key;
    enum value_kind kind;
    double unused, also_unused;
    const char *unused_text;
    const char *feature;
    const char *but; /* architectures in whose files it may stand */
} foreign[] = {
    {"general.type", TEXT, 0, 0, "model", "adapters and other files that are no whole model", ""},
    {"*.expert_count", COUNT, 0, 0, NULL, "mixtures of experts", ""},
    {"*.attention.causal", FLAG, 1, 1, NULL, "attention to later tokens", ""},
    {"*.attention.clamp_kqv", REAL, 0, 0, NULL, "clamped queries and keys", ""},
    {"*.use_parallel_residual", FLAG, 0, 0, NULL, "parallel residuals", "gptneox stablelm"},
    {"*.rope.scaling.yarn_ext_factor", REAL, -1, 1, NULL, "another extrapolation than YaRN's", ""},
    {"*.rope.scaling.yarn_log_multiplier", REAL, 0, 0, NULL, "another magnitude than YaRN's", ""},
};

int dun_spec_gguf_arch(const dun_arch **out, const dun_gguf *file) {
    int rc;
    dun_gguf_string name = {0};
    char shown[DUN_SHOWN_BYTES];
    TRY(dun_gguf_get_string(&name, file, "general.architecture"));
    dun_spec_gguf_show(shown, sizeof shown, name);
    for (const dun_arch *arch = dun_arch_table; arch->name; arch++)
        if (strlen(arch->name) == name.length && memcmp(arch->name, name.bytes, name.length) == 0) {
            *out = arch;
            goto out;
        }
    TRY(dun_spec_refuse(dun_gguf_name(file), shown));
out:
    return rc;
}

static int check_text(const dun_gguf *file, const char *key, const char *unused, const char *feature) {
    int rc;
    dun_gguf_string text = {0};
    char shown[DUN_SHOWN_BYTES];
    TRY(dun_gguf_get_string(&text, file, key));
    if (text.length != strlen(unused) || memcmp(text.bytes, unused, text.length) != 0) {
        dun_spec_gguf_show(shown, sizeof shown, text);
        TRY(dun_error(DUN_BAD_INPUT, "%s: key '%s' is '%s'; expected '%s' (%s: not supported)",
                      dun_gguf_name(file), key, shown, unused, feature));
    }
out:
    return rc;
}

static int get_number(double *value, const dun_gguf *file, const char *key, enum value_kind kind) {
    int rc = DUN_OK, flag = 0;
    uint32_t count = 0;
    float real = 0;
    switch (kind) {
    case FLAG:
        TRY(dun_gguf_get_bool(&flag, file, key));
        *value = flag;
        break;
    case COUNT:
        TRY(dun_gguf_get_u32(&count, file, key));
        *value = count;
        break;
    case REAL:
    case TEXT:
        TRY(dun_gguf_get_f32(&real, file, key));
        *value = (double)real;
        break;
    }
out:
    return rc;
}

static int refuse_value(const dun_gguf *file, const char *key, double value, double unused,
                        const char *feature) {
    return dun_error(DUN_BAD_INPUT, "%s: key '%s' is %g; expected %g or no such key (%s: not supported)",
                     dun_gguf_name(file), key, value, unused, feature);
}

static int check_foreign(const dun_arch *arch, const dun_gguf *file) {
    int rc = DUN_OK;
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        char key[DUN_KEY_BYTES];
        double value = 0;
        dun_spec_gguf_key(key, foreign[i].key, arch);
        if (!dun_gguf_has(file, key) || strstr(foreign[i].but, arch->name))
            continue;
        if (foreign[i].kind == TEXT) {
            TRY(check_text(file, key, foreign[i].unused_text, foreign[i].feature));
            continue;
        }
        TRY(get_number(&value, file, key, foreign[i].kind));
        if (!(value == foreign[i].unused || value == foreign[i].also_unused))
            TRY(refuse_value(file, key, value, foreign[i].unused, foreign[i].feature));
    }
out:
    return rc;
}

/* One integer, or a list of the same for each layer. */
static int get_size(uint32_t *value, const dun_gguf *file, const char *key) {
    int rc;
    int32_t *values = NULL;
    size_t n = 0;
    if (!dun_gguf_is_array(file, key)) {
        TRY(dun_gguf_get_u32(value, file, key));
        goto out;
    }
    TRY(dun_gguf_array_i32(&values, &n, file, key));
    for (size_t i = 1; i < n; i++)
        if (values[i] != values[0])
            TRY(dun_error(DUN_BAD_INPUT,
                          "%s: key '%s' is %d in layer 0 and %d in layer %zu; expected the same in all",
                          dun_gguf_name(file), key, values[0], values[i], i));
    *value = n && values[0] > 0 ? (uint32_t)values[0] : 0;
out:
    dun_free(values);
    return rc;
}

static int read_sizes(dun_spec *spec, const dun_arch *arch, const dun_gguf *file) {
    int rc = DUN_OK;
    char key[DUN_KEY_BYTES];
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint32_t *value = (uint32_t *)(void *)((char *)spec + sizes[i].offset);
        snprintf(key, sizeof key, "%s.%s", arch->name, sizes[i].key);
        if (sizes[i].optional && !dun_gguf_has(file, key))
            continue;
        TRY(get_size(value, file, key));
        if (*value < 1 || *value > sizes[i].most)
            TRY(dun_error(DUN_BAD_INPUT, "%s: key '%s' is %u; expected 1 to %u", dun_gguf_name(file), key,
                          *value, sizes[i].most));
    }
out:
    return rc;
}

/* Values have the length of keys. */
static int check_value_length(const dun_spec *spec, const dun_arch *arch, const dun_gguf *file) {
    int rc = DUN_OK;
    char key[DUN_KEY_BYTES];
    uint32_t value_length = 0;
    dun_spec_gguf_key(key, "*.attention.value_length", arch);
    if (!dun_gguf_has(file, key))
        goto out;
    TRY(dun_gguf_get_u32(&value_length, file, key));
    if (value_length != spec->head_dim)
        TRY(dun_error(DUN_BAD_INPUT, "%s: key '%s' is %u; expected %u, the length of keys",
                      dun_gguf_name(file), key, value_length, spec->head_dim));
out:
    return rc;
}

static int read_reals(dun_spec *spec, const dun_arch *arch, const dun_gguf *file) {
    int rc;
    char key[DUN_KEY_BYTES];
    dun_spec_gguf_key(key,
                      spec->traits.norm == DUN_NORM_RMS ? "*.attention.layer_norm_rms_epsilon"
                                                        : "*.attention.layer_norm_epsilon",
                      arch);
    TRY(dun_gguf_get_f32(&spec->norm_eps, file, key));
    if (!(spec->norm_eps > 0 && spec->norm_eps < 1))
        TRY(dun_error(DUN_BAD_INPUT, "%s: key '%s' is %g; expected a number between 0 and 1",
                      dun_gguf_name(file), key, (double)spec->norm_eps));
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
        float *value = (float *)(void *)((char *)spec + reals[i].offset);
        snprintf(key, sizeof key, "%s.%s", arch->name, reals[i].key);
        TRY(dun_spec_gguf_real(value, file, key, arch, 0));
        if (!reals[i].arch || strcmp(reals[i].arch, arch->name) == 0)
            continue;
        if (*value != 0 && *value != 1)
            TRY(refuse_value(file, key, (double)*value, 1, reals[i].feature));
        *value = 0;
    }
    if (spec->traits.position != DUN_POSITION_ROPE)
        goto out;
    spec->rope_base = dun_spec_is(spec, "gemma3") ? 1e6f : 10000;
    TRY(dun_spec_gguf_real(&spec->rope_base, file, "*.rope.global.freq_base", arch, 1)); /* Ollama's name */
    TRY(dun_spec_gguf_real(&spec->rope_base, file, "*.rope.freq_base", arch, 1));
out:
    return rc;
}

/* Keys that Gemma 2's files of the first days lack: what llama.cpp takes, which is what all its models have.
 */
static void add_first_days(dun_spec *spec, const dun_arch *arch, const dun_gguf *file) {
    const struct {
        const char *key;
        float *value, usual;
    } rows[] = {{"*.attn_logit_softcapping", &spec->attention_cap, 50},
                {"*.final_logit_softcapping", &spec->logit_cap, 30}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char key[DUN_KEY_BYTES];
        dun_spec_gguf_key(key, rows[i].key, arch);
        if (dun_gguf_has(file, key))
            continue;
        *rows[i].value = rows[i].usual;
        dun_warn("%s lacks the key '%s', as files of Gemma 2's first days do; %g is taken",
                 dun_gguf_name(file), key, (double)rows[i].usual);
    }
}

/* What no key says. */
static int read_family(dun_spec *spec, const dun_arch *arch, const dun_gguf *file) {
    int rc = DUN_OK, parallel = 0;
    char key[DUN_KEY_BYTES];
    const bool gemma2 = dun_spec_is(spec, "gemma2"), gemma3 = dun_spec_is(spec, "gemma3");
    if (dun_spec_is(spec, "gptneox")) {
        dun_spec_gguf_key(key, "*.use_parallel_residual", arch);
        TRY(dun_gguf_get_bool(&parallel, file, key));
        spec->traits.residual = parallel ? DUN_RESIDUAL_PARALLEL : DUN_RESIDUAL_SEQUENTIAL;
    }
    if (dun_spec_is(spec, "smollm3"))
        for (uint32_t layer = 3; layer < spec->n_layers; layer += 4)
            spec->layers[layer] |= DUN_LAYER_STILL;
    if (dun_spec_is(spec, "bloom") && spec->alibi_bias == 0)
        spec->alibi_bias = 8;
    if ((gemma2 && spec->n_layers == 46) ||
        (gemma3 && spec->n_layers == 62)) /* the models of 27 billion weights */
        spec->attention_scale = 1 / sqrtf((float)spec->width / (float)spec->n_heads);
    if (gemma2)
        add_first_days(spec, arch, file);
out:
    return rc;
}

/* V is the rows of the embedding, of which the tokenizer may name fewer. */
static int read_vocabulary(dun_spec *spec, const dun_gguf *file) {
    int rc = DUN_OK;
    const char *name = dun_gguf_name(file), *tensor_name = dun_slot_table[DUN_W_EMBED].gguf;
    const dun_gguf_tensor *embed = dun_gguf_find_tensor(file, tensor_name);
    spec->tied_head = !dun_gguf_find_tensor(file, dun_slot_table[DUN_W_HEAD].gguf);
    if (!embed)
        TRY(dun_error(DUN_BAD_INPUT, "%s: tensor '%s' is missing; expected it with a row for every token",
                      name, tensor_name));
    if (embed->n_dims != 2 || embed->dims[1] > DUN_MOST_VOCAB)
        TRY(dun_error(DUN_BAD_INPUT, "%s: tensor '%s' has %llu rows; expected 1 to %d, one for every token",
                      name, embed->name, (unsigned long long)(embed->n_dims < 2 ? 0 : embed->dims[1]),
                      DUN_MOST_VOCAB));
    spec->vocab = (uint32_t)embed->dims[1];
out:
    return rc;
}

static int list_tensors(dun_stored_list *list, const dun_gguf *file) {
    int rc;
    list->n = dun_gguf_n_tensors(file);
    TRY_NEW(list->tensors, list->n);
    for (size_t i = 0; i < list->n; i++) {
        const dun_gguf_tensor *tensor = dun_gguf_tensor_at(file, i);
        list->tensors[i] = (dun_stored){.file = dun_gguf_name(file),
                                        .name = tensor->name,
                                        .type = tensor->type,
                                        .n_dims = tensor->n_dims,
                                        .data = tensor->data,
                                        .bytes = tensor->bytes};
        memcpy(list->tensors[i].dims, tensor->dims, sizeof tensor->dims);
    }
    TRY(dun_stored_sort(list));
out:
    return rc;
}

/* Of header, metadata and tensor directory, of all parts. */
static uint64_t hash_heads(const dun_gguf *file) {
    uint64_t hash = DUN_HASH_START;
    for (size_t part = 0; part < dun_gguf_n_parts(file); part++) {
        size_t length;
        const uint8_t *head = dun_gguf_head(file, part, &length);
        hash = dun_hash(hash, head, length);
    }
    return hash;
}

int dun_spec_gguf(dun_weights_from *out, const dun_gguf *file) {
    int rc;
    dun_spec *spec = &out->spec;
    *out = (dun_weights_from){.file = dun_gguf_name(file), .form = DUN_FORM_GGUF, .hash = hash_heads(file)};
    TRY(list_tensors(&out->list, file));
    TRY(dun_spec_gguf_arch(&out->arch, file));
    const dun_arch *arch = out->arch;
    spec->traits = dun_layout_traits(DUN_FORM_GGUF, arch, &out->list);
    snprintf(spec->architecture, sizeof spec->architecture, "%s", arch->name);
    TRY(dun_spec_gguf_title(spec->name, sizeof spec->name, file));
    TRY(check_foreign(arch, file));
    TRY(read_sizes(spec, arch, file));
    TRY(read_reals(spec, arch, file));
    TRY(dun_spec_finish(spec, out->file));
    TRY(check_value_length(spec, arch, file));
    TRY(read_vocabulary(spec, file));
    if (spec->traits.position == DUN_POSITION_ROPE)
        TRY(dun_spec_gguf_scaling(spec, arch, file));
    TRY(dun_spec_gguf_windows(spec, arch, file));
    TRY(read_family(spec, arch, file));
    TRY(dun_spec_finish(spec, out->file));
out:
    return rc;
}

int dun_weights_of_gguf(dun_weights **out, const dun_gguf *file) {
    int rc;
    dun_weights_from from;
    TRY(dun_spec_gguf(&from, file));
    TRY(dun_weights_create(out, &from));
out:
    dun_stored_free(&from.list);
    return rc;
}
