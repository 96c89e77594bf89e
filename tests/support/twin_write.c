/* Making the tensors of twin_models.h and writing them in both forms. */
#include "twin_write.h"

#include "base/err.h"
#include "base/file.h"
#include "base/rng.h"
#include "gguf_builder.h"
#include "io/store/safetensors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

dun_spec twin_spec(const twin_model *m) {
    dun_spec spec = m->spec;
    if (!strstr(m->config, "kv_heads") && !strstr(m->config, "key_value_heads"))
        spec.n_kv_heads = spec.n_heads;
    return spec;
}

float twin_value(enum dun_slot slot, uint32_t layer, uint32_t row, uint32_t k) {
    uint64_t at = (((uint64_t)slot * 8 + layer) << 32) + row * 1024 + k;
    float value = (float)((int)(dun_random_u64(7, DUN_STREAM_TEST, at) % 127) - 63) / 64;
    return strstr(dun_slot_table[slot].name, "NORM") && !strstr(dun_slot_table[slot].name, "BIAS") ? 1 + value
                                                                                                   : value;
}

static uint32_t size_of(const dun_spec *spec, enum dun_size size) {
    return dun_spec_size(spec, size);
}

/* Appends a canonical row to a tensor. */
static void put_row(twin_made_tensor *t, const dun_spec *spec, enum dun_slot slot, uint32_t layer,
                    uint32_t row, float added) {
    (void)spec;
    for (uint32_t k = 0; k < t->columns; k++)
        t->values[(size_t)t->rows * t->columns + k] = twin_value(slot, layer, row, k) + added;
    t->rows++;
}

/* Canonical component of a head behind stored component i of a pair of neighbours. */
static uint32_t paired(const dun_spec *spec, uint32_t row) {
    uint32_t i = row % spec->head_dim, half = spec->rope_dim / 2;
    return i >= spec->rope_dim ? row : row - i + i / 2 + (i % 2 ? half : 0);
}

static void fill(twin_made_tensor *t, const twin_tensor *from, const dun_spec *spec, uint32_t layer,
                 uint32_t head) {
    const uint32_t D = spec->head_dim;
    uint32_t groups = from->how == HEADS ? spec->n_heads : from->how == GROUPS ? spec->n_kv_heads : 1;
    for (uint32_t g = 0; g < groups; g++)
        for (int s = 0; s < 3 && from->slots[s]; s++) {
            enum dun_slot slot = (enum dun_slot)(from->slots[s] - 1);
            uint32_t rows = size_of(spec, dun_slot_table[slot].rows) / groups, first = g * rows;
            t->columns = size_of(spec, dun_slot_table[slot].columns);
            if (from->how == EACH) {
                rows = D;
                first = head * D;
            }
            for (uint32_t r = first; r < first + rows; r++)
                put_row(t, spec, slot, layer, from->how == PAIRED ? paired(spec, r) : r,
                        from->how == LESS ? -1 : 0);
        }
}

static void turn(twin_made_tensor *t) {
    float *turned = malloc(TWIN_VALUES * sizeof *turned);
    assert_non_null(turned);
    for (uint32_t r = 0; r < t->rows; r++)
        for (uint32_t c = 0; c < t->columns; c++)
            turned[(size_t)c * t->rows + r] = t->values[(size_t)r * t->columns + c];
    free(t->values);
    *t = (twin_made_tensor){.rows = t->columns, .columns = t->rows, .values = turned};
}

static void expand(char *out, const char *name, uint32_t layer, uint32_t head) {
    size_t used = 0;
    for (; *name; name++)
        used += (size_t)(*name == '#'   ? snprintf(out + used, TWIN_NAME_BYTES - used, "%u", layer)
                         : *name == '@' ? snprintf(out + used, TWIN_NAME_BYTES - used, "%u", head)
                                        : snprintf(out + used, TWIN_NAME_BYTES - used, "%c", *name));
}

void twin_make(twin_made *out, const twin_tensor *list, const dun_spec *spec) {
    out->n = 0;
    for (size_t i = 0; i < TWIN_TENSORS && list[i].name; i++) {
        uint32_t layers = strchr(list[i].name, '#') ? spec->n_layers : 1, heads = 1;
        if (list[i].how == EACH)
            heads = list[i].slots[0] - 1 == DUN_W_Q_NORM ? spec->n_heads : spec->n_kv_heads;
        for (uint32_t layer = 0; layer < layers; layer++)
            for (uint32_t head = 0; head < heads; head++) {
                twin_made_tensor t = {.values = malloc(TWIN_VALUES * sizeof *t.values)};
                assert_true(t.values && out->n < TWIN_MAX_TENSORS);
                fill(&t, &list[i], spec, layer, head);
                assert_true((size_t)t.rows * t.columns <= TWIN_VALUES);
                if (list[i].how == TURNED)
                    turn(&t);
                expand(t.name, list[i].name, layer, head);
                out->tensors[out->n++] = t;
            }
    }
}

void twin_free(twin_made *m) {
    for (size_t i = 0; i < m->n; i++)
        free(m->tensors[i].values);
}

void twin_write_text(const char *name, const char *text) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", TWIN_FOLDER, name);
    assert_int_equal(dun_file_write(path, text, strlen(text)), DUN_OK);
}

void twin_write_tensors(const char *name, const char *header, size_t bytes) {
    char path[512];
    const uint64_t length = strlen(header);
    uint8_t *file = calloc(1, 8 + (size_t)length + bytes);
    assert_non_null(file);
    memcpy(file, &length, 8);
    memcpy(file + 8, header, (size_t)length);
    snprintf(path, sizeof path, "%s/%s", TWIN_FOLDER, name);
    assert_int_equal(dun_file_write(path, file, 8 + (size_t)length + bytes), DUN_OK);
    free(file);
}

void twin_remove_file(const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", TWIN_FOLDER, name);
    unlink(path);
}

void twin_write_config(const twin_model *m) {
    char text[1024];
    const dun_spec *s = &m->spec;
    snprintf(text, sizeof text,
             "{\"num_hidden_layers\":%u,\"hidden_size\":%u,\"num_attention_heads\":%u,\"%s\":%u,"
             "\"vocab_size\":%u,\"max_position_embeddings\":%u,%s}",
             s->n_layers, s->width, s->n_heads,
             strstr(m->config, "ffn_hidden_size") ? "unused" : "intermediate_size", s->ffn_width, s->vocab,
             s->context, m->config);
    twin_write_text("config.json", text);
}

void twin_write_shard(const char *name, const twin_made *m, size_t first, size_t end) {
    dun_tensor tensors[TWIN_MAX_TENSORS];
    uint16_t *halves = malloc((end - first + 1) * TWIN_VALUES * sizeof *halves);
    char path[512];
    assert_non_null(halves);
    for (size_t i = first; i < end; i++) {
        const twin_made_tensor *t = &m->tensors[i];
        size_t n = (size_t)t->rows * t->columns;
        uint16_t *own = halves + (i - first) * TWIN_VALUES;
        dun_dtype dtype = i % 3 == 0 ? DUN_F32 : i % 3 == 1 ? DUN_F16 : DUN_BF16;
        for (size_t k = 0; k < n; k++) {
            uint32_t bits;
            memcpy(&bits, &t->values[k], sizeof bits);
            own[k] = dtype == DUN_F16 ? gguf_builder_half(t->values[k]) : (uint16_t)(bits >> 16);
        }
        tensors[i - first] = (dun_tensor){.name = t->name,
                                          .dtype = dtype,
                                          .n_dims = t->columns == 1 ? 1 : 2,
                                          .dims = {t->rows, t->columns, 1, 1},
                                          .data = dtype == DUN_F32 ? (const void *)t->values : own,
                                          .bytes = n * (dtype == DUN_F32 ? 4 : 2)};
    }
    snprintf(path, sizeof path, "%s/%s", TWIN_FOLDER, name);
    assert_int_equal(dun_safetensors_write(path, tensors, end - first, NULL), DUN_OK);
    free(halves);
}

void twin_write_index(const twin_made *m, size_t half) {
    dun_str text = {0};
    for (size_t i = 0; i < m->n; i++)
        assert_int_equal(dun_str_addf(&text, "%s\"%s\":\"part-%d.safetensors\"",
                                      i ? "," : "{\"weight_map\":{", m->tensors[i].name, i < half ? 1 : 2),
                         DUN_OK);
    assert_int_equal(dun_str_addf(&text, "}}"), DUN_OK);
    twin_write_text("model.safetensors.index.json", text.bytes);
    dun_str_free(&text);
}

void twin_write_folder(const twin_model *m, bool sharded) {
    twin_made *made = malloc(sizeof *made);
    const dun_spec spec = twin_spec(m);
    assert_non_null(made);
    mkdir(TWIN_FOLDER, 0777);
    twin_make(made, m->hf, &spec);
    twin_write_config(m);
    twin_remove_file("model.safetensors");
    twin_remove_file("model.safetensors.index.json");
    if (sharded) {
        twin_write_shard("part-1.safetensors", made, 0, made->n / 2);
        twin_write_shard("part-2.safetensors", made, made->n / 2, made->n);
        twin_write_index(made, made->n / 2);
    } else {
        twin_write_shard("model.safetensors", made, 0, made->n);
    }
    twin_free(made);
    free(made);
}

/* "key=value ...": a bool with b, a real with a point, else a whole number. */
static void add_keys(gguf_builder *b, const char *arch, const char *keys) {
    char name[96], value[32], key[160];
    for (int used = 0; sscanf(keys, " %95[^=]=%31s%n", name, value, &used) == 2; keys += used) {
        snprintf(key, sizeof key, "%s.%s", arch, name);
        if (value[0] == 'b')
            gguf_builder_bool(b, key, value[1] == '1');
        else if (strchr(value, '.'))
            gguf_builder_f32(b, key, strtof(value, NULL));
        else
            gguf_builder_u32(b, key, (uint32_t)strtoul(value, NULL, 10));
    }
}

void twin_write_gguf(const twin_model *m) {
    twin_made *made = malloc(sizeof *made);
    const dun_spec spec = twin_spec(m);
    gguf_builder b;
    dun_str bytes = {0};
    char keys[512];
    assert_non_null(made);
    twin_make(made, m->gguf, &spec);
    gguf_builder_init(&b);
    gguf_builder_string(&b, "general.architecture", spec.architecture);
    snprintf(keys, sizeof keys,
             "block_count=%u embedding_length=%u feed_forward_length=%u attention.head_count=%u "
             "attention.head_count_kv=%u context_length=%u attention.layer_norm%s_epsilon=%.8f",
             spec.n_layers, spec.width, spec.ffn_width, spec.n_heads, spec.n_kv_heads, spec.context,
             spec.traits.norm == DUN_NORM_RMS ? "_rms" : "", (double)spec.norm_eps);
    add_keys(&b, spec.architecture, keys);
    add_keys(&b, spec.architecture, m->keys);
    for (size_t i = 0; i < made->n; i++) {
        const twin_made_tensor *t = &made->tensors[i];
        gguf_builder_add_tensor(&b, t->name, 0, t->columns == 1 ? 1 : 2,
                                t->columns == 1 ? (uint64_t[]){t->rows} : (uint64_t[]){t->columns, t->rows},
                                t->values, (size_t)t->rows * t->columns * sizeof *t->values);
    }
    assert_int_equal(gguf_builder_finish(&bytes, &b), DUN_OK);
    assert_int_equal(dun_file_write(TWIN_GGUF, bytes.bytes, bytes.length), DUN_OK);
    dun_str_free(&bytes);
    gguf_builder_free(&b);
    twin_free(made);
    free(made);
}

void twin_remove(void) {
    static const char *const names[] = {"config.json", "model.safetensors", "model.safetensors.index.json",
                                        "part-1.safetensors", "part-2.safetensors"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        twin_remove_file(names[i]);
    unlink(TWIN_GGUF);
    rmdir(TWIN_FOLDER);
}
