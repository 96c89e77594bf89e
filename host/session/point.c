/* Reads model.layer, or the list of model.layers. */
#include "session/point.h"

#include "base/err.h"

#include <ctype.h>
#include <string.h>

/* "24" up to the next '+' or the end: the number, 0 where it is none; *at moves behind it. */
static uint32_t read_block(const char **at) {
    uint32_t block = 0;
    const char *digit = *at;
    while (isdigit((unsigned char)*digit) && block < 100000)
        block = 10 * block + (uint32_t)(*digit++ - '0');
    *at = digit;
    return *digit == '+' || *digit == '\0' ? block : 0;
}

/* 18+24+last. Blocks but the last one read stand before it in a point. */
static bool read_list(dun_point_spec *out, const char *list, const dun_spec *spec) {
    const char *at = list;
    uint32_t before = 0, n = 0;
    for (;;) {
        out->final_norm = strcmp(at, "last") == 0;
        const uint32_t block = out->final_norm ? spec->n_layers : read_block(&at);
        if (block > spec->n_layers || block < before + !out->final_norm)
            return false;
        out->n_blocks = before = block;
        if (out->final_norm || *at == '\0')
            break;
        if (n == DUN_MAX_EARLIER)
            return false;
        out->earlier[n++] = block;
        at++;
    }
    out->n_earlier = n;
    return true;
}

int dun_point_of(dun_point_spec *out, const dun_config *config, const dun_spec *spec) {
    const bool last = config->model.layer == DUN_CONFIG_UNSET;
    const uint32_t L = spec->n_layers;
    *out = (dun_point_spec){.n_blocks = last ? L : (uint32_t)config->model.layer,
                            .final_norm = last,
                            .logits = config->model.point == DUN_POINT_LOGITS};
    if (out->n_blocks > L)
        return dun_error(
            DUN_USAGE, "%s: model.layer = %lld, but the model has %u layers; 1 to %u or last is possible",
            dun_config_origin(config, DUN_KEY_model_layer), (long long)config->model.layer, L, L);
    if (*config->model.layers && !read_list(out, config->model.layers, spec))
        return dun_error(
            DUN_USAGE,
            "%s: model.layers = %s, but the model has %u layers; at most %d numbers from 1 to %u "
            "that ascend, with + between them, and perhaps last behind them are possible",
            dun_config_origin(config, DUN_KEY_model_layers), config->model.layers, L, DUN_MAX_EARLIER + 1, L);
    return DUN_OK;
}
