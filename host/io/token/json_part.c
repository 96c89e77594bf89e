/* Values of tokenizer.json by key, and messages that name their place. See json_part.h. */
#include "io/token/json_part.h"

#include "base/err.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

int dun_json_refuse(const dun_json_tokenizer *r, const char *where, const char *fault) {
    return dun_error(DUN_BAD_INPUT, "%s: %s %s", r->path, where, fault);
}

int dun_json_refuse_name(const dun_json_tokenizer *r, const char *where, const char *name,
                         const char *known) {
    dun_str shown = {0};
    int rc = dun_utf8_show(&shown, name, strlen(name));
    if (rc == DUN_OK)
        rc = dun_error(DUN_BAD_INPUT, "%s: %s is '%s', which is not followed; followed are %s", r->path,
                       where, shown.bytes, known);
    dun_str_free(&shown);
    return rc;
}

void dun_json_where(char out[DUN_JSON_WHERE], const char *where, const char *key) {
    snprintf(out, DUN_JSON_WHERE, "%s%s%s", where, *where ? "." : "", key);
}

void dun_json_where_at(char out[DUN_JSON_WHERE], const char *where, const char *key, size_t i) {
    snprintf(out, DUN_JSON_WHERE, "%s%s%s[%zu]", where, *where ? "." : "", key, i);
}

int dun_json_get_bool(bool *out, const dun_json_tokenizer *r, const json_t *object, const char *key,
                      const char *where, bool otherwise) {
    char place[DUN_JSON_WHERE];
    const json_t *value = json_object_get(object, key);
    *out = otherwise;
    if (!value || json_is_null(value))
        return DUN_OK;
    dun_json_where(place, where, key);
    if (!json_is_boolean(value))
        return dun_json_refuse(r, place, "is not true or false; one of them is needed");
    *out = json_is_true(value);
    return DUN_OK;
}

int dun_json_get_string(const char **out, const dun_json_tokenizer *r, const json_t *object, const char *key,
                        const char *where, const char *otherwise) {
    char place[DUN_JSON_WHERE];
    const json_t *value = json_object_get(object, key);
    *out = otherwise;
    if (otherwise && (!value || json_is_null(value)))
        return DUN_OK;
    dun_json_where(place, where, key);
    if (!json_is_string(value))
        return dun_json_refuse(r, place,
                               value ? "is not a string; one is needed" : "is missing; a string is needed");
    *out = json_string_value(value);
    return DUN_OK;
}
