/* Ollama's store of models: manifests/HOST/NAMESPACE/NAME/TAG, JSON, names by its digest the blob that is the
 * model. */
#include "io/model/model_ollama.h"

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

#include <string.h>

static const char model_layer[] = "application/vnd.ollama.image.model", digest_form[] = "sha256:";

bool dun_ollama_is_manifest(const char *path) {
    const char *below = strstr(path, "/manifests/");
    unsigned folders = 0;
    for (below = below ? below + strlen("/manifests/") : ""; *below; below++)
        folders += *below == '/';
    return folders == 3;
}

/* The digest of the manifest's model; NULL with the error recorded. */
static const char *find_digest(const json_t *manifest, const char *path) {
    const json_t *layers = json_object_get(manifest, "layers");
    for (size_t i = 0; i < json_array_size(layers); i++) {
        const json_t *layer = json_array_get(layers, i);
        const char *type = json_string_value(json_object_get(layer, "mediaType"));
        const char *digest = json_string_value(json_object_get(layer, "digest"));
        if (!type || strcmp(type, model_layer) != 0)
            continue;
        const size_t begin = strlen(digest_form);
        if (digest && strncmp(digest, digest_form, begin) == 0 && digest[begin] &&
            digest[begin + strspn(digest + begin, "0123456789abcdef")] == '\0')
            return digest + begin;
        (void)dun_error(DUN_BAD_INPUT, "%s: the model's digest is '%s'; expected sha256: and a number in hex",
                        path, digest ? digest : "");
        return NULL;
    }
    (void)dun_error(DUN_BAD_INPUT, "%s: an Ollama manifest without a model; expected a layer of type %s",
                    path, model_layer);
    return NULL;
}

int dun_ollama_blob(char **out, const char *manifest) {
    int rc;
    json_t *json = NULL;
    dun_str path = {0};
    const char *below = strstr(manifest, "/manifests/"), *digest;
    TRY(dun_json_read(&json, manifest));
    digest = find_digest(json, manifest);
    if (!digest) {
        rc = DUN_BAD_INPUT;
        goto out;
    }
    TRY(dun_str_addf(&path, "%.*s/blobs/sha256-%s", (int)(below ? below - manifest : 0), manifest, digest));
    TRY_PTR(*out, dun_strdup(path.bytes));
out:
    dun_str_free(&path);
    json_decref(json);
    return rc;
}
