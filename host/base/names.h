/* The names in a folder, sorted, read before the first is visited: a visitor may remove files. */
#ifndef DUN_NAMES_H
#define DUN_NAMES_H

#include <stddef.h>

typedef struct {
    char **names;
    size_t n, capacity;
} dun_names;

/* Names that begin with a dot are left out; a folder that is not there, or cannot be read, has none. */
int dun_names_read(dun_names *out, const char *folder);
void dun_names_free(dun_names *names);

#endif
