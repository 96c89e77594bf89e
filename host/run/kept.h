/* The files of a run in memory: what a run without a folder leaves, and what a folder's is taken along as. */
#ifndef DUN_KEPT_H
#define DUN_KEPT_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    char *name;
    dun_str bytes;
} dun_kept_file;

/* From zeros. */
typedef struct {
    dun_kept_file *files; /* in the order in which they came */
    size_t n, capacity;
} dun_kept;

/* A file's bytes, empty where it is new; NULL with the error recorded. Valid until the next is made. */
dun_str *dun_kept_at(dun_kept *kept, const char *name);

/* Replaces a file, or adds it. */
int dun_kept_put(dun_kept *kept, const char *name, const void *bytes, size_t length);

/* NULL: there is none. */
const dun_str *dun_kept_find(const dun_kept *kept, const char *name);

/* Takes those of the names (up to a NULL) along that a folder has. DUN_BAD_INPUT: one cannot be read. */
int dun_kept_read(dun_kept *kept, const char *folder, const char *const *names);

/* Writes all of them, `last` behind the others. DUN_FAILED: one cannot be written. */
int dun_kept_write(const dun_kept *kept, const char *folder, const char *last);

/* Appends those of the names (up to a NULL) that there are as one string of bytes, with their checksum: the
 * same files give the same bytes. */
int dun_kept_pack(dun_str *out, const dun_kept *kept, const char *const *names);

/* The files of such bytes. DUN_BAD_INPUT: they are none, of another version, cut short or damaged. */
int dun_kept_unpack(dun_kept *out, const void *bytes, size_t length);

void dun_kept_free(dun_kept *kept);

#endif
