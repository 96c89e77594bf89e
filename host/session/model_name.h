/* From what a user calls a model to its place on this computer. */
#ifndef DUN_MODEL_NAME_H
#define DUN_MODEL_NAME_H

#include "config/config.h"
#include "io/model/model_places.h"

/* The models of this computer, those in dunlin's own folders among them. */
int dun_model_names_list(dun_model_entries *out);

/* A newly allocated path: a file or folder that exists, as paths are looked for (config/paths.h), else the
 * place of the model that has this name (io/model/model_places.h), which is told where only a part of it was
 * given; else a copy of `name`. DUN_USAGE: several models fit. */
int dun_model_name_find(char **path, const char *name);

/* Puts the place in the stead of a name in model.path. DUN_USAGE: several models fit. DUN_BAD_INPUT: there is
 * none; the message says where it was looked for and how to get one. */
int dun_model_name_settle(dun_config *config);

#endif
