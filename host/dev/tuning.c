/* Reads rows from INI texts, matches them with a device, and writes the row of a tuned one. */
#include "dev/tuning.h"

#include "base/cache.h"
#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"
#include "dev/kernel_text.h"

#include <fnmatch.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const char dun_device_rows[]; /* config/devices.ini, made by tools/embed.c */

static uint64_t kernel_hash(void) {
    const char *text = dun_kernel_text();
    return dun_hash(DUN_HASH_START, text, strlen(text));
}

typedef struct {
    const dun_device_info *info;
    dun_tuning *out;
    const char *name;
    char section[128], bad[128]; /* the row being read; a key that no row has */
    bool fits, found;
    dun_tuning row;
} reader;

/* The row read so far is complete: it counts when it fits and is the first. */
static void end_row(reader *r) {
    if (r->section[0] && r->fits && !r->found && r->row.gemm[0]) {
        *r->out = r->row;
        snprintf(r->out->where, sizeof r->out->where, "[%s] in %.150s", r->section, r->name);
        r->found = true;
    }
}

static bool matches(const char *pattern, const char *text) {
    return fnmatch(pattern, text, 0) == 0;
}

static void read_key(reader *r, const char *key, const char *value) {
    char hash[32];
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)kernel_hash());
    if (strcmp(key, "platform") == 0)
        r->fits = r->fits && matches(value, r->info->platform);
    else if (strcmp(key, "device") == 0)
        r->fits = r->fits && matches(value, r->info->name);
    else if (strcmp(key, "driver") == 0)
        r->fits = r->fits && matches(value, r->info->driver);
    else if (strcmp(key, "vector") == 0)
        r->fits = r->fits && strtoul(value, NULL, 10) == r->info->vector_width;
    else if (strcmp(key, "kernels") == 0)
        r->fits = r->fits && strcmp(value, hash) == 0;
    else if (strcmp(key, "gemm") == 0)
        snprintf(r->row.gemm, sizeof r->row.gemm, "%s", value);
    else if (strcmp(key, "precision") == 0)
        snprintf(r->row.precision, sizeof r->row.precision, "%s", value);
    else if (strcmp(key, "tiles") == 0)
        snprintf(r->row.tiles, sizeof r->row.tiles, "%s", value);
    else if (strcmp(key, "note") == 0)
        snprintf(r->row.note, sizeof r->row.note, "%s", value);
    else if (!r->bad[0])
        snprintf(r->bad, sizeof r->bad, "%.100s", key);
}

static int handle(void *user, const char *section, const char *key, const char *value) {
    reader *r = user;
    if (strcmp(section, r->section) != 0) {
        end_row(r);
        snprintf(r->section, sizeof r->section, "%.100s", section);
        r->row = (dun_tuning){0};
        r->fits = true;
    }
    read_key(r, key, value);
    return 1;
}

/* inih cuts longer lines in two without a word. */
enum { LINE_BYTES = 190 };

static int check_lines(const char *text, const char *name) {
    unsigned line = 1;
    for (const char *at = text; *at; line++) {
        size_t length = strcspn(at, "\n");
        if (length > LINE_BYTES)
            return dun_error(DUN_BAD_INPUT, "%s:%u: the line has %zu bytes; at most %d are possible", name,
                             line, length, LINE_BYTES);
        at += length + (at[length] == '\n');
    }
    return DUN_OK;
}

int dun_tuning_find_in(dun_tuning *out, bool *found, const dun_device_info *info, const char *text,
                       const char *name) {
    int rc = DUN_OK;
    reader r = {.info = info, .out = out, .name = name};
    *out = (dun_tuning){0};
    *found = false;
    TRY(check_lines(text, name));
    int line = ini_parse_string(text, handle, &r);
    if (line != 0)
        TRY(dun_error(DUN_BAD_INPUT, "%s:%d: is neither [section] nor key = value", name, line));
    if (r.bad[0])
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: unknown key \"%s\"; a row has platform, device, driver, vector, kernels, gemm, "
                      "precision, tiles and note",
                      name, r.bad));
    end_row(&r);
    *found = r.found;
out:
    return rc;
}

int dun_tuning_key(dun_str *out, const dun_device_info *info) {
    return dun_str_addf(out, "%s\n%s\n%s\nkernels %016llx\n", info->name, info->platform, info->driver,
                        (unsigned long long)kernel_hash());
}

/* A row from bytes that end without a zero. */
static bool find_in_bytes(dun_tuning *out, const dun_device_info *info, const void *bytes, size_t length,
                          const char *name) {
    dun_str text = {0};
    bool found = false;
    int rc = dun_str_add(&text, bytes, length);
    if (rc == DUN_OK && text.length)
        rc = dun_tuning_find_in(out, &found, info, text.bytes, name);
    if (rc < 0)
        dun_warn("%s; its tuning rows are not used", dun_error_message());
    dun_str_free(&text);
    return rc == DUN_OK && found;
}

static bool find_in_file(dun_tuning *out, const dun_device_info *info, const char *path) {
    dun_file file = {0};
    if (dun_file_map(&file, path) < 0) {
        dun_warn("DUNLIN_DEVICES: %s", dun_error_message());
        return false;
    }
    bool found = find_in_bytes(out, info, file.bytes, file.length, path);
    dun_file_unmap(&file);
    return found;
}

static bool find_in_cache(dun_tuning *out, const dun_device_info *info) {
    dun_str key = {0};
    dun_cached cached;
    bool found = false;
    if (dun_tuning_key(&key, info) == DUN_OK && dun_cache_find(&cached, DUN_CACHE_TUNING, &key)) {
        found = find_in_bytes(out, info, cached.bytes, cached.length, "the cache of `dunlin tune`");
        dun_cached_close(&cached);
    }
    dun_str_free(&key);
    return found;
}

bool dun_tuning_find(dun_tuning *out, const dun_device_info *info) {
    const char *path = getenv("DUNLIN_DEVICES");
    if (path && *path && find_in_file(out, info, path))
        return true;
    return find_in_cache(out, info) ||
           find_in_bytes(out, info, dun_device_rows, strlen(dun_device_rows), "config/devices.ini");
}

/* A driver's text as a pattern that fits it: what patterns or INI read in another way becomes '?'. */
static int add_pattern(dun_str *out, const char *key, const char *text) {
    int rc = DUN_OK;
    TRY(dun_str_addf(out, "%s = ", key));
    for (; *text; text++)
        TRY(dun_str_add(out, strchr("[]*\\;#\"\n", *text) ? "?" : text, 1));
    TRY(dun_str_addf(out, "\n"));
out:
    return rc;
}

int dun_tuning_write(dun_str *out, const dun_device_info *info, const char *gemm, const dun_tiles *tiles,
                     const char *note) {
    int rc = DUN_OK;
    TRY(dun_str_addf(out, "[tuned]\n"));
    TRY(add_pattern(out, "platform", info->platform));
    TRY(add_pattern(out, "device", info->name));
    TRY(add_pattern(out, "driver", info->driver));
    TRY(dun_str_addf(out, "kernels = %016llx\ngemm = %s\ntiles = ", (unsigned long long)kernel_hash(), gemm));
    TRY(dun_tiles_write(out, tiles));
    TRY(dun_str_addf(out, "\nnote = %s\n", note));
out:
    return rc;
}

bool dun_tuning_keep(char *problem, size_t problem_size, const dun_device_info *info, const dun_str *row) {
    dun_str key = {0};
    bool kept = false;
    if (dun_tuning_key(&key, info) == DUN_OK)
        kept = dun_cache_keep(problem, problem_size, DUN_CACHE_TUNING, &key, row->bytes, row->length);
    else
        snprintf(problem, problem_size, "no memory");
    dun_str_free(&key);
    return kept;
}
