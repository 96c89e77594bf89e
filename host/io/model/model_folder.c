/* The table of what folders hold instead of a model in Hugging Face's form, and what to do about it. */
#include "io/model/model_folder.h"

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"

#include <string.h>
#include <unistd.h>

static const char adapter_name[] = "adapter_config.json";

#define SAVED "; expected model.safetensors beside config.json (transformers: save_pretrained writes it)"
static const struct {
    const char *file, *what, *end;
} kinds[] = {
    {adapter_name, NULL, ".safetensors"}, /* says itself what it is */
    {"pytorch_model.bin", "pickled weights, which are not read" SAVED, ".bin"},
    {"pytorch_model.bin.index.json", "pickled weights, which are not read" SAVED, ".bin"},
    {"consolidated.safetensors", "weights in Mistral's own form" SAVED, ".safetensors"},
    {"consolidated.00.pth", "pickled weights in Meta's own form, which are not read" SAVED, ".pth"},
    {"tf_model.h5", "weights of TensorFlow, which are not read" SAVED, ".h5"},
    {"flax_model.msgpack", "weights of Flax, which are not read" SAVED, ".msgpack"},
};

/* What helps who has an adapter of PEFT, by its peft_type; the last row is for all others. */
static const struct {
    const char *type, *help;
} adapters[] = {
    {"PROMPT_TUNING", "that model; its prompt is read with prompt.init = file, prompt.file = FOLDER"},
    {"PREFIX_TUNING", "that model alone"},
    {"P_TUNING", "that model alone"},
    {"", "that model, or both made one (peft: merge_and_unload, then save_pretrained)"},
};
enum { N_ADAPTERS = sizeof adapters / sizeof *adapters };

bool dun_model_folder_has(const char *folder, const char *name) {
    dun_str path = {0};
    const bool there = dun_str_addf(&path, "%s/%s", folder, name) == DUN_OK && access(path.bytes, F_OK) == 0;
    dun_str_free(&path);
    return there;
}

bool dun_model_folder_is(const char *folder) {
    return dun_model_folder_has(folder, "config.json") &&
           (dun_model_folder_has(folder, "model.safetensors") ||
            dun_model_folder_has(folder, "model.safetensors.index.json"));
}

/* "an adapter of PEFT (LORA) for 'org/name'; expected ...", as far as its config can be read. */
static int describe_adapter(dun_str *out, const char *folder) {
    int rc;
    dun_str path = {0};
    dun_file file = {0};
    json_t *config = NULL;
    TRY(dun_str_addf(&path, "%s/%s", folder, adapter_name));
    if (dun_file_map(&file, path.bytes) < 0 ||
        dun_json_parse(&config, (const char *)file.bytes, file.length, path.bytes, 1) < 0)
        dun_error_clear();
    const char *type = json_string_value(json_object_get(config, "peft_type"));
    const char *base = json_string_value(json_object_get(config, "base_model_name_or_path"));
    size_t i = 0;
    while (i + 1 < N_ADAPTERS && strcmp(type ? type : "", adapters[i].type) != 0)
        i++;
    TRY(dun_str_addf(out, "holds an adapter of PEFT%s%.40s%s, which is no model", type ? " (" : "",
                     type ? type : "", type ? ")" : ""));
    if (base && *base)
        TRY(dun_str_addf(out, ", for '%.200s'", base));
    TRY(dun_str_addf(out, "; expected %s", adapters[i].help));
out:
    json_decref(config);
    dun_file_unmap(&file);
    dun_str_free(&path);
    return rc;
}

int dun_model_folder_other(dun_str *out, const char **end, const char *folder) {
    int rc = DUN_OK;
    const bool model = dun_model_folder_is(folder), config = dun_model_folder_has(folder, "config.json");
    for (size_t i = 0; !model && i < sizeof kinds / sizeof *kinds; i++) {
        if (!dun_model_folder_has(folder, kinds[i].file))
            continue;
        if (!kinds[i].what)
            TRY(describe_adapter(out, folder));
        else if (config)
            TRY(dun_str_addf(out, "holds %s", kinds[i].what));
        else
            continue;
        *end = kinds[i].end;
        break;
    }
out:
    return rc;
}

int dun_model_folder_refuse(const char *folder) {
    int rc;
    dun_str what = {0};
    const char *end;
    TRY(dun_model_folder_other(&what, &end, folder));
    if (!what.length)
        TRY(dun_str_addf(&what,
                         "holds neither model.safetensors nor model.safetensors.index.json; expected one "
                         "of them beside config.json"));
    TRY(dun_error(DUN_BAD_INPUT, "%s: %s", folder, what.bytes));
out:
    dun_str_free(&what);
    return rc;
}

int dun_hub_repository(dun_str *out, const char *path) {
    static const char begin[] = "models--";
    int rc = DUN_OK;
    for (const char *part = path; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, begin, strlen(begin)) != 0)
            continue;
        const size_t length = strcspn(part, "/");
        if (part[length] && strncmp(part + length, "/snapshots", 10) != 0)
            continue;
        const char *name = part + strlen(begin), *end = part + length, *dash = strstr(name, "--");
        if (dash && dash < end)
            rc = dun_str_addf(out, "%.*s/%.*s", (int)(dash - name), name, (int)(end - dash - 2), dash + 2);
        else
            rc = dun_str_addf(out, "%.*s", (int)(end - name), name);
        break;
    }
    return rc;
}
