/* How the folders of each program that keeps models are laid out. Each function appends what it finds to
 * `out`, in the order of names; a folder that is not there holds nothing, one that is laid out otherwise
 * nothing that is known. */
#ifndef DUN_MODEL_WALK_H
#define DUN_MODEL_WALK_H

#include "base/str.h"
#include "io/model/model_places.h"

/* GGUF files, the first of files in several parts, and Hugging Face folders (config.json), some folders deep,
 * by their paths below `folder`; also `folder` itself, by its own name. Folders with what people take for a
 * model (adapters, pickled weights) have a fault. */
int dun_walk_folder(dun_model_entries *out, const char *folder);

/* The GGUF files of the folder itself alone. */
int dun_walk_files(dun_model_entries *out, const char *folder);

/* Hugging Face's cache: models--ORG--NAME/snapshots/COMMIT, the commit that refs/main names, else the last by
 * name. */
int dun_walk_hub(dun_model_entries *out, const char *folder);

/* Appends the folder of a repository's files in that cache, models--ORG--NAME: its snapshot of the branch
 * main, else the last by name; nothing where there is none. */
int dun_hub_snapshot(dun_str *out, const char *repository);

/* Ollama: manifests/HOST/NAMESPACE/NAME/TAG names, as JSON, the blob that is the model. */
int dun_walk_ollama(dun_model_entries *out, const char *folder);

/* LM Studio: PUBLISHER/NAME/FILE. */
int dun_walk_lmstudio(dun_model_entries *out, const char *folder);

#endif
