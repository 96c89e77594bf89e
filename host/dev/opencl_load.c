/* Finds the OpenCL loader, and all functions of the table in it; see opencl_load.h. */
#define _GNU_SOURCE /* RTLD_DEFAULT, dladdr1 */
#include "dev/opencl_load.h"

#include "base/err.h"
#include "base/process.h"

#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

dun_cl_table dun_cl;

static struct {
    pthread_once_t once;
    bool found;
    char tried[3000]; /* "libOpenCL.so.1: cannot open shared object file: No such file; ..." */
} loader = {.once = PTHREAD_ONCE_INIT};

static const struct {
    const char *name;
    size_t offset; /* in the table */
} calls[] = {
#define CALL(name) {#name, offsetof(dun_cl_table, name)},
#include "dev/opencl_calls.def"
};

/* The first function that a library lacks, or NULL. */
static const char *take_all(void *library) {
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        void *function = dlsym(library, calls[i].name);
        if (!function)
            return calls[i].name;
        memcpy((char *)&dun_cl + calls[i].offset, &function, sizeof function);
    }
    return NULL;
}

static void note(const char *name, const char *why) {
    const size_t used = strlen(loader.tried);
    const char *cause =
        strncmp(why, name, strlen(name)) == 0 ? why + strlen(name) : why; /* it begins with the name */
    snprintf(loader.tried + used, sizeof loader.tried - used, "%s%.200s%s%.200s", used ? "; " : "", name,
             cause == why ? ": " : "", cause);
}

static bool try_library(const char *name) {
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    const char *why = library ? NULL : dlerror(), *missing = library ? take_all(library) : NULL;
    char lacks[120];
    if (library && !missing)
        return true;
    snprintf(lacks, sizeof lacks, "has no function %s", missing ? missing : "");
    note(name, missing ? lacks : why ? why : "cannot be loaded");
    if (library)
        dlclose(library);
    return false;
}

/* NAME in the folder of the file that this code is in, a library or the program, of which the system has only
 * the name that it was called by; "" when that is not known. */
static void place_beside(char out[PATH_MAX], const char *name) {
    Dl_info here;
    struct link_map *map = NULL;
    dun_str program = {0};
    const char *file = NULL, *slash;
    if (dladdr1(&loader, &here, (void **)&map, RTLD_DL_LINKMAP) && map && *map->l_name)
        file = map->l_name;
    else if (dun_process_self(&program) == DUN_OK)
        file = program.bytes;
    slash = file ? strrchr(file, '/') : NULL;
    if (!slash || snprintf(out, PATH_MAX, "%.*s/%s", (int)(slash - file), file, name) >= PATH_MAX)
        out[0] = '\0';
    dun_error_clear();
    dun_str_free(&program);
}

static void find(void) {
    static const char name[] = "libOpenCL.so.1";
    char beside[PATH_MAX];
    place_beside(beside, name);
    const char *const places[] = {name, "libOpenCL.so", beside};
    loader.found = dlsym(RTLD_DEFAULT, calls[0].name) && !take_all(RTLD_DEFAULT);
    for (size_t i = 0; !loader.found && i < sizeof places / sizeof *places; i++)
        if (*places[i])
            loader.found = try_library(places[i]);
}

int dun_cl_load(void) {
    (void)pthread_once(&loader.once, find);
    if (loader.found)
        return DUN_OK;
    return dun_error(
        DUN_BAD_DEVICE,
        "there is no OpenCL loader on this computer (%s); install one, as the package ocl-icd-libopencl1, and "
        "a driver, as pocl-opencl-icd for the CPU",
        loader.tried);
}

void *dun_cl_function(const char *library, const char *name) {
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    return handle ? dlsym(handle, name) : NULL;
}
