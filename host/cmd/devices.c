/* dunlin devices: every OpenCL device, how to select it, and what dunlin would choose for it. */
#include "base/err.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/table.h"
#include "base/utf8.h"
#include "check/trust.h"
#include "cmd/cmd.h"
#include "cmd/icd.h"
#include "cmd/out.h"
#include "dev/choice.h"
#include "dev/device.h"
#include "dev/driver.h"
#include "dev/tiles.h"

#include <stdio.h>
#include <string.h>

/* What a run on a device would take, and what its self-test found. */
typedef struct {
    dun_choice choice;
    char cannot[DUN_REASON_BYTES]; /* why that cannot run, or "" */
    dun_verdict verdict;
} device_choice;

/* All devices in the driver's order, and which of them a selector means. */
typedef struct {
    dun_device_info *infos;
    device_choice *choices; /* [n]; of those that are wanted and not broken */
    size_t n;
    uint32_t *wanted; /* [n_wanted] indices into infos */
    size_t n_wanted;
    dun_icds icds; /* the drivers' files */
    bool selected; /* not everything is wanted: drivers that give nothing are left out */
    uint32_t best; /* what "best" means, n when there is no usable device */
} device_list;

/* Tiles differ by model in the head's width alone, which is not shown. */
enum { ANY_HEAD_DIM = 64 };

/* As a run that leaves [device] gemm and tiles to the program; the self-test may have put something aside. */
static int choose(device_choice *out, const dun_device_info *info) {
    int rc = dun_choose(&out->choice, info, &(dun_wish){.head_dim = ANY_HEAD_DIM});
    if (rc == DUN_BAD_DEVICE) { /* a run would stop there: that is what there is to say, and no test of it */
        snprintf(out->cannot, sizeof out->cannot, "%s", dun_error_message());
        dun_error_clear();
        return DUN_OK;
    }
    TRY(rc);
    TRY(dun_verdict_recall(&out->verdict, info, 0, "auto", false));
    if (out->verdict.known && out->verdict.passed && out->verdict.set_aside) {
        const dun_wish wish = {.head_dim = ANY_HEAD_DIM, .gemm = out->verdict.gemm};
        TRY(dun_choose(&out->choice, info, &wish));
        snprintf(out->choice.gemm_reason, sizeof out->choice.gemm_reason,
                 "stands in for what fails the self-test");
    }
out:
    return rc;
}

static int list_devices(device_list *list, const char *selector) {
    int rc = DUN_OK;
    size_t n_best, n_broken = 0;
    list->selected = selector != NULL;
    if (dun_icds_trying()) /* how a driver ends this process is the answer */
        dun_driver_dismiss();
    else
        TRY(dun_icds_try(&list->icds));
    for (size_t i = 0; i < list->icds.n; i++)
        n_broken += list->icds.icds[i].problem != NULL;
    rc = dun_device_list(&list->infos, &list->n);
    if (rc == DUN_BAD_DEVICE && n_broken > 0 && !selector) /* the broken drivers are the list */
        rc = DUN_OK;
    TRY(rc);
    TRY_NEW(list->wanted, list->n);
    list->best = (uint32_t)list->n;
    rc = dun_device_select(list->wanted, &n_best, list->infos, list->n, "best");
    if (rc != DUN_BAD_DEVICE) { /* else no device can be used: that is what the list will say */
        TRY(rc);
        list->best = list->wanted[0];
    }
    rc = DUN_OK;
    if (selector)
        TRY(dun_device_select(list->wanted, &list->n_wanted, list->infos, list->n, selector));
    else
        for (; list->n_wanted < list->n; list->n_wanted++)
            list->wanted[list->n_wanted] = (uint32_t)list->n_wanted;
    TRY_NEW(list->choices, list->n);
    for (size_t i = 0; i < list->n_wanted; i++)
        if (!list->infos[list->wanted[i]].error[0])
            TRY(choose(&list->choices[list->wanted[i]], &list->infos[list->wanted[i]]));
out:
    return rc;
}

static const char *const head[] = {"",      "device", "type",      "units", "memory", "largest",
                                   "local", "fp16",   "subgroups", "GEMM",  "tiles",  "check"};
static const char alignment[] = "rllrrrrlllll";
enum { N_COLUMNS = sizeof head / sizeof *head, NAME_COLUMNS = 26 };

/* The name's first columns; the whole of it is in the notes. */
static int add_name(dun_table *table, const char *name) {
    int rc = DUN_OK;
    dun_str text = {0};
    TRY(dun_utf8_show(&text, name, strlen(name)));
    size_t length = text.length;
    while (length > NAME_COLUMNS ||
           (length < text.length && ((unsigned char)text.bytes[length] & 0xc0) == 0x80))
        length--;
    TRY(dun_table_add(table, "%.*s", (int)length, text.length ? text.bytes : "?"));
out:
    dun_str_free(&text);
    return rc;
}

static const char *yes_or_no(bool value) {
    return value ? "yes" : "no";
}

/* What a self-test with this driver and these kernels found; "-": there was none. */
static const char *check_word(const dun_verdict *verdict) {
    return !verdict->known ? "-" : !verdict->passed ? "FAILED" : verdict->quick ? "quick" : "passed";
}

static int add_choice(dun_table *table, const device_choice *made) {
    int rc = DUN_OK;
    const dun_tiles *t = &made->choice.tiles;
    TRY(dun_table_add(table, "%s%s", made->choice.gemm, made->cannot[0] ? " (cannot)" : ""));
    TRY(dun_table_add(table, "%u/%u %ux%u", t->group, t->vector, t->local_m ? t->local_m : t->reg_rows,
                      t->local_m ? t->local_n : 2 * t->reg_vector));
    TRY(dun_table_add(table, "%s", check_word(&made->verdict)));
out:
    return rc;
}

static int add_empty(dun_table *table, size_t from) {
    int rc = DUN_OK;
    for (size_t i = from; i < N_COLUMNS; i++)
        TRY(dun_table_add(table, "%s", ""));
out:
    return rc;
}

static int add_row(dun_table *table, const device_list *list, uint32_t index) {
    int rc = DUN_OK;
    const dun_device_info *info = &list->infos[index];
    TRY(dun_table_add(table, "%s%u", index == list->best ? "* " : "", index));
    TRY(add_name(table, *info->name ? info->name : info->platform));
    if (info->error[0]) {
        TRY(dun_table_add(table, "broken"));
        TRY(add_empty(table, 3));
        goto out;
    }
    TRY(dun_table_add(table, "%s", dun_device_type_name(info->type)));
    TRY(dun_table_add(table, "%u", info->compute_units));
    TRY(dun_table_add_bytes(table, info->memory_bytes));
    TRY(dun_table_add_bytes(table, info->largest_buffer_bytes));
    TRY(dun_table_add(table, "%llu KiB", (unsigned long long)(info->local_bytes >> 10)));
    TRY(dun_table_add(table, "%s", yes_or_no(info->fp16)));
    TRY(dun_table_add(table, "%s", yes_or_no(info->sub_groups)));
    TRY(add_choice(table, &list->choices[index]));
out:
    return rc;
}

/* "   topic what: words", in as many lines as it takes. */
static int add_lines(dun_str *out, const char *topic, const char *what, const char *words) {
    int rc = DUN_OK;
    dun_str line = {0};
    TRY(dun_str_addf(&line, "%s%s%s: %s", topic, what ? " " : "", what ? what : "", words));
    TRY(dun_str_addf(out, "   "));
    TRY(dun_help_wrap(out, line.bytes, 3));
out:
    dun_str_free(&line);
    return rc;
}

/* The driver's own words: name, platform, version; why it is broken, why its GEMM and tiles were chosen. */
static int add_note(dun_str *out, const device_list *list, uint32_t index) {
    int rc = DUN_OK;
    const dun_device_info *info = &list->infos[index];
    const device_choice *made = &list->choices[index];
    TRY(dun_str_addf(out, "%u: ", index));
    TRY(dun_utf8_show(out, info->name, strlen(info->name)));
    TRY(dun_str_addf(out, " ("));
    TRY(dun_utf8_show(out, info->platform, strlen(info->platform)));
    TRY(dun_str_addf(out, ", driver "));
    TRY(dun_utf8_show(out, info->driver, strlen(info->driver)));
    TRY(dun_str_addf(out, ")"));
    if (info->error[0]) {
        TRY(dun_str_addf(out, "\n   broken: %s\n", info->error));
        goto out;
    }
    TRY(dun_str_addf(out, "\n"));
    TRY(add_lines(out, "GEMM", made->choice.gemm, made->choice.gemm_reason));
    if (made->cannot[0])
        TRY(add_lines(out, "GEMM", "cannot run", made->cannot));
    if (made->choice.tiles_reason[0])
        TRY(add_lines(out, "tiles", NULL, made->choice.tiles_reason));
    if (made->verdict.failure[0])
        TRY(add_lines(out, "self-test", NULL, made->verdict.failure));
out:
    return rc;
}

static int add_broken_icds(dun_table *table, const device_list *list) {
    int rc = DUN_OK;
    for (size_t i = 0; i < list->icds.n && !list->selected; i++) {
        const dun_icd *icd = &list->icds.icds[i];
        const char *slash = strrchr(icd->path, '/');
        if (!icd->problem)
            continue;
        TRY(dun_table_add(table, "-"));
        TRY(add_name(table, slash ? slash + 1 : icd->path));
        TRY(dun_table_add(table, "broken"));
        TRY(add_empty(table, 3));
    }
out:
    return rc;
}

static int print_table(const device_list *list) {
    int rc = DUN_OK;
    dun_table table;
    dun_str text = {0}, limits = {0};
    const dun_limits_source here = dun_limits_of_process();
    dun_table_init(&table, alignment);
    for (size_t i = 0; i < N_COLUMNS; i++)
        TRY(dun_table_add(&table, "%s", head[i]));
    for (size_t i = 0; i < list->n_wanted; i++)
        TRY(add_row(&table, list, list->wanted[i]));
    TRY(add_broken_icds(&table, list));
    TRY(dun_table_print(&text, &table));
    TRY(dun_str_addf(&text, "\n"));
    for (size_t i = 0; i < list->n_wanted; i++)
        TRY(add_note(&text, list, list->wanted[i]));
    for (size_t i = 0; i < list->icds.n && !list->selected; i++)
        if (list->icds.icds[i].problem)
            TRY(dun_str_addf(&text, "-: %s %s%s\n", list->icds.icds[i].path, list->icds.icds[i].problem,
                             list->icds.icds[i].fatal ? "; left out here, but other programs load it" : ""));
    TRY(dun_str_addf(&text, "\nlargest: largest buffer. tiles: work-group/vector width, tile of a product. "
                            "check: last `dunlin check`\n"));
    TRY(dun_limits_describe(&limits, &here));
    if (limits.length)
        TRY(dun_str_addf(&text, "limits of this process: %s\n", limits.bytes));
    if (list->best < list->n)
        TRY(dun_str_addf(
            &text,
            "*: what [device] use = best means. quick: passed the short test that comes before a training\n"));
    TRY(dun_out_text(&text));
out:
    dun_table_free(&table);
    dun_str_free(&limits);
    dun_str_free(&text);
    return rc;
}

/* A driver's text as a JSON string; NULL without memory. */
static json_t *text_json(const char *bytes) {
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

static int device_json(json_t *object, const device_list *list, uint32_t index) {
    int rc = DUN_OK;
    const dun_device_info *info = &list->infos[index];
    const device_choice *made = &list->choices[index];
    const dun_verdict *verdict = &made->verdict;
    char address[32];
    snprintf(address, sizeof address, "%u:%u", info->platform_index, info->device_index);
    TRY(set_size(object, "selector", index));
    TRY(dun_json_set(object, "address", json_string(address)));
    TRY(dun_json_set(object, "platform", text_json(info->platform)));
    TRY(dun_json_set(object, "device", text_json(info->name)));
    if (info->error[0]) {
        TRY(dun_json_set(object, "error", text_json(info->error)));
        goto out;
    }
    TRY(dun_json_set(object, "vendor", text_json(info->vendor)));
    TRY(dun_json_set(object, "type", json_string(dun_device_type_name(info->type))));
    TRY(dun_json_set(object, "driver", text_json(info->driver)));
    TRY(dun_json_set(object, "version", text_json(info->version)));
    TRY(add_limits_json(object, info));
    TRY(dun_json_set(object, "best", json_boolean(index == list->best)));
    TRY(dun_json_set(object, "gemm", json_string(made->choice.gemm)));
    TRY(dun_json_set(object, "gemm_reason", text_json(made->choice.gemm_reason)));
    if (made->cannot[0])
        TRY(dun_json_set(object, "gemm_cannot_run", text_json(made->cannot)));
    TRY(add_tiles_json(object, &made->choice.tiles));
    TRY(dun_json_set(object, "tiles_reason", text_json(made->choice.tiles_reason)));
    TRY(dun_json_set(object, "check",
                     verdict->known ? json_string(verdict->passed ? "passed" : "failed") : json_null()));
    if (verdict->failure[0])
        TRY(dun_json_set(object, "check_failure", text_json(verdict->failure)));
out:
    return rc;
}

static int print_json(const device_list *list) {
    int rc = DUN_OK;
    json_t *array = json_array();
    for (size_t i = 0; i < list->n_wanted; i++) {
        json_t *object = json_object();
        TRY(dun_json_append(array, object));
        TRY(device_json(object, list, list->wanted[i]));
    }
    for (size_t i = 0; i < list->icds.n && !list->selected; i++) {
        if (!list->icds.icds[i].problem)
            continue;
        json_t *object = json_object();
        TRY(dun_json_append(array, object));
        TRY(dun_json_set(object, "selector", json_null()));
        TRY(dun_json_set(object, "icd", text_json(list->icds.icds[i].path)));
        TRY(dun_json_set(object, "error", text_json(list->icds.icds[i].problem)));
    }
    TRY(dun_out_json(array));
out:
    json_decref(array);
    return rc;
}

static int run(const dun_args *args) {
    int rc = DUN_OK;
    device_list list = {0};
    TRY(list_devices(&list, dun_args_operand(args, 0)));
    TRY(dun_args_has(args, "json") ? print_json(&list) : print_table(&list));
out:
    dun_icds_free(&list.icds);
    dun_free(list.wanted);
    dun_free(list.choices);
    dun_free(list.infos);
    return rc;
}

static const dun_option options[] = {
    {.name = "json", .help = "Print one JSON array of objects instead of a table."},
    {0},
};

const dun_command dun_command_devices = {
    .name = "devices",
    .summary = "List the OpenCL devices, and what dunlin would choose for each.",
    .usage = "[SELECTOR] [--json]",
    .help = "The number in front selects a device for --device and [device] use. With a\n"
            "SELECTOR only what it means is listed: a number, PLATFORM:DEVICE, cpu, gpu, all,\n"
            "best, part of a name, or several of these separated by commas.",
    .options = options,
    .max_operands = 1,
    .run = run,
};
