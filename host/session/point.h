/* Which of the model's blocks a config's points are made of. */
#ifndef DUN_SESSION_POINT_H
#define DUN_SESSION_POINT_H

#include "config/config.h"
#include "nn/graph.h"

/* What model.point, layer and layers say of a model; its `mean` is the caller's. DUN_USAGE: it has no such
 * blocks, or model.layers is no list of some. */
int dun_point_of(dun_point_spec *out, const dun_config *config, const dun_spec *spec);

#endif
