/* Reads the loader's .icd files, and finds out why one gives no platform. */
#include "dev/icd_files.h"

#include "base/err.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "dev/driver.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_icd(const char *name) {
    size_t length = strlen(name);
    return length > 4 && strcmp(name + length - 4, ".icd") == 0;
}

static int compare_paths(const void *a, const void *b) {
    return strcmp(((const dun_icd_file *)a)->path, ((const dun_icd_file *)b)->path);
}

static int add(dun_icd_files *out, size_t *capacity, const char *path) {
    int rc = DUN_OK;
    dun_file file = {0};
    TRY_GROW(out->files, *capacity, out->n);
    dun_icd_file *added = &out->files[out->n];
    *added = (dun_icd_file){0};
    TRY_PTR(added->path, dun_strdup(path));
    out->n++;
    if (dun_file_map(&file, path) < 0) {
        dun_error_clear();
        goto out;
    }
    const uint8_t *end = file.length ? memchr(file.bytes, '\n', file.length) : NULL;
    TRY_PTR(added->line,
            dun_strndup((const char *)file.bytes, end ? (size_t)(end - file.bytes) : file.length));
out:
    dun_file_unmap(&file);
    return rc;
}

int dun_icd_files_find(dun_icd_files *out) {
    int rc = DUN_OK;
    const char *set = dun_driver_vendors();
    const char *folder = *set ? set : "/etc/OpenCL/vendors";
    size_t capacity = 0;
    struct dirent *entry;
    dun_str path = {0};
    DIR *dir = opendir(folder);
    *out = (dun_icd_files){0};
    if (!dir && is_icd(folder))
        TRY(add(out, &capacity, folder));
    while (dir && (entry = readdir(dir))) {
        if (!is_icd(entry->d_name))
            continue;
        dun_str_clear(&path);
        TRY(dun_str_addf(&path, "%s/%s", folder, entry->d_name));
        TRY(add(out, &capacity, path.bytes));
    }
    if (out->n > 1)
        qsort(out->files, out->n, sizeof *out->files, compare_paths);
out:
    if (dir)
        closedir(dir);
    dun_str_free(&path);
    return rc;
}

void dun_icd_files_free(dun_icd_files *files) {
    for (size_t i = 0; i < files->n; i++) {
        dun_free(files->files[i].path);
        dun_free(files->files[i].line);
    }
    dun_free(files->files);
    *files = (dun_icd_files){0};
}

/* What editors and other systems leave in the line, which the loader takes for a part of the name. */
static const char *line_fault(const char *line) {
    const size_t length = line ? strlen(line) : 0;
    return !line                      ? "it cannot be read"
           : length == 0              ? "its first line is empty; the path of a driver's library is needed"
           : line[length - 1] == '\r' ? "its line ends with a carriage return (CRLF), which the loader takes "
                                        "for a part of the name; remove it, as with sed -i 's/\\r$//'"
           : strncmp(line, "\xef\xbb\xbf", 3) == 0 ? "it begins with a byte order mark; save it without one"
           : strchr(" \t", line[0])
               ? "its line begins with a blank, which the loader takes for a part of the name"
           : strchr(" \t", line[length - 1])
               ? "its line ends with a blank, which the loader takes for a part of the name"
           : line[0] == '#' ? "its first line is a comment; the loader reads no others"
                            : NULL;
}

int dun_icd_file_explain(dun_str *out, const dun_icd_file *file) {
    const char *fault = line_fault(file->line);
    if (fault)
        return dun_str_addf(out, "%s", fault);
    void *library = dlopen(file->line, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        char tight[160];
        const dun_limits_source here = dun_limits_of_process();
        fault = dlerror();
        dun_limits_tell_address_space(tight, sizeof tight, &here);
        return dun_str_addf(out, "its library is not loaded: %s%s", fault ? fault : file->line, tight);
    }
    bool is_driver =
        dlsym(library, "clIcdGetPlatformIDsKHR") || dlsym(library, "clGetExtensionFunctionAddress");
    dlclose(library);
    return dun_str_addf(out, "%s %s", file->line,
                        is_driver ? "says that it has no platform here" : "is no OpenCL driver");
}
