/* What can be made again but takes long (compiled kernels, a device's self-test), kept between runs as files:
 * FOLDER/KIND/<hash of the key>.cache. The folder is DUNLIN_CACHE ("off": nothing is kept), else
 * $XDG_CACHE_HOME/dunlin, else $HOME/.cache/dunlin. Files carry their key and a checksum and are replaced
 * atomically, so that several processes may share them; one that does not fit is as good as absent. */
#ifndef DUN_CACHE_H
#define DUN_CACHE_H

#include "base/file.h"
#include "base/str.h"

#include <stdbool.h>

/* Kinds of entries, one folder each. */
#define DUN_CACHE_PROGRAMS "programs"
#define DUN_CACHE_CHECKS "checks"
#define DUN_CACHE_TUNING "tuning"
#define DUN_CACHE_DRIVERS "drivers"

/* Appends the folder. False: there is none (switched off, or no home), nothing is appended. */
bool dun_cache_folder(dun_str *out);

typedef struct {
    const uint8_t *bytes;
    size_t length;
    dun_file file;
    char problem[96]; /* why a file that was there is ignored; empty: none was there, or all is well */
} dun_cached;

/* Looks for what was kept under a key: any text, its first line what `dunlin cache` shows. Never fails; true:
 * found, and the caller closes it. */
bool dun_cache_find(dun_cached *out, const char *kind, const dun_str *key);
void dun_cached_close(dun_cached *cached);

/* Keeps bytes under a key. False: it could not be done, `problem` says why (an empty one: switched off). */
bool dun_cache_keep(char *problem, size_t problem_size, const char *kind, const dun_str *key,
                    const void *bytes, size_t length);

/* One file of the cache; `label` is the first line of its key, empty for a file that cannot be read. */
typedef struct {
    const char *kind, *path, *label;
    size_t bytes;
} dun_cache_entry;
typedef int dun_cache_visitor(void *self, const dun_cache_entry *entry);

/* Visits every file of every kind, unfinished ones of killed processes included. A cache that is off or was
 * never made has none. Stops at a negative answer. */
int dun_cache_each(dun_cache_visitor *each, void *self);

#endif
