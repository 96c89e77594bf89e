/* Configs: keys as text. */
#include "api/config.h"

#include "config/paths.h"

#include <string.h>

dunlin_status dunlin_config_new(dunlin_config **config) {
    int rc = DUN_OK;
    dunlin_config *made = NULL;
    dun_api_begin();
    TRY(dun_api_need(config, "config"));
    *config = NULL;
    TRY_NEW(made, 1);
    rc = dun_config_init(&made->config);
    if (rc >= 0)
        rc = dun_handle_begin(&made->handle, DUN_HANDLE_CONFIG);
    if (rc < 0) {
        dun_config_free(&made->config);
        dun_free(made);
        goto out;
    }
    dun_handle_leave(&made->handle);
    *config = made;
out:
    return dun_api_end(rc);
}

dunlin_status dunlin_config_read(dunlin_config *config, const char *path) {
    int rc = DUN_OK;
    char *found = NULL;
    dun_api_begin();
    TRY(dun_api_need(path, "path"));
    TRY(dun_handle_enter(DUN_HANDLE(config), DUN_HANDLE_CONFIG, true, "config"));
    found = dun_path_find(path);
    rc = found ? dun_config_load(&config->config, found) : DUN_FAILED;
    if (rc >= 0)
        rc = dun_paths_resolve(&config->config);
    dun_handle_leave(DUN_HANDLE(config));
out:
    dun_free(found);
    return dun_api_end(rc);
}

dunlin_status dunlin_config_set(dunlin_config *config, const char *key, const char *value) {
    int rc = DUN_OK;
    enum dun_config_id id;
    static const char origin[] = "dunlin_config_set";
    dun_api_begin();
    TRY(dun_api_need(key, "key"));
    TRY(dun_api_need(value, "value"));
    TRY(dun_handle_enter(DUN_HANDLE(config), DUN_HANDLE_CONFIG, true, "config"));
    rc = dun_config_find(&id, key, origin);
    if (rc >= 0)
        rc = dun_config_put(&config->config, id, value, origin);
    dun_handle_leave(DUN_HANDLE(config));
out:
    return dun_api_end(rc);
}

dunlin_status dunlin_config_get(const dunlin_config *config, const char *key, char *buffer, size_t size,
                                size_t *needed) {
    int rc = DUN_OK;
    enum dun_config_id id;
    dun_str text = {0};
    dun_api_begin();
    TRY(dun_api_need(key, "key"));
    TRY(dun_handle_enter(DUN_HANDLE(config), DUN_HANDLE_CONFIG, false, "config"));
    rc = dun_config_find(&id, key, "dunlin_config_get");
    if (rc >= 0)
        rc = dun_config_get(&text, &config->config, id);
    dun_handle_leave(DUN_HANDLE(config));
    TRY(rc);
    TRY(dun_api_give(buffer, size, needed, &text, true));
out:
    dun_str_free(&text);
    return dun_api_end(rc);
}

void dunlin_config_free(dunlin_config *config) {
    dun_api_begin();
    if (!config || !dun_handle_end(DUN_HANDLE(config), DUN_HANDLE_CONFIG))
        return;
    dun_config_free(&config->config);
    dun_free(config);
}

int dun_api_config_copy(dun_config *out, const dunlin_config *config) {
    int rc = DUN_OK;
    dun_str value = {0};
    TRY(dun_config_init(out));
    TRY(dun_handle_enter(DUN_HANDLE(config), DUN_HANDLE_CONFIG, false, "config"));
    for (int id = 0; rc >= 0 && id < DUN_N_KEYS; id++) {
        if (!config->config.origins[id])
            continue;
        dun_str_clear(&value);
        rc = dun_config_get(&value, &config->config, (enum dun_config_id)id);
        if (rc >= 0)
            rc = dun_config_put(out, (enum dun_config_id)id, value.length ? value.bytes : "",
                                config->config.origins[id]);
    }
    dun_handle_leave(DUN_HANDLE(config));
    TRY(rc);
    TRY(dun_paths_resolve(out));
    TRY(dun_config_check(out));
out:
    dun_str_free(&value);
    return rc;
}
