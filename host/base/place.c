/* Asks the system whether files and folders can be written. */
#include "base/place.h"

#include "base/err.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* `folder`, which is there, as it is or to make `path` in. */
static int require_folder(const char *path, const char *folder, const struct stat *info) {
    const bool itself = strcmp(path, folder) == 0;
    if (!S_ISDIR(info->st_mode))
        return itself ? dun_error(DUN_FAILED, "%s: is not a folder", path)
                      : dun_error(DUN_FAILED, "%s: cannot be made: %s is not a folder", path, folder);
    if (faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0)
        return DUN_OK;
    return itself ? dun_error(DUN_FAILED, "%s: cannot be written: %s", path, strerror(errno))
                  : dun_error(DUN_FAILED, "%s: cannot be made: %s: %s", path, folder, strerror(errno));
}

int dun_place_for_file(const char *path) {
    int rc = DUN_OK;
    struct stat info;
    char *copy = NULL;
    if (stat(path, &info) == 0) {
        if (S_ISDIR(info.st_mode))
            TRY(dun_error(DUN_FAILED, "%s: cannot be written: %s", path, strerror(EISDIR)));
        if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) < 0)
            TRY(dun_error(DUN_FAILED, "%s: cannot be written: %s", path, strerror(errno)));
        goto out;
    }
    if (errno != ENOENT)
        TRY(dun_error(DUN_FAILED, "%s: cannot be written: %s", path, strerror(errno)));
    if (lstat(path, &info) == 0)
        goto out; /* a link to what is not there yet: where that is, the write finds out */
    TRY_PTR(copy, dun_strdup(path));
    const char *folder = dirname(copy);
    if (!*path || stat(folder, &info) < 0)
        TRY(dun_error(DUN_FAILED, "%s: cannot be written: %s", path, strerror(errno)));
    TRY(require_folder(path, folder, &info));
out:
    dun_free(copy);
    return rc;
}

int dun_place_for_folder(const char *path) {
    int rc = DUN_OK;
    struct stat info;
    char *copy = NULL;
    TRY_PTR(copy, dun_strdup(path));
    const char *at = copy;
    while (*path && stat(at, &info) < 0) {
        const int cause = errno;
        struct stat itself;
        if (cause == ENOENT && lstat(at, &itself) == 0) {
            if (S_ISLNK(itself.st_mode))
                TRY(dun_error(DUN_FAILED, "%s: is a link to nothing", at));
            continue; /* another process has just made it */
        }
        if (cause != ENOENT && cause != ENOTDIR)
            TRY(dun_error(DUN_FAILED, "%s: cannot be created: %s", path, strerror(cause)));
        at = dirname(copy); /* which cuts the copy; "." and "/" are there */
    }
    if (!*path)
        TRY(dun_error(DUN_FAILED, "the name of a folder is empty"));
    TRY(require_folder(path, at, &info));
out:
    dun_free(copy);
    return rc;
}

int dun_place_look(dun_place_content *content, const char *folder,
                   bool (*skip)(const void *self, const char *name), const void *self) {
    const struct dirent *entry;
    *content = (dun_place_content){0};
    DIR *dir = opendir(folder);
    if (!dir)
        return errno == ENOENT ? DUN_OK
                               : dun_error(DUN_FAILED, "%s: cannot be read: %s", folder, strerror(errno));
    while ((entry = readdir(dir))) {
        const char *name = entry->d_name;
        if (*name == '.' || (skip && skip(self, name)))
            continue;
        if (content->n++ == 0 || strcmp(name, content->first) < 0)
            snprintf(content->first, sizeof content->first, "%s", name);
    }
    closedir(dir);
    return DUN_OK;
}

typedef struct {
    const char *folder, *const *files;
    size_t n;
} named;

static bool is_named(const void *self, const char *name) {
    const named *all = self;
    struct stat info, other;
    dun_str path = {0};
    bool found = false;
    const bool there = dun_str_addf(&path, "%s/%s", all->folder, name) >= 0 && stat(path.bytes, &info) == 0;
    for (size_t i = 0; there && i < all->n; i++)
        found |= all->files[i] && stat(all->files[i], &other) == 0 && info.st_dev == other.st_dev &&
                 info.st_ino == other.st_ino;
    dun_str_free(&path);
    return found;
}

int dun_place_for_files(const char *folder, const char *const *files, size_t n) {
    int rc = DUN_OK;
    dun_place_content content;
    TRY(dun_place_for_folder(folder));
    TRY(dun_place_look(&content, folder, is_named, &(named){folder, files, n}));
    if (content.n > 0)
        TRY(dun_error(DUN_FAILED,
                      "%s: holds other files than those named here: %s%s; name a new folder, or an empty one",
                      folder, content.first, content.n > 1 ? " and others" : ""));
out:
    return rc;
}
