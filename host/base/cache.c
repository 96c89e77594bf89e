/* Keeps entries as files that several processes share: found by a hash of the key, checked, written whole.
 * A file is the header below, the key, the bytes. */
#include "base/cache.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/leftovers.h"
#include "base/mem.h"
#include "base/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Another format is another magic. Numbers as the machine has them: a foreign file fails its checks. */
typedef struct {
    char magic[8];
    uint64_t key_length, length, checksum; /* checksum: of the key and the bytes */
} header;

static const char magic[8] = "DUNCACH1";
static const char *const kinds[] = {DUN_CACHE_PROGRAMS, DUN_CACHE_CHECKS, DUN_CACHE_TUNING,
                                    DUN_CACHE_DRIVERS};

bool dun_cache_folder(dun_str *out) {
    const char *own = getenv("DUNLIN_CACHE"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (own && *own)
        return strcmp(own, "off") != 0 && dun_str_addf(out, "%s", own) == DUN_OK;
    if (xdg && *xdg == '/') /* its specification: relative paths are ignored */
        return dun_str_addf(out, "%s/dunlin", xdg) == DUN_OK;
    return home && *home == '/' && dun_str_addf(out, "%s/.cache/dunlin", home) == DUN_OK;
}

static uint64_t hash_key(const dun_str *key) {
    return dun_hash(DUN_HASH_START, key->bytes, key->length);
}

/* FOLDER/KIND/HASH.cache; `folder_length` is that of FOLDER/KIND. */
static bool entry_path(dun_str *out, size_t *folder_length, const char *kind, const dun_str *key) {
    if (!dun_cache_folder(out) || dun_str_addf(out, "/%s", kind) < 0)
        return false;
    *folder_length = out->length;
    return dun_str_addf(out, "/%016llx.cache", (unsigned long long)hash_key(key)) == DUN_OK;
}

/* Takes a file apart; NULL, or what is wrong with it. */
static const char *open_entry(const uint8_t **key, uint64_t *key_length, dun_cached *out) {
    header h;
    if (out->file.length < sizeof h)
        return "it is cut short";
    memcpy(&h, out->file.bytes, sizeof h);
    if (memcmp(h.magic, magic, sizeof magic) != 0)
        return "it is of another format";
    uint64_t rest = out->file.length - sizeof h;
    if (h.key_length > rest || h.length != rest - h.key_length)
        return "its length is wrong";
    *key = out->file.bytes + sizeof h;
    *key_length = h.key_length;
    if (h.checksum != dun_hash(DUN_HASH_START, *key, (size_t)rest))
        return "its checksum is wrong";
    out->bytes = *key + h.key_length;
    out->length = (size_t)h.length;
    return NULL;
}

bool dun_cache_find(dun_cached *out, const char *kind, const dun_str *key) {
    dun_str path = {0};
    struct stat info;
    size_t folder_length;
    const uint8_t *stored = NULL;
    uint64_t stored_length = 0;
    const char *problem = NULL;
    bool found = false;
    *out = (dun_cached){0};
    if (!entry_path(&path, &folder_length, kind, key) || stat(path.bytes, &info) != 0)
        goto out;
    if (dun_file_map(&out->file, path.bytes) < 0)
        problem = "it cannot be read";
    else
        problem = open_entry(&stored, &stored_length, out);
    if (!problem && (stored_length != key->length || memcmp(stored, key->bytes, key->length) != 0))
        problem = "it belongs to something else";
    found = !problem;
    if (problem) {
        dun_cached_close(out);
        snprintf(out->problem, sizeof out->problem, "%s", problem);
    }
out:
    dun_str_free(&path);
    return found;
}

void dun_cached_close(dun_cached *cached) {
    dun_file_unmap(&cached->file);
    *cached = (dun_cached){0};
}

bool dun_cache_keep(char *problem, size_t problem_size, const char *kind, const dun_str *key,
                    const void *bytes, size_t length) {
    int rc = DUN_OK;
    dun_str path = {0}, file = {0};
    char *folder = NULL;
    size_t folder_length;
    header h = {.key_length = key->length, .length = length};
    problem[0] = '\0';
    if (!entry_path(&path, &folder_length, kind, key)) {
        rc = DUN_FAILED;
        goto out;
    }
    memcpy(h.magic, magic, sizeof magic);
    h.checksum = dun_hash(hash_key(key), bytes, length);
    TRY_PTR(folder, dun_strndup(path.bytes, folder_length));
    TRY(dun_str_add(&file, (const char *)&h, sizeof h));
    TRY(dun_str_add(&file, key->bytes, key->length));
    TRY(dun_str_add(&file, length ? bytes : "", length));
    TRY(dun_dir_make(folder));
    dun_leftovers_clear(folder, NULL, 0);
    TRY(dun_file_write(path.bytes, file.bytes, file.length));
out:
    if (rc < 0 && path.length)
        snprintf(problem, problem_size, "%s", dun_error_message());
    dun_free(folder);
    dun_str_free(&file);
    dun_str_free(&path);
    return rc == DUN_OK;
}

static int visit_file(dun_cache_visitor *each, void *self, const char *kind, const char *path) {
    int rc = DUN_OK;
    struct stat info;
    dun_cached cached = {0};
    const uint8_t *key;
    uint64_t key_length = 0;
    char label[256] = "";
    if (lstat(path, &info) != 0 || !S_ISREG(info.st_mode))
        goto out;
    if (dun_file_map(&cached.file, path) == DUN_OK && !open_entry(&key, &key_length, &cached)) {
        const uint8_t *end = memchr(key, '\n', (size_t)key_length);
        snprintf(label, sizeof label, "%.*s", (int)(end ? end - key : (long)key_length), (const char *)key);
    }
    TRY(each(self,
             &(dun_cache_entry){.kind = kind, .path = path, .label = label, .bytes = (size_t)info.st_size}));
out:
    dun_cached_close(&cached);
    return rc;
}

static int visit_kind(dun_cache_visitor *each, void *self, const char *kind) {
    int rc = DUN_OK;
    dun_str folder = {0}, path = {0};
    dun_names names = {0};
    if (!dun_cache_folder(&folder))
        goto out;
    TRY(dun_str_addf(&folder, "/%s", kind));
    TRY(dun_names_read(&names, folder.bytes));
    for (size_t i = 0; i < names.n; i++) {
        dun_str_clear(&path);
        TRY(dun_str_addf(&path, "%s/%s", folder.bytes, names.names[i]));
        TRY(visit_file(each, self, kind, path.bytes));
    }
out:
    dun_names_free(&names);
    dun_str_free(&path);
    dun_str_free(&folder);
    return rc;
}

int dun_cache_each(dun_cache_visitor *each, void *self) {
    int rc = DUN_OK;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        TRY(visit_kind(each, self, kinds[i]));
out:
    return rc;
}
