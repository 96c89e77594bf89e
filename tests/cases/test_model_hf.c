/* Models of several architectures, written as a folder and as a GGUF file with the same weights, read back
 * through the one door: the same spec, and every slot's bits are those that were put there. Folders that are
 * wrong are refused. */
#include "base/err.h"
#include "base/fault.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "io/model_file.h"
#include "twin_models.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SAME(field)                                                                                          \
    if (found->field != wanted->field)                                                                       \
    fail_msg("%s, %s: " #field " is %g; expected %g", wanted->architecture, form, (double)found->field,      \
             (double)wanted->field)

static void expect_spec(const dun_spec *found, const dun_spec *wanted, const char *form) {
    const float scale = found->attention_scale; /* may be said or follow from the head */
    assert_string_equal(found->architecture, wanted->architecture);
    if (memcmp(&found->traits, &wanted->traits, sizeof found->traits) != 0)
        fail_msg("%s, %s: other traits", wanted->architecture, form);
    assert_memory_equal(found->layers, wanted->layers, sizeof found->layers);
    SAME(n_layers);
    SAME(width);
    SAME(n_heads);
    SAME(n_kv_heads);
    SAME(head_dim);
    SAME(ffn_width);
    SAME(vocab);
    SAME(context);
    SAME(rope_dim);
    SAME(rope_base);
    SAME(rope_base_window);
    SAME(position_offset);
    SAME(window);
    SAME(norm_eps);
    SAME(attention_cap);
    SAME(logit_cap);
    SAME(tied_head);
    assert_true(scale == 0 || (double)(scale * scale * (float)wanted->head_dim) > 0.999999);
}

static void expect_slot(const dun_model_file *model, const dun_spec *spec, enum dun_slot slot, uint32_t layer,
                        const char *form) {
    static float found[TWIN_VALUES];
    const uint32_t rows = dun_spec_size(spec, dun_slot_table[slot].rows);
    const uint32_t columns = dun_spec_size(spec, dun_slot_table[slot].columns);
    const enum dun_slot stored = slot == DUN_W_HEAD && spec->tied_head ? DUN_W_EMBED : slot;
    for (uint32_t first = 0; first < rows; first += 5) { /* also from the middle of a group */
        uint32_t n = rows - first < 7 ? rows - first : 7;
        if (dun_model_file_read(found, model, slot, layer, first, n) < 0)
            fail_msg("%s", dun_error_message());
        for (uint32_t i = 0; i < n * columns; i++) {
            float wanted = twin_value(stored, layer, first + i / columns, i % columns);
            if (found[i] != wanted)
                fail_msg("%s, %s: %s of layer %u, row %u, is %g; expected %g", spec->architecture, form,
                         dun_slot_table[slot].name, layer, first + i / columns, (double)found[i],
                         (double)wanted);
        }
    }
}

static void expect_model(const char *path, const twin_model *m, const char *form) {
    const dun_spec spec = twin_spec(m);
    dun_model_file *model = NULL;
    if (dun_model_file_open(&model, path, DUN_MODEL_WEIGHTS) < 0)
        fail_msg("%s: %s", spec.architecture, dun_error_message());
    expect_spec(dun_model_file_spec(model), &spec, form);
    for (enum dun_slot slot = 0; slot < DUN_N_SLOTS; slot++)
        for (uint32_t layer = 0; layer < (dun_slot_table[slot].per_layer ? spec.n_layers : 1); layer++)
            if (dun_spec_has(&spec, slot))
                expect_slot(model, &spec, slot, layer, form);
    assert_true(dun_model_file_fingerprint(model) != 0);
    dun_model_file_free(model);
}

static void test_twins(void **state) {
    (void)state;
    size_t live = dun_mem_live();
    for (size_t i = 0; i < N_TWINS; i++) {
        twin_write_folder(&twin_models[i], false);
        expect_model(TWIN_FOLDER, &twin_models[i], "folder");
        twin_write_folder(&twin_models[i], true);
        expect_model(TWIN_FOLDER, &twin_models[i], "folder of two files");
        if (!twin_models[i].gguf[0].name)
            continue;
        twin_write_gguf(&twin_models[i]);
        expect_model(TWIN_GGUF, &twin_models[i], "GGUF");
    }
    assert_int_equal(dun_mem_live(), live);
}

/* What is wrong with a folder of the first model, in two files. */
static void expect_refused(const char *message, const char *also) {
    dun_model_file *model = NULL;
    size_t live = dun_mem_live();
    int rc = dun_model_file_open(&model, TWIN_FOLDER, DUN_MODEL_WEIGHTS);
    const char *found = dun_error_message();
    if (rc != DUN_BAD_INPUT || !strstr(found, message) || !strstr(found, also))
        fail_msg("status %d, message: %s\nlacks: %s ... %s", rc, found, message, also);
    assert_null(model);
    assert_int_equal(dun_mem_live(), live);
}

static void test_wrong_indices(void **state) {
    (void)state;
    static const struct {
        const char *index, *message, *also;
    } rows[] = {
        {"{\"weight_map\":{\"a\":\"../x.safetensors\"}}", "tensor 'a' is in '../x.safetensors'",
         "same folder"},
        {"{\"weight_map\":{\"a\":\"/etc/passwd\"}}", "tensor 'a' is in '/etc/passwd'", "NAME.safetensors"},
        {"{\"weight_map\":{\"a\":\"sub/x.safetensors\"}}", "'sub/x.safetensors'", "same folder"},
        {"{\"weight_map\":{\"a\":\"..\"}}", "tensor 'a' is in '..'", "same folder"},
        {"{\"weight_map\":{\"a\":3}}", "the file of tensor 'a' is no string", "its name"},
        {"{\"weight_map\":{}}", "has no object 'weight_map'", "the file of each tensor"},
        {"[1]", "has no object 'weight_map'", ""},
        {"{\"weight_map\":{\"a\":\"gone.safetensors\"}}", "gone.safetensors: is not there", "names it"},
        {"{\"weight_map\":{\"a\":\"part-1.safetensors\"}}", "says that tensor 'a' is in part-1.safetensors",
         "found in none"},
        {"{\"weight_map\":{\"lm_head.weight\":\"part-2.safetensors\",\"a\":\"part-1.safetensors\"}}",
         "'lm_head.weight' is in part-2.safetensors", "found in part-1.safetensors"},
        {"{\"weight_map\":{\"lm_head.weight\":\"part-1.safetensors\"}}",
         "' is missing; expected it in a llama", ""},
        {"{\"weight_map\":", "model.safetensors.index.json:1:", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        twin_write_folder(&twin_models[0], true);
        twin_write_text("model.safetensors.index.json", rows[i].index);
        expect_refused(rows[i].message, rows[i].also);
    }
}

static void test_wrong_weights(void **state) {
    (void)state;
    const dun_spec spec = twin_spec(&twin_models[0]);
    twin_made *made = malloc(sizeof *made);
    assert_non_null(made);
    twin_write_folder(&twin_models[0], true);
    twin_make(made, twin_models[0].hf, &spec);
    twin_write_shard("part-2.safetensors", made, made->n / 2 - 1,
                     made->n); /* its first one is in part 1 too */
    expect_refused("is in ", "part-1.safetensors too; expected it in one file");
    made->tensors[0].rows--; /* the embedding */
    twin_write_shard("part-1.safetensors", made, 0, made->n / 2);
    twin_write_shard("part-2.safetensors", made, made->n / 2, made->n);
    expect_refused("'vocab_size' is 13; expected 12, the rows of 'model.embed_tokens.weight'", "");
    made->tensors[0].rows++;
    made->tensors[1].values[3] = (float)1e30; /* becomes infinite in F16 */
    twin_write_shard("part-1.safetensors", made, 0, made->n / 2);
    expect_refused("'model.norm.weight' has NaN or infinity in value 3", "part-1.safetensors");
    made->tensors[1].values[3] = 1;
    strcpy(made->tensors[1].name, "model.norm.scales"); /* as MLX keeps them */
    twin_write_shard("part-1.safetensors", made, 0, made->n / 2);
    twin_write_index(made, made->n / 2);
    expect_refused("has tensor 'model.norm.scales' (weights quantised by MLX", "lacks 'model.norm.weight'");
    twin_free(made);
    free(made);
    twin_write_folder(&twin_models[0], false);
    twin_write_text("config.json", "{");
    expect_refused("config.json:1:", "");
    twin_remove_file("config.json");
    twin_write_text("pytorch_model.bin", "PK");
    twin_remove_file("model.safetensors");
    expect_refused("is a folder without a model", "config.json");
    twin_write_config(&twin_models[0]);
    expect_refused("holds pickled weights", "model.safetensors");
    twin_remove_file("pytorch_model.bin");
    twin_write_text("adapter_config.json", "{}");
    expect_refused("holds an adapter of PEFT, which is no model", "merge_and_unload");
    twin_remove_file("adapter_config.json");
    expect_refused("holds neither model.safetensors nor", "index.json");
}

/* The tensors of a model's folder, without those whose names have `part` in them. */
static void write_without(const twin_model *m, const char *part) {
    const dun_spec spec = twin_spec(m);
    twin_made *made = malloc(sizeof *made);
    size_t kept = 0;
    assert_non_null(made);
    twin_write_folder(m, false);
    twin_make(made, m->hf, &spec);
    for (size_t i = 0; i < made->n; i++)
        if (strstr(made->tensors[i].name, part)) {
            free(made->tensors[i].values);
            made->tensors[i].values = NULL;
        } else {
            made->tensors[kept++] = made->tensors[i];
        }
    assert_true(kept < made->n);
    made->n = kept;
    twin_write_shard("model.safetensors", made, 0, kept);
    twin_free(made);
    free(made);
}

/* What is missing has the name that its family, and the other layers of the file, give it. */
static void test_missing_names(void **state) {
    (void)state;
    static const struct {
        const char *arch, *part, *missing;
    } rows[] = {
        {"llama", "layers.1.mlp.up_proj", "model.layers.1.mlp.up_proj.weight"},
        {"phi3", "layers.1.self_attn.qkv_proj", "model.layers.1.self_attn.qkv_proj.weight"},
        {"phi3", "layers.0.mlp.gate_up_proj", "model.layers.0.mlp.gate_up_proj.weight"},
        {"gemma2", "mlp.gate_proj", "model.layers.0.mlp.gate_proj.weight"},
        {"gemma2", "layers.1.pre_feedforward", "model.layers.1.pre_feedforward_layernorm.weight"},
        {"gpt2", "h.1.ln_2.weight", "h.1.ln_2.weight"},
        {"gptneox", "layers.0.attention.dense.weight", "gpt_neox.layers.0.attention.dense.weight"},
        {"falcon", "h.1.mlp.dense_h_to_4h", "transformer.h.1.mlp.dense_h_to_4h.weight"},
        {"opt", "layers.1.fc1.weight", "decoder.layers.1.fc1.weight"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char wanted[160];
        size_t k = 0;
        while (k < N_TWINS && strcmp(twin_models[k].spec.architecture, rows[i].arch) != 0)
            k++;
        assert_true(k < N_TWINS);
        write_without(&twin_models[k], rows[i].part);
        snprintf(wanted, sizeof wanted, "tensor '%s' is missing; expected it in a %s", rows[i].missing,
                 rows[i].arch);
        expect_refused(wanted, "model of 2 layers");
    }
}

/* Weights that other programs quantised, by the tensors that stand instead of one. */
static void test_quantised_names(void **state) {
    (void)state;
    static const struct {
        const char *name, *message;
    } rows[] = {
        {"model.layers.0.mlp.up_proj.qweight",
         "(weights quantised by GPTQ or AWQ are not supported) and lacks"},
        {"model.layers.0.mlp.up_proj.qzeros",
         "(weights quantised by GPTQ or AWQ are not supported) and lacks"},
        {"model.layers.0.mlp.up_proj.scales", "(weights quantised by MLX are not supported) and lacks"},
        {"model.layers.0.mlp.up_proj.weight.absmax",
         "(weights quantised by bitsandbytes are not supported) and"},
        {"model.layers.0.mlp.up_proj.weight_scale_inv", "(weights in FP8 are not supported) and lacks"},
    };
    const dun_spec spec = twin_spec(&twin_models[0]);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        twin_made *made = malloc(sizeof *made);
        size_t k = 0;
        assert_non_null(made);
        twin_write_folder(&twin_models[0], false);
        twin_make(made, twin_models[0].hf, &spec);
        while (strcmp(made->tensors[k].name, "model.layers.0.mlp.up_proj.weight") != 0)
            k++;
        snprintf(made->tensors[k].name, sizeof made->tensors[k].name, "%s", rows[i].name);
        twin_write_shard("model.safetensors", made, 0, made->n);
        expect_refused(rows[i].message, "'model.layers.0.mlp.up_proj.weight'; expected F32, F16 or BF16");
        twin_free(made);
        free(made);
    }
}

/* A head that is stored is used, also where the config says that it is tied, and in another file than the
 * table. */
static void test_stored_head(void **state) {
    (void)state;
    twin_model m = twin_models[0];
    const dun_spec spec = twin_spec(&m);
    char config[256];
    twin_made *made = malloc(sizeof *made);
    assert_non_null(made);
    assert_false(spec.tied_head);
    snprintf(config, sizeof config, "%s,\"tie_word_embeddings\":true", m.config);
    m.config = config;
    twin_write_folder(&m, false);
    expect_model(TWIN_FOLDER, &m, "folder that says tied");
    twin_write_folder(&m, true);
    twin_make(made, m.hf, &spec);
    twin_write_shard("part-1.safetensors", made, 0, 1); /* the table alone */
    twin_write_shard("part-2.safetensors", made, 1, made->n);
    twin_write_index(made, 1);
    expect_model(TWIN_FOLDER, &m, "folder with its head in the second file");
    twin_free(made);
    free(made);
}

/* Types that safetensors may have are named, with one to ask for. */
static void test_types(void **state) {
    (void)state;
    static const struct {
        const char *type, *message;
        unsigned bytes;
    } rows[] = {
        {"F64", "has type F64; expected F32, F16 or BF16: take the same model in F32", 8},
        {"I8", "has type I8; expected F32, F16 or BF16", 1},
        {"F8_E4M3", "has type F8_E4M3; expected F32, F16 or BF16: take the same model in BF16", 1},
        {"F8_E5M2FNUZ", "has type F8_E5M2FNUZ; expected F32", 1},
        {"U32", "has type U32; expected F32", 4},
        {"BOOL", "has type BOOL; expected F32", 1},
        {"F4_NEW", "has the type F4_NEW, which is not known", 4},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char header[256];
        const size_t bytes = (size_t)13 * 24 * rows[i].bytes;
        snprintf(
            header, sizeof header,
            "{\"model.embed_tokens.weight\":{\"dtype\":\"%s\",\"shape\":[13,24],\"data_offsets\":[0,%zu]}}",
            rows[i].type, bytes);
        twin_write_folder(&twin_models[0], false);
        twin_write_tensors("model.safetensors", header, bytes);
        expect_refused(rows[i].message, "model.safetensors: tensor 'model.embed_tokens.weight'");
    }
}

static void hear(void *self, const char *message) {
    *(unsigned *)self +=
        strstr(message, "model.safetensors, which is read, and model.safetensors.index") != NULL;
}

/* transformers takes model.safetensors where there is an index too. */
static void test_single_first(void **state) {
    (void)state;
    static const struct {
        const char *index;
        unsigned warnings;
    } rows[] = {
        {NULL, 0},
        {"{\"weight_map\":{\"model.norm.weight\":\"model.safetensors\"}}", 0}, /* of this file */
        {"{\"weight_map\":{\"model.norm.weight\":\"gone-1.safetensors\"}}", 1},
        {"{", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned warnings = 0;
        twin_write_folder(&twin_models[0], false);
        if (rows[i].index)
            twin_write_text("model.safetensors.index.json", rows[i].index);
        dun_warn_listen(hear, &warnings);
        expect_model(TWIN_FOLDER, &twin_models[0], "folder with an index beside");
        dun_warn_ignore(&warnings);
        assert_int_equal(warnings, rows[i].warnings);
    }
    twin_remove_file("model.safetensors.index.json");
}

static void test_no_memory(void **state) {
    (void)state;
    size_t live = dun_mem_live();
    unsigned long n = 1;
    twin_write_folder(&twin_models[6], true);
    for (int rc = DUN_FAILED; rc < 0; n++) {
        dun_model_file *model = NULL;
        dun_fault_set(n);
        rc = dun_model_file_open(&model, TWIN_FOLDER, DUN_MODEL_WEIGHTS);
        dun_fault_set(0);
        assert_true(rc == DUN_OK || rc == DUN_FAILED);
        dun_model_file_free(model);
        assert_int_equal(dun_mem_live(), live);
    }
    assert_true(n > 8);
}

/* Last, since nothing undoes it: whoever wants this process to stop need not wait for a model. */
static void test_interrupted(void **state) {
    (void)state;
    dun_model_file *model = NULL;
    twin_write_folder(&twin_models[0], false);
    dun_interrupt();
    assert_int_equal(dun_model_file_open(&model, TWIN_FOLDER, DUN_MODEL_SPEC), DUN_OK);
    dun_model_file_free(model);
    model = NULL;
    assert_int_equal(dun_model_file_open(&model, TWIN_FOLDER, DUN_MODEL_WEIGHTS), DUN_INTERRUPTED);
    assert_non_null(strstr(dun_error_message(), "interrupted while " TWIN_FOLDER));
    assert_null(model);
}

static int remove_all(void **state) {
    (void)state;
    twin_remove();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_twins),         cmocka_unit_test(test_wrong_indices),
        cmocka_unit_test(test_missing_names), cmocka_unit_test(test_types),
        cmocka_unit_test(test_single_first),  cmocka_unit_test(test_quantised_names),
        cmocka_unit_test(test_stored_head),   cmocka_unit_test(test_wrong_weights),
        cmocka_unit_test(test_no_memory),     cmocka_unit_test(test_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, remove_all);
}
