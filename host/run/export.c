/* Writes a run as PEFT's folder or as arrays for NumPy, with what a user must know beside it. */
#define _XOPEN_SOURCE 700 /* realpath */
#include "run/export.h"

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "io/npz.h"
#include "io/store/safetensors.h"
#include "run/folder.h"
#include "run/rundir.h"
#include "session/embedding.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char settings_file[] = "dunlin.json", tensors_file[] = "dunlin.safetensors";

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* What a user of the prompt must know and PEFT does not do. */
static const char *note_of(const dun_config *config) {
    if (*config->prompt.template)
        return "The prompt stands where {soft} is in prompt.template, among its words and the text. PEFT would "
               "put it before the text, which gives other points.";
    if (config->prompt.placement == DUN_PLACEMENT_PREFIX)
        return "The prompt stands before the text, as PEFT puts it. The point of a text is the model's output "
               "at the last position.";
    return "The prompt stands AFTER the text: its row j at position n + j of a text of n tokens. PEFT puts it "
           "before the text, which gives other points.";
}

/* {"prompt.template": "...", ...}: the keys that a text's point or its answer depends on. */
static int make_settings(json_t *settings, const dun_config *config) {
    int rc = DUN_OK;
    dun_str name = {0}, value = {0};
    for (int id = 0; id < DUN_N_KEYS; id++) {
        const dun_config_key *key = &dun_config_key_table[id];
        if (!(key->traits & (DUN_TRAIT_POINT | DUN_TRAIT_ANSWER)))
            continue;
        dun_str_clear(&name);
        dun_str_clear(&value);
        TRY(dun_str_addf(&name, "%s.%s", key->section, key->name));
        TRY(dun_config_get(&value, config, (enum dun_config_id)id));
        TRY(dun_json_set(settings, name.bytes, json_stringn(value.bytes ? value.bytes : "", value.length)));
    }
out:
    dun_str_free(&name);
    dun_str_free(&value);
    return rc;
}

static int add_fixed_rows(json_t *layout, const char *name, const dun_fixed_rows *rows) {
    int rc = DUN_OK;
    json_t *ids = json_array();
    for (uint32_t i = 0; i < rows->n; i++)
        TRY(dun_json_append(ids, json_integer(rows->ids[i])));
    TRY(dun_json_set(layout, name, json_incref(ids)));
out:
    json_decref(ids);
    return rc;
}

/* What is run for a text: the rows of `head`, the tokens of `begin`, those of before + text + after, the rows
 * of `tail`. Rows are token ids, or -1 - p for row p of the prompt. */
static int make_layout(json_t *layout, const dun_session *session) {
    int rc = DUN_OK;
    const dun_texts *texts = &session->texts;
    dun_tokens begin = {0};
    json_t *ids = json_array();
    if (!texts->inside)
        TRY(dun_tokenizer_encode(&begin, session->tokenizer, "", 0));
    for (size_t i = 0; i < begin.n; i++)
        TRY(dun_json_append(ids, json_integer((json_int_t)begin.ids[i])));
    TRY(add_fixed_rows(layout, "head", &session->template.head));
    TRY(dun_json_set(layout, "begin", json_incref(ids)));
    TRY(dun_json_set(layout, "before", json_string(texts->before ? texts->before : "")));
    TRY(dun_json_set(layout, "after", json_string(texts->after ? texts->after : "")));
    TRY(add_fixed_rows(layout, "tail", &session->template.tail));
out:
    json_decref(ids);
    dun_tokens_free(&begin);
    return rc;
}

/* The content of dunlin.json. */
static int describe(json_t *out, const dun_session *session, const dun_saved_prompt *saved) {
    int rc = DUN_OK;
    json_t *layout = json_object();
    json_t *settings = json_object(), *classes = json_array(), *model = json_object();
    char hash[24];
    snprintf(hash, sizeof hash, "%016" PRIx64, saved->model_hash);
    TRY(dun_json_set(out, "note", json_string(note_of(session->config))));
    TRY(dun_json_set(out, "version", json_string(DUN_VERSION)));
    TRY(dun_json_set(out, "tensors", json_string(tensors_file)));
    for (uint32_t k = 0; k < saved->n_classes; k++)
        TRY(dun_json_append(classes, json_string(saved->class_names[k])));
    TRY(dun_json_set(out, "classes", json_incref(classes)));
    TRY(make_layout(layout, session));
    TRY(dun_json_set(out, "layout", json_incref(layout)));
    TRY(make_settings(settings, session->config));
    TRY(dun_json_set(out, "settings", json_incref(settings)));
    if (saved->calibration > 0)
        TRY(dun_json_set(out, "calibration_temperature", dun_json_real(saved->calibration)));
    TRY(dun_json_set(model, "file", json_string(base_name(dun_model_file_path(session->model)))));
    TRY(dun_json_set(model, "name", json_string(dun_model_file_spec(session->model)->name)));
    TRY(dun_json_set(model, "hash", json_string(hash)));
    TRY(dun_json_set(out, "model", json_incref(model)));
out:
    json_decref(layout);
    json_decref(model);
    json_decref(classes);
    json_decref(settings);
    return rc;
}

/* What transformers finds the model by: its repository on the hub, else the folder; of a file that says no
 * repository the file's name, which it does not find (*found is then false). */
static int name_base(dun_str *out, bool *found, const dun_session *session) {
    int rc;
    const char *path = dun_model_file_path(session->model);
    dun_model_facts facts;
    char *real = NULL;
    TRY(dun_model_file_facts(&facts, session->model));
    *found = *facts.repository || dun_dir_exists(path);
    real = realpath(path, NULL);
    TRY(dun_str_addf(out, "%s",
                     *facts.repository ? facts.repository
                     : !*found         ? base_name(path)
                     : real            ? real
                                       : path));
out:
    free(real);
    return rc;
}

/* What PEFT itself saves of a trained prompt, and a key of our own. */
static int describe_to_peft(json_t *out, const dun_session *session, const dun_saved_prompt *saved,
                            const char *base) {
    int rc = DUN_OK;
    const dun_spec *spec = dun_model_file_spec(session->model);
    json_t *own = json_object();
    const struct {
        const char *key;
        uint32_t value;
    } numbers[] = {
        {"num_virtual_tokens", saved->n_rows}, {"token_dim", saved->width},
        {"num_transformer_submodules", 1},     {"num_attention_heads", spec->n_heads},
        {"num_layers", spec->n_layers},
    };
    TRY(dun_json_set(out, "peft_type", json_string("PROMPT_TUNING")));
    TRY(dun_json_set(out, "task_type", json_string("CAUSAL_LM")));
    TRY(dun_json_set(out, "base_model_name_or_path", json_string(base)));
    TRY(dun_json_set(out, "inference_mode", json_true()));
    TRY(dun_json_set(out, "prompt_tuning_init", json_string("RANDOM")));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        TRY(dun_json_set(out, numbers[i].key, json_integer((json_int_t)numbers[i].value)));
    TRY(dun_json_set(own, "note", json_string(note_of(session->config))));
    TRY(dun_json_set(own, "settings", json_string(settings_file)));
    TRY(dun_json_set(out, "dunlin", json_incref(own)));
out:
    json_decref(own);
    return rc;
}

static int write_json(const char *folder, const char *name, const json_t *value) {
    int rc = DUN_OK;
    char *path = NULL;
    dun_str text = {0};
    TRY(dun_json_dump(&text, value));
    TRY(dun_str_add(&text, "\n", 1));
    TRY_PTR(path, dun_run_dir_file(folder, name));
    TRY(dun_file_write(path, text.bytes, text.length));
out:
    dun_str_free(&text);
    dun_free(path);
    return rc;
}

static int write_tensors(const char *folder, const char *name, const dun_tensor *tensors, size_t n) {
    int rc = DUN_OK;
    char *path = NULL;
    json_t *metadata = json_object();
    TRY(dun_json_set(metadata, "format", json_string("pt")));
    TRY_PTR(path, dun_run_dir_file(folder, name));
    TRY(dun_safetensors_write(path, tensors, n, metadata));
out:
    json_decref(metadata);
    dun_free(path);
    return rc;
}

static const char peft_config[] = "adapter_config.json", peft_tensors[] = "adapter_model.safetensors";

int dun_export_look(const char *folder) {
    int rc = DUN_OK;
    char *path = NULL;
    TRY_PTR(path, dun_run_dir_file(folder, peft_config));
    if (access(path, F_OK) == 0)
        TRY(dun_error(DUN_FAILED, "%s: holds an export already, which is never overwritten", folder));
    TRY(dun_folder_look(folder));
out:
    dun_free(path);
    return rc;
}

/* What is there is not whole, and in the way of the next try. */
static void take_away(const char *folder) {
    const char *const names[] = {settings_file, tensors_file, peft_tensors, peft_config};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = dun_run_dir_file(folder, names[i]);
        if (path)
            (void)unlink(path);
        dun_free(path);
    }
}

/* Tensors that answers need beside the prompt: what is compared with, and what points go through. */
enum { MOST_OTHERS = DUN_SAVED_TENSORS + 2 };
static size_t list_others(dun_tensor others[MOST_OTHERS], const dun_saved_prompt *saved,
                          const dun_label_rows *words) {
    size_t n = dun_saved_prompt_tensors(others, saved);
    const uint64_t K = saved->n_classes, D = saved->point_width;
    if (words->rows) { /* the config may leave those of the run out */
        others[n++] = (dun_tensor){"label_rows", DUN_F32, 2, {K, D, 1, 1}, words->rows, K * D * 4};
        others[n++] = (dun_tensor){"label_offsets", DUN_F32, 1, {K, 1, 1, 1}, words->offsets, K * 4};
    }
    return n;
}

static int write_peft(const char *folder, const json_t *own, const json_t *peft, float scale,
                      const dun_saved_prompt *saved, const dun_label_rows *words) {
    int rc = DUN_OK;
    uint64_t P = saved->n_rows, C = saved->width;
    float *rows = NULL;
    dun_tensor prompt = {"prompt_embeddings", DUN_F32, 2, {P, C, 1, 1}, NULL, P * C * 4};
    dun_tensor others[MOST_OTHERS];
    const size_t n_others = list_others(others, saved, words);
    TRY_NEW(rows, P * C);
    for (size_t i = 0; i < P * C; i++)
        rows[i] = saved->rows[i] / scale;
    prompt.data = rows;
    TRY(write_json(folder, settings_file, own));
    TRY(write_tensors(folder, tensors_file, others, n_others));
    TRY(write_tensors(folder, peft_tensors, &prompt, 1));
    TRY(write_json(folder, peft_config, peft));
out:
    if (rc < 0)
        take_away(folder);
    dun_free(rows);
    return rc;
}

/* The claim leaves no mark: the folder is for other programs. */
int dun_export_peft(const char *folder, const dun_session *session, const dun_saved_prompt *saved) {
    int rc = DUN_OK;
    static const char *const none = NULL;
    dun_claim *claim = NULL;
    json_t *own = json_object(), *peft = json_object();
    dun_str base = {0};
    bool found = false;
    if (saved->n_prompts > 1)
        TRY(dun_error(
            DUN_USAGE,
            "%s: an adapter of PEFT has one prompt, and the run has %u; --format npz takes them all", folder,
            saved->n_prompts));
    TRY(describe(own, session, saved));
    TRY(name_base(&base, &found, session));
    TRY(describe_to_peft(peft, session, saved, base.bytes));
    TRY(dun_export_look(folder));
    TRY(dun_folder_claim(&claim, folder));
    TRY(write_peft(folder, own, peft, dun_embedding_peft_scale(dun_model_file_spec(session->model)), saved,
                   &session->label_words));
    dun_warn("%s: %s (dunlin.json holds what else belongs to the prompt)", folder, note_of(session->config));
    dun_warn("%s/%s: base_model_name_or_path is '%s'%s", folder, peft_config, base.bytes,
             found
                 ? ""
                 : ", which PEFT does not find; put there what the file was made of (ORG/NAME, or a folder)");
out:
    dun_str_free(&base);
    if (rc < 0)
        dun_claim_withdraw(claim, &none);
    else
        dun_claim_undo(claim);
    json_decref(peft);
    json_decref(own);
    return rc;
}

int dun_export_npz(const char *path, const dun_session *session, const dun_saved_prompt *saved) {
    int rc = DUN_OK;
    json_t *own = json_object();
    dun_str settings = {0};
    char *names = NULL, *text = NULL, names_descr[24], text_descr[24];
    dun_tensor tensors[MOST_OTHERS];
    const size_t n_tensors = list_others(tensors, saved, &session->label_words);
    size_t n = 4;
    dun_array arrays[3 + MOST_OTHERS] = {
        {"prompt_embeddings", "<f4", 4, 2, {saved->n_rows, saved->width}, saved->rows},
        {.name = "centroids"}, /* the first of the tensors */
        {.name = "classes"},
        {.name = "settings"},
    };
    for (size_t i = 0; i < n_tensors; i++) {
        const dun_tensor *t = &tensors[i];
        arrays[i == 0 ? 1 : n++] =
            (dun_array){t->name, "<f4", 4, t->n_dims, {t->dims[0], t->dims[1]}, t->data};
    }
    if (saved->n_prompts > 1) {
        arrays[0].n_dims = 3;
        memcpy(arrays[0].dims, (const uint64_t[]){saved->n_prompts, saved->n_rows, saved->width},
               sizeof arrays[0].dims);
    }
    TRY(describe(own, session, saved));
    TRY(dun_json_dump(&settings, own));
    TRY(dun_npz_strings(&arrays[2], names_descr, &names, saved->class_names, saved->n_classes));
    TRY(dun_npz_strings(&arrays[3], text_descr, &text, &settings.bytes, 1));
    TRY(dun_npz_write(path, arrays, n));
out:
    dun_free(text);
    dun_free(names);
    dun_str_free(&settings);
    json_decref(own);
    return rc;
}

int dun_points_write(const char *path, const float *points, const int64_t *labels, uint64_t n, uint64_t D) {
    const size_t n_arrays = labels ? 2 : 1;
    const dun_array arrays[] = {
        {"points", "<f4", sizeof *points, 2, {n, D}, points},
        {"labels", "<i8", sizeof *labels, 1, {n, 1}, labels},
    };
    const dun_tensor tensors[] = {
        {"points", DUN_F32, 2, {n, D, 1, 1}, points, n * D * sizeof *points},
        {"labels", DUN_I64, 1, {n, 1, 1, 1}, labels, n * sizeof *labels},
    };
    if (dun_text_ends_with(path, ".npy"))
        return dun_npy_write(path, &arrays[0]);
    return dun_text_ends_with(path, ".npz") ? dun_npz_write(path, arrays, n_arrays)
                                            : dun_safetensors_write(path, tensors, n_arrays, NULL);
}
