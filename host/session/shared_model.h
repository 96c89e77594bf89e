/* A model's weights on a device, once for all sessions of the process that can use the same: counted, in
 * whatever threads they are. They go with the last of them. */
#ifndef DUN_SHARED_MODEL_H
#define DUN_SHARED_MODEL_H

#include "io/model_file.h"
#include "nn/engine.h"

typedef struct dun_shared_model dun_shared_model;

/* Weights that somebody is about to take, as far as it is known before a device is opened. */
typedef struct {
    uint64_t fingerprint; /* of the model */
    dun_point_spec point;
    bool backward;
    const char *gemm; /* "auto": any */
    const char *precision;
} dun_shared_want;

/* Whether such weights lie on a device, or are being loaded; those that were cut for other tiles count,
 * though they are of no use. */
bool dun_shared_model_is_there(const dun_device_info *info, const dun_shared_want *want,
                               enum dun_weight_form form);

/* Takes a part in weights of the model on compute's device that were laid out by the same products and tiles
 * and have what the options need, or loads them with `compute`; who wants those that are being loaded waits.
 * `out` is for dun_shared_model_give_back in any case. Errors as dun_model_create has them. */
int dun_shared_model_take(dun_shared_model **out, const dun_compute *compute, dun_model_file *file,
                          const dun_engine_options *options);

/* For dun_engine_options.loaded; valid until it is given back. */
const dun_model *dun_shared_model_weights(const dun_shared_model *shared);

/* After the engine on it was freed. NULL is fine. */
void dun_shared_model_give_back(dun_shared_model *shared);

#endif
