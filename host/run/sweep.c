/* Reads the values of swept keys, and sets those of a point of the grid. */
#include "run/sweep.h"

#include "base/err.h"
#include "base/mem.h"
#include "config/config_value.h"
#include "session/reopen.h"

#include <stdio.h>
#include <string.h>

static const char origin[] = "--sweep";

/* Where the value at `at` ends: at a comma outside quotes, or at the end. */
static const char *value_end(const char *at) {
    for (bool quoted = false; *at; at++) {
        if (quoted && at[0] == '\\' && at[1])
            at++;
        else if (*at == '"')
            quoted = !quoted;
        else if (*at == ',' && !quoted)
            break;
    }
    return at;
}

static int add_value(dun_axis *axis, const char *raw, size_t length) {
    int rc = DUN_OK;
    char *value = NULL;
    dun_config_value read;
    TRY_NEW(value, length + 1);
    TRY(dun_config_unquote(value, raw, length, false, origin));
    TRY(dun_config_value_read(&read, axis->id, value, origin));
    for (size_t i = 0; i < axis->n; i++)
        if (strcmp(axis->values[i], value) == 0)
            TRY(dun_error(DUN_USAGE, "%s: %s.%s: the value \"%.60s\" stands there twice", origin,
                          dun_config_key_table[axis->id].section, dun_config_key_table[axis->id].name,
                          value));
    TRY_GROW(axis->values, axis->capacity, axis->n);
    axis->values[axis->n++] = value;
    value = NULL;
out:
    dun_free(value);
    return rc;
}

static void free_axis(dun_axis *axis) {
    for (size_t i = 0; i < axis->n; i++)
        dun_free(axis->values[i]);
    dun_free(axis->values);
    *axis = (dun_axis){0};
}

static int read_axis(dun_axis *axis, const char *assignment) {
    int rc = DUN_OK;
    char *name = NULL;
    const char *equals = strchr(assignment, '=');
    if (!equals)
        TRY(dun_error(DUN_USAGE, "%s: missing '='; section.key=value,value is needed", origin));
    TRY_PTR(name, dun_strndup(assignment, (size_t)(equals - assignment)));
    TRY(dun_config_find(&axis->id, name, origin));
    for (const char *at = equals + 1;; at++) {
        at += strspn(at, " ");
        const char *end = value_end(at);
        TRY(add_value(axis, at, (size_t)(end - at)));
        at = end;
        if (!*at)
            break;
    }
out:
    dun_free(name);
    return rc;
}

int dun_sweep_add(dun_sweep *sweep, const char *assignment) {
    int rc = DUN_OK;
    dun_axis axis = {0};
    TRY(read_axis(&axis, assignment));
    for (size_t i = 0; i < sweep->n_axes; i++)
        if (sweep->axes[i].id == axis.id)
            TRY(dun_error(DUN_USAGE, "%s: %s.%s is swept twice; give all its values together", origin,
                          dun_config_key_table[axis.id].section, dun_config_key_table[axis.id].name));
    if (dun_sweep_points(sweep) * axis.n > DUN_SWEEP_POINTS)
        TRY(dun_error(DUN_USAGE, "%s: more than %d combinations; take fewer values", origin,
                      DUN_SWEEP_POINTS));
    TRY_GROW(sweep->axes, sweep->capacity, sweep->n_axes);
    size_t at = sweep->n_axes++;
    for (; at > 0 && dun_config_key_table[sweep->axes[at - 1].id].scope < dun_config_key_table[axis.id].scope;
         at--)
        sweep->axes[at] = sweep->axes[at - 1];
    sweep->axes[at] = axis;
    axis = (dun_axis){0};
out:
    free_axis(&axis);
    return rc;
}

void dun_sweep_free(dun_sweep *sweep) {
    for (size_t i = 0; i < sweep->n_axes; i++)
        free_axis(&sweep->axes[i]);
    dun_free(sweep->axes);
    *sweep = (dun_sweep){0};
}

size_t dun_sweep_points(const dun_sweep *sweep) {
    size_t n = 1;
    for (size_t i = 0; i < sweep->n_axes; i++)
        n *= sweep->axes[i].n;
    return n;
}

const char *dun_sweep_value(const dun_sweep *sweep, size_t axis, size_t point) {
    for (size_t i = sweep->n_axes; --i > axis;)
        point /= sweep->axes[i].n;
    return sweep->axes[axis].values[point % sweep->axes[axis].n];
}

int dun_sweep_apply(dun_config *config, const dun_sweep *sweep, size_t point) {
    int rc = DUN_OK;
    for (size_t i = 0; i < sweep->n_axes; i++)
        TRY(dun_config_put(config, sweep->axes[i].id, dun_sweep_value(sweep, i, point), origin));
out:
    return rc;
}

void dun_sweep_key(char out[DUN_SWEEP_KEY_BYTES], const dun_sweep *sweep, size_t axis) {
    const dun_config_key *key = &dun_config_key_table[sweep->axes[axis].id];
    snprintf(out, DUN_SWEEP_KEY_BYTES, "%s.%s", key->section, key->name);
}
