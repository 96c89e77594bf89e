/* Private to host/nn: what engine.c needs of kvcache.c. */
#ifndef DUN_ENGINE_INSIDE_H
#define DUN_ENGINE_INSIDE_H

#include "nn/engine.h"

void dun_engine_free_cache(dun_engine *engine);

#endif
