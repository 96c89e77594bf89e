/* Lists devices with their choices, and writes them as JSON. See device_rows.h. */
#include "check/device_rows.h"

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "dev/device.h"
#include "dev/tiles.h"

#include <stdio.h>
#include <string.h>

/* Tiles differ by model in the head's width alone, which is not shown. */
enum { ANY_HEAD_DIM = 64 };

/* As a run that leaves [device] gemm and tiles to the program; the self-test may have put something aside. */
static int choose(dun_device_choice *out, const dun_device_info *info) {
    int rc = dun_choose(&out->choice, info, &(dun_wish){.head_dim = ANY_HEAD_DIM});
    if (rc == DUN_BAD_DEVICE) { /* a run would stop there: that is what there is to say, and no test of it */
        snprintf(out->cannot, sizeof out->cannot, "%s", dun_error_message());
        dun_error_clear();
        return DUN_OK;
    }
    TRY(rc);
    TRY(dun_verdict_recall(&out->verdict, info, 0, "auto", "auto", false));
    if (out->verdict.known && out->verdict.passed && out->verdict.set_aside) {
        const dun_wish wish = {.head_dim = ANY_HEAD_DIM, .gemm = out->verdict.gemm};
        TRY(dun_choose(&out->choice, info, &wish));
        snprintf(out->choice.gemm_reason, sizeof out->choice.gemm_reason,
                 "stands in for what fails the self-test");
    }
out:
    return rc;
}

/* Those that a selector means; what "best" does. */
static int find_wanted(dun_device_rows *rows, const char *selector) {
    int rc = DUN_OK;
    size_t n_best;
    TRY_NEW(rows->wanted, rows->n);
    rows->best = (uint32_t)rows->n;
    rc = dun_device_select(rows->wanted, &n_best, rows->infos, rows->n, "best");
    if (rc != DUN_BAD_DEVICE) { /* else no device can be used: that is what the list will say */
        TRY(rc);
        rows->best = rows->wanted[0];
    }
    rc = DUN_OK;
    if (selector)
        TRY(dun_device_select(rows->wanted, &rows->n_wanted, rows->infos, rows->n, selector));
    else
        for (; rows->n_wanted < rows->n; rows->n_wanted++)
            rows->wanted[rows->n_wanted] = (uint32_t)rows->n_wanted;
out:
    return rc;
}

int dun_device_rows_list(dun_device_rows *rows, const char *selector, bool perhaps_none) {
    int rc = dun_device_list(&rows->infos, &rows->n);
    if (rc == DUN_BAD_DEVICE && perhaps_none)
        rc = DUN_OK;
    TRY(rc);
    TRY(find_wanted(rows, selector));
    TRY_NEW(rows->choices, rows->n);
    for (size_t i = 0; i < rows->n_wanted; i++)
        if (!rows->infos[rows->wanted[i]].error[0])
            TRY(choose(&rows->choices[rows->wanted[i]], &rows->infos[rows->wanted[i]]));
out:
    return rc;
}

void dun_device_rows_free(dun_device_rows *rows) {
    dun_free(rows->wanted);
    dun_free(rows->choices);
    dun_free(rows->infos);
    *rows = (dun_device_rows){0};
}

/* A driver's text as a JSON string; NULL without memory. */
json_t *dun_driver_text_json(const char *bytes) {
    dun_str text = {0};
    json_t *json = NULL;
    if (dun_utf8_repair(&text, bytes, strlen(bytes)) == 0)
        json = json_stringn(text.length ? text.bytes : "", text.length);
    dun_str_free(&text);
    return json;
}

static int set_size(json_t *object, const char *key, uint64_t value) {
    return dun_json_set(object, key, json_integer((json_int_t)value));
}

static int add_tiles_json(json_t *object, const dun_tiles *tiles) {
    int rc = DUN_OK;
    json_t *json = json_object();
#define X(field, define, cut, legal, meaning) TRY(set_size(json, #field, tiles->field));
    DUN_TILES(X)
#undef X
    TRY(dun_json_set(object, "tiles", json_incref(json)));
out:
    json_decref(json);
    return rc;
}

static int add_limits_json(json_t *object, const dun_device_info *info) {
    int rc = DUN_OK;
    TRY(set_size(object, "compute_units", info->compute_units));
    TRY(set_size(object, "clock_mhz", info->clock_mhz));
    TRY(set_size(object, "memory_bytes", info->memory_bytes));
    TRY(set_size(object, "largest_buffer_bytes", info->largest_buffer_bytes));
    TRY(set_size(object, "local_bytes", info->local_bytes));
    TRY(set_size(object, "max_group_size", info->max_group_size));
    TRY(set_size(object, "vector_width", info->vector_width));
    TRY(dun_json_set(object, "fp16", json_boolean(info->fp16)));
    TRY(dun_json_set(object, "sub_groups", json_boolean(info->sub_groups)));
    TRY(dun_json_set(object, "unified_memory", json_boolean(info->unified_memory)));
out:
    return rc;
}

static int device_json(json_t *object, const dun_device_rows *list, uint32_t index) {
    int rc = DUN_OK;
    const dun_device_info *info = &list->infos[index];
    const dun_device_choice *made = &list->choices[index];
    const dun_verdict *verdict = &made->verdict;
    char address[32];
    snprintf(address, sizeof address, "%u:%u", info->platform_index, info->device_index);
    TRY(set_size(object, "selector", index));
    TRY(dun_json_set(object, "address", json_string(address)));
    TRY(dun_json_set(object, "platform", dun_driver_text_json(info->platform)));
    TRY(dun_json_set(object, "device", dun_driver_text_json(info->name)));
    if (info->error[0]) {
        TRY(dun_json_set(object, "error", dun_driver_text_json(info->error)));
        goto out;
    }
    TRY(dun_json_set(object, "vendor", dun_driver_text_json(info->vendor)));
    TRY(dun_json_set(object, "type", json_string(dun_device_type_name(info->type))));
    TRY(dun_json_set(object, "driver", dun_driver_text_json(info->driver)));
    TRY(dun_json_set(object, "version", dun_driver_text_json(info->version)));
    TRY(add_limits_json(object, info));
    TRY(dun_json_set(object, "best", json_boolean(index == list->best)));
    TRY(dun_json_set(object, "gemm", json_string(made->choice.gemm)));
    TRY(dun_json_set(object, "gemm_reason", dun_driver_text_json(made->choice.gemm_reason)));
    if (made->cannot[0])
        TRY(dun_json_set(object, "gemm_cannot_run", dun_driver_text_json(made->cannot)));
    TRY(add_tiles_json(object, &made->choice.tiles));
    TRY(dun_json_set(object, "tiles_reason", dun_driver_text_json(made->choice.tiles_reason)));
    TRY(dun_json_set(object, "check",
                     verdict->known ? json_string(verdict->passed ? "passed" : "failed") : json_null()));
    if (verdict->failure[0])
        TRY(dun_json_set(object, "check_failure", dun_driver_text_json(verdict->failure)));
out:
    return rc;
}

int dun_device_rows_json(json_t *array, const dun_device_rows *rows) {
    int rc = DUN_OK;
    for (size_t i = 0; i < rows->n_wanted; i++) {
        json_t *object = json_object();
        TRY(dun_json_append(array, object));
        TRY(device_json(object, rows, rows->wanted[i]));
    }
out:
    return rc;
}
