/* What a dunlin_config is. */
#ifndef DUN_API_CONFIG_H
#define DUN_API_CONFIG_H

#include "api/api.h"
#include "config/config.h"

struct dunlin_config {
    dun_handle handle;
    dun_config config;
};

/* A copy for a call, its files found and its keys checked; for dun_config_free whatever is returned. */
int dun_api_config_copy(dun_config *out, const dunlin_config *config);

#endif
