/* From a path that people give to the file or folder that a model is: other programs' folders, caches and
 * manifests. */
#ifndef DUN_MODEL_RESOLVE_H
#define DUN_MODEL_RESOLVE_H

/* *out, newly allocated: of a repository in Hugging Face's cache (models--ORG--NAME) its snapshot; of an
 * Ollama manifest its blob; of a folder with one GGUF model that file; of a file beside a config.json
 * (weights, an index, the config itself) the folder; else the path. Where a folder holds both forms,
 * safetensors with config.json come first, with a warning. DUN_BAD_INPUT: a folder without a model or with
 * several, a blob or snapshot that is not there. */
int dun_model_resolve(char **out, const char *path);

#endif
