/* dunlin cache: what is kept between runs, and throwing it away. */
#include "base/cache.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/table.h"
#include "cmd/cmd.h"
#include "cmd/out.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    dun_table table;
    json_t *array; /* NULL: a table is wanted */
    unsigned n;
    size_t bytes;
} cache_job;

static const char *label_of(const dun_cache_entry *entry) {
    return *entry->label ? entry->label : "unfinished or damaged";
}

static int add_json(json_t *array, const dun_cache_entry *entry) {
    int rc = DUN_OK;
    json_t *object = json_object();
    TRY(dun_json_append(array, object));
    TRY(dun_json_set(object, "kind", json_string(entry->kind)));
    TRY(dun_json_set(object, "bytes", json_integer((json_int_t)entry->bytes)));
    TRY(dun_json_set(object, "what", json_string(label_of(entry))));
    TRY(dun_json_set(object, "path", json_string(entry->path)));
out:
    return rc;
}

static int list_entry(void *self, const dun_cache_entry *entry) {
    int rc = DUN_OK;
    cache_job *job = self;
    job->n++;
    job->bytes += entry->bytes;
    if (job->array) {
        TRY(add_json(job->array, entry));
        goto out;
    }
    TRY(dun_table_add(&job->table, "%s", entry->kind));
    TRY(dun_table_add(&job->table, "%.1f KiB", (double)entry->bytes / 1024));
    TRY(dun_table_add(&job->table, "%s", label_of(entry)));
out:
    return rc;
}

static int clear_entry(void *self, const dun_cache_entry *entry) {
    cache_job *job = self;
    if (unlink(entry->path) < 0 && errno != ENOENT) /* another process may have been faster */
        return dun_error(DUN_FAILED, "%s: cannot be removed: %s", entry->path, strerror(errno));
    job->n++;
    job->bytes += entry->bytes;
    return DUN_OK;
}

static int list(cache_job *job, const dun_str *folder) {
    int rc = DUN_OK;
    dun_str text = {0};
    TRY(dun_cache_each(list_entry, job));
    if (job->array) {
        TRY(dun_out_json(job->array));
        goto out;
    }
    TRY(dun_table_print(&text, &job->table));
    TRY(dun_str_addf(&text, "%s%u files, %.1f KiB, in %s\n", job->n ? "\n" : "", job->n,
                     (double)job->bytes / 1024, folder->bytes));
    TRY(dun_out_text(&text));
out:
    dun_str_free(&text);
    return rc;
}

static int clear(cache_job *job, const dun_str *folder) {
    int rc = DUN_OK;
    dun_str text = {0};
    TRY(dun_cache_each(clear_entry, job));
    TRY(dun_str_addf(&text, "%u files, %.1f KiB, removed from %s\n", job->n, (double)job->bytes / 1024,
                     folder->bytes));
    TRY(dun_out_text(&text));
out:
    dun_str_free(&text);
    return rc;
}

static int run(const dun_args *args) {
    int rc = DUN_OK;
    const char *word = dun_args_operand(args, 0);
    dun_str folder = {0};
    cache_job job = {0};
    dun_table_init(&job.table, "lrl");
    if (word && strcmp(word, "clear") != 0)
        TRY(dun_error(DUN_USAGE, "cache: unexpected \"%.60s\"; it can be clear, or nothing to list", word));
    if (!dun_cache_folder(&folder))
        TRY(dun_error(DUN_FAILED, "there is no cache: DUNLIN_CACHE is off, or HOME is not set"));
    if (dun_args_has(args, "json"))
        TRY_PTR(job.array, json_array());
    TRY(word ? clear(&job, &folder) : list(&job, &folder));
out:
    json_decref(job.array);
    dun_table_free(&job.table);
    dun_str_free(&folder);
    return rc;
}

static const dun_option options[] = {
    {.name = "json", .help = "Print one JSON array of objects instead of a table."},
    {0},
};

const dun_command dun_command_cache = {
    .name = "cache",
    .summary = "List or clear what is kept between runs.",
    .usage = "[clear] [--json]",
    .help = "Compiled kernels, and what was found out about devices. All of it is made again\n"
            "when it is missing or damaged, or when device, driver or kernels change. It lies\n"
            "in DUNLIN_CACHE, else in XDG_CACHE_HOME/dunlin, else in ~/.cache/dunlin.\n"
            "DUNLIN_CACHE=off keeps nothing.",
    .options = options,
    .max_operands = 1,
    .run = run,
};
