/* dunlin devices: every OpenCL device, how to select it, and what dunlin would choose for it. */
#include "base/err.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/table.h"
#include "base/utf8.h"
#include "check/device_rows.h"
#include "cmd/cmd.h"
#include "cmd/icd.h"
#include "cmd/out.h"
#include "dev/device.h"
#include "dev/driver.h"
#include "dev/tiles.h"

#include <stdio.h>
#include <string.h>

/* The devices, and the files of drivers that give none. */
typedef struct {
    dun_device_rows rows;
    dun_icds icds;
    bool selected; /* not everything is wanted: drivers that give nothing are left out */
} device_list;

static int list_devices(device_list *list, const char *selector) {
    int rc = DUN_OK;
    size_t n_broken = 0;
    list->selected = selector != NULL;
    TRY(dun_device_loader());
    if (dun_icds_trying()) /* how a driver ends this process is the answer */
        dun_driver_dismiss();
    else
        TRY(dun_icds_try(&list->icds));
    for (size_t i = 0; i < list->icds.n; i++)
        n_broken += list->icds.icds[i].problem != NULL;
    /* broken drivers are a list */
    TRY(dun_device_rows_list(&list->rows, selector, n_broken > 0 && !selector));
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

static int add_choice(dun_table *table, const dun_device_choice *made) {
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
    const dun_device_info *info = &list->rows.infos[index];
    TRY(dun_table_add(table, "%s%u", index == list->rows.best ? "* " : "", index));
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
    TRY(add_choice(table, &list->rows.choices[index]));
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
    const dun_device_info *info = &list->rows.infos[index];
    const dun_device_choice *made = &list->rows.choices[index];
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
    TRY(add_lines(out, "precision", made->choice.precision, made->choice.precision_reason));
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
    TRY(dun_table_add_all(&table, head, N_COLUMNS));
    for (size_t i = 0; i < list->rows.n_wanted; i++)
        TRY(add_row(&table, list, list->rows.wanted[i]));
    TRY(add_broken_icds(&table, list));
    TRY(dun_table_print(&text, &table));
    TRY(dun_str_addf(&text, "\n"));
    for (size_t i = 0; i < list->rows.n_wanted; i++)
        TRY(add_note(&text, list, list->rows.wanted[i]));
    for (size_t i = 0; i < list->icds.n && !list->selected; i++)
        if (list->icds.icds[i].problem)
            TRY(dun_str_addf(&text, "-: %s %s%s\n", list->icds.icds[i].path, list->icds.icds[i].problem,
                             list->icds.icds[i].fatal ? "; left out here, but other programs load it" : ""));
    TRY(dun_str_addf(&text, "\nlargest: largest buffer. tiles: work-group/vector width, tile of a product. "
                            "check: last `dunlin check`\n"));
    TRY(dun_limits_describe(&limits, &here));
    if (limits.length)
        TRY(dun_str_addf(&text, "limits of this process: %s\n", limits.bytes));
    if (list->rows.best < list->rows.n)
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

static int print_json(const device_list *list) {
    int rc = DUN_OK;
    json_t *array = json_array();
    TRY(dun_device_rows_json(array, &list->rows));
    for (size_t i = 0; i < list->icds.n && !list->selected; i++) {
        if (!list->icds.icds[i].problem)
            continue;
        json_t *object = json_object();
        TRY(dun_json_append(array, object));
        TRY(dun_json_set(object, "selector", json_null()));
        TRY(dun_json_set(object, "icd", dun_driver_text_json(list->icds.icds[i].path)));
        TRY(dun_json_set(object, "error", dun_driver_text_json(list->icds.icds[i].problem)));
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
    dun_device_rows_free(&list.rows);
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
