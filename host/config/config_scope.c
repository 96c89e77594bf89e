/* What two configs can share. */
#include "config/config.h"

#include "base/err.h"

#include <string.h>

int dun_config_scope_between(enum dun_scope *scope, const dun_config *a, const dun_config *b) {
    int rc = DUN_OK;
    dun_str x = {0}, y = {0};
    const bool template = a->prompt.template[0] || b->prompt.template[0];
    const bool split = a->data.valid_share > 0 || b->data.valid_share > 0;
    *scope = DUN_SCOPE_RUN;
    for (int id = 0; id < DUN_N_KEYS; id++) {
        const dun_config_key *key = &dun_config_key_table[id];
        enum dun_scope touched = template && (key->traits & DUN_TRAIT_ROWS) ? DUN_SCOPE_MODEL : key->scope;
        if (split && id == DUN_KEY_experiment_seed)
            touched = DUN_SCOPE_DATA;
        if (touched <= *scope)
            continue;
        dun_str_clear(&x);
        dun_str_clear(&y);
        TRY(dun_config_get(&x, a, (enum dun_config_id)id));
        TRY(dun_config_get(&y, b, (enum dun_config_id)id));
        if (x.length != y.length || (x.length && memcmp(x.bytes, y.bytes, x.length) != 0))
            *scope = touched;
    }
out:
    dun_str_free(&x);
    dun_str_free(&y);
    return rc;
}
