/* Ollama's store of models. */
#ifndef DUN_MODEL_OLLAMA_H
#define DUN_MODEL_OLLAMA_H

#include <stdbool.h>

/* Whether a path is that of a manifest, .../manifests/HOST/NAMESPACE/NAME/TAG. */
bool dun_ollama_is_manifest(const char *path);

/* The model that a manifest names: newly allocated path of the blob, which may be missing. DUN_BAD_INPUT: the
 * file is no manifest, or names no model. */
int dun_ollama_blob(char **out, const char *manifest);

#endif
