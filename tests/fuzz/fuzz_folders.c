/* Models in several files: parts of a GGUF model (parts), the index of a folder's safetensors (index), its
 * config.json (hfconfig); the plan of several runs (plan). */
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "io/model/spec_hf.h"
#include "io/store/gguf.h"
#include "io/store/shards.h"
#include "run/sweep_plan.h"
#include "targets.h"

#include <math.h>
#include <string.h>

/* Two parts; the first two bytes are the length of the first. What is joined has the tensors of both. */
void fuzz_parts(const uint8_t *bytes, size_t length) {
    dun_gguf *parts[2] = {NULL, NULL}, *whole = NULL;
    size_t n_tensors = 0;
    if (length < 2)
        return;
    size_t first = bytes[0] | (size_t)bytes[1] << 8;
    bytes += 2;
    length -= 2;
    first = first < length ? first : length;
    if (fuzz_accepted(dun_gguf_parse(&parts[0], bytes, first, "a.gguf"), DUN_BAD_INPUT, DUN_BAD_INPUT) &&
        fuzz_accepted(dun_gguf_parse(&parts[1], bytes + first, length - first, "b.gguf"), DUN_BAD_INPUT,
                      DUN_BAD_INPUT)) {
        n_tensors = dun_gguf_n_tensors(parts[0]) + dun_gguf_n_tensors(parts[1]);
        if (fuzz_accepted(dun_gguf_join(&whole, parts, 2), DUN_BAD_INPUT, DUN_BAD_INPUT)) {
            FUZZ_EXPECT(!parts[0] && !parts[1] && dun_gguf_n_tensors(whole) == n_tensors);
            for (size_t i = 0; i < n_tensors; i++) {
                const dun_gguf_tensor *tensor = dun_gguf_tensor_at(whole, i);
                FUZZ_EXPECT(dun_gguf_find_tensor(whole, tensor->name) == tensor);
                FUZZ_EXPECT(tensor->data >= bytes &&
                            (size_t)(tensor->data - bytes) <= length - tensor->bytes);
            }
        }
    }
    dun_gguf_free(whole);
    dun_gguf_free(parts[0]);
    dun_gguf_free(parts[1]);
}

/* No name leads out of the folder. */
void fuzz_index(const uint8_t *bytes, size_t length) {
    json_t *root = NULL, *file;
    const json_t *map = NULL;
    const char *tensor;
    if (!fuzz_accepted(dun_shards_parse_index(&root, &map, (const char *)bytes, length, "i.json"),
                       DUN_BAD_INPUT, DUN_BAD_INPUT)) {
        FUZZ_EXPECT(!root);
        return;
    }
    json_object_foreach((json_t *)(uintptr_t)map, tensor, file) {
        const char *name = json_string_value(file);
        FUZZ_EXPECT(name && !strchr(name, '/') && strcmp(name, "..") != 0 && strlen(name) > 0);
    }
    json_decref(root);
}

/* Sizes that were accepted are in their bounds and fit together. */
void fuzz_hfconfig(const uint8_t *bytes, size_t length) {
    json_t *config = NULL;
    dun_weights_from from = {.file = "hf"};
    if (!fuzz_accepted(dun_json_parse(&config, (const char *)bytes, length, "config.json", 1), DUN_BAD_INPUT,
                       DUN_BAD_INPUT))
        return;
    if (fuzz_accepted(dun_spec_hf(&from, config, "config.json"), DUN_BAD_INPUT, DUN_BAD_INPUT)) {
        const dun_spec *s = &from.spec;
        FUZZ_EXPECT(s->n_layers >= 1 && s->n_layers <= DUN_MAX_LAYERS && s->width >= 1 && s->head_dim >= 1);
        FUZZ_EXPECT(s->n_kv_heads >= 1 && s->n_heads % s->n_kv_heads == 0 && s->vocab >= 1);
        FUZZ_EXPECT(s->rope_dim <= s->head_dim && s->rope_dim % 2 == 0);
        FUZZ_EXPECT(s->norm_eps > 0 && isfinite(s->rope_base) && isfinite(s->rope.magnitude));
        for (uint32_t i = 0; i < s->rope_dim / 2; i++)
            FUZZ_EXPECT(isfinite(s->rope.divisor[i]) && isfinite(s->rope.long_divisor[i]));
        for (int slot = 0; slot < DUN_N_SLOTS; slot++)
            FUZZ_EXPECT(dun_spec_size(s, dun_slot_table[slot].rows) >= 1);
    }
    json_decref(config);
}

/* A run for each config, combination and seed, in a folder below that of the plan. */
void fuzz_plan(const uint8_t *bytes, size_t length) {
    dun_sweep_plan plan;
    fuzz_file("plan.json", bytes, length);
    if (!fuzz_accepted(dun_sweep_plan_read(&plan, fuzz_folder()), DUN_BAD_INPUT, DUN_BAD_INPUT))
        return;
    const dun_sweep_table *table = &plan.table;
    const size_t n_points = dun_sweep_points(&plan.sweep);
    FUZZ_EXPECT(table->n_rows == plan.n_configs * n_points * table->n_seeds && table->n_rows > 0);
    for (size_t i = 0; i < table->n_rows; i++) {
        const dun_sweep_row *row = &table->rows[i];
        FUZZ_EXPECT(row->config && row->point < n_points && *row->name && !strchr(row->name, '/') &&
                    *row->name != '.');
        for (size_t axis = 0; axis < plan.sweep.n_axes; axis++)
            FUZZ_EXPECT(dun_sweep_value(&plan.sweep, axis, row->point));
    }
    dun_sweep_plan_free(&plan);
}
