/* config.json of a Hugging Face folder as a model: its row of archs.def, and how its fields, in all
 * spellings, become a spec. */
#ifndef DUN_SPEC_HF_H
#define DUN_SPEC_HF_H

#include "io/model/weights.h"

#include <jansson.h>

/* Fills arch and spec of `out`, whose list is there already (it decides which optional weights a model has),
 * from a parsed config.json; `file` is used in messages. DUN_BAD_INPUT names the key, the value and what
 * would be right; a kind of model that is not followed with what comes near; weights that are quantised with
 * the method. */
int dun_spec_hf(dun_weights_from *out, const json_t *config, const char *file);

/* What the config calls the kind of model, for people: model_type, else the first of the architectures; ""
 * where it does not. */
const char *dun_spec_hf_kind(const json_t *config);

#endif
