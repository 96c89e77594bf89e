/* What lies in a folder that people take for a model: one in Hugging Face's form, or something near it. */
#ifndef DUN_MODEL_FOLDER_H
#define DUN_MODEL_FOLDER_H

#include "base/str.h"

/* Whether the folder holds a file or folder of that name. */
bool dun_model_folder_has(const char *folder, const char *name);

/* Whether it holds config.json, and safetensors in one file or with an index. */
bool dun_model_folder_is(const char *folder);

/* Appends "holds ...; expected ..." where it is no such model, but something known: an adapter, weights in
 * another form. *end is then what names of the files with the weights end with. Nothing otherwise. */
int dun_model_folder_other(dun_str *out, const char **end, const char *folder);

/* DUN_BAD_INPUT: the folder is no such model; what it is instead. */
int dun_model_folder_refuse(const char *folder);

/* Appends ORG/NAME of the repository whose folder in Hugging Face's cache a path is or lies in,
 * models--ORG--NAME/snapshots/...; nothing of other paths. */
int dun_hub_repository(dun_str *out, const char *path);

#endif
