/* Reads a folder's entries and sorts them by their bytes. */
#include "base/names.h"

#include "base/err.h"
#include "base/mem.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int dun_names_read(dun_names *out, const char *folder) {
    int rc = DUN_OK;
    struct dirent *entry;
    DIR *dir = opendir(folder);
    *out = (dun_names){0};
    while (dir && (entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        TRY_GROW(out->names, out->capacity, out->n);
        TRY_PTR(out->names[out->n], dun_strdup(entry->d_name));
        out->n++;
    }
    if (out->n > 1)
        qsort(out->names, out->n, sizeof *out->names, compare_names);
out:
    if (dir)
        closedir(dir);
    if (rc < 0)
        dun_names_free(out);
    return rc;
}

void dun_names_free(dun_names *names) {
    for (size_t i = 0; i < names->n; i++)
        dun_free(names->names[i]);
    dun_free(names->names);
    *names = (dun_names){0};
}
