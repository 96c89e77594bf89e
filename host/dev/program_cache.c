/* The key of a compiled program, and its binary into the cache and back. */
#include "dev/program_cache.h"

#include "base/cache.h"
#include "base/hash.h"
#include "base/mem.h"
#include "dev/driver.h"
#include "dev/quirks.h"

#include <stdio.h>
#include <string.h>

/* The first line is what people see; raise the number when host code asks other things of the kernels. */
enum { FORMAT = 1 };

int dun_program_key(dun_str *out, const dun_device_info *info, const char *topic, const char *text,
                    const char *defines) {
    size_t length = strlen(text);
    return dun_str_addf(out,
                        "%s, driver %s: %s %s\nplatform %s, %s\nversion %s\nsource %016llx of %zu bytes\n"
                        "format %d\n",
                        info->name, info->driver, topic, defines, info->platform, info->platform_version,
                        info->version, (unsigned long long)dun_hash(DUN_HASH_START, text, length), length,
                        FORMAT);
}

/* A driver may take a binary that it cannot use: a program counts only once it names its kernels. */
static bool has_kernels(cl_program program) {
    size_t n = 0;
    return clGetProgramInfo(program, CL_PROGRAM_NUM_KERNELS, sizeof n, &n, NULL) == CL_SUCCESS && n > 0;
}

static cl_program load(cl_int *code, dun_device *device, const char *defines, const dun_cached *cached) {
    cl_program program = NULL;
    cl_int status = CL_SUCCESS;
    const unsigned char *bytes = cached->bytes;
    size_t length = cached->length;
    *code = CL_OUT_OF_HOST_MEMORY;
    if (!dun_fault_here())
        program = clCreateProgramWithBinary(device->context, 1, &device->id, &length, &bytes, &status, code);
    dun_cl_count(program, 1);
    if (program && status == CL_SUCCESS && !dun_fault_here())
        *code = clBuildProgram(program, 1, &device->id, defines, NULL, NULL);
    else if (*code == CL_SUCCESS)
        *code = CL_INVALID_BINARY;
    dun_driver_worked();
    if (*code == CL_SUCCESS && !has_kernels(program))
        *code = CL_INVALID_BINARY;
    if (*code != CL_SUCCESS)
        CL_RELEASE(clReleaseProgram, program);
    return program;
}

cl_program dun_program_from_cache(dun_program_lookup *lookup, dun_device *device, const char *defines,
                                  const dun_str *key) {
    dun_cached cached;
    cl_program program = NULL;
    cl_int code = CL_SUCCESS;
    const bool caches_itself = dun_quirk_of(&device->info, DUN_QUIRK_CACHES_ITSELF);
    *lookup = (dun_program_lookup){.known = dun_cache_find(&cached, DUN_CACHE_PROGRAMS, key)};
    snprintf(lookup->problem, sizeof lookup->problem, "%s", cached.problem);
    if (caches_itself && !dun_driver_cache_filled()) /* its folder was deleted, or is another one */
        lookup->known = false;
    if (lookup->known && !caches_itself) {
        program = load(&code, device, defines, &cached);
        lookup->known = program != NULL;
    }
    if (code != CL_SUCCESS)
        snprintf(lookup->problem, sizeof lookup->problem, "the driver says %s", dun_cl_error_name(code));
    dun_cached_close(&cached);
    return program;
}

void dun_program_to_cache(dun_program_lookup *lookup, const dun_device *device, cl_program program,
                          const dun_str *key) {
    char *problem = lookup->problem;
    const size_t size = sizeof lookup->problem;
    unsigned char *bytes = NULL;
    size_t length = 0;
    cl_int code = CL_SUCCESS;
    problem[0] = '\0';
    if (!dun_quirk_of(&device->info, DUN_QUIRK_CACHES_ITSELF)) {
        code = clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof length, &length, NULL);
        if (code == CL_SUCCESS && length == 0)
            code = CL_INVALID_BINARY;
        bytes = code == CL_SUCCESS ? dun_calloc(length, 1) : NULL;
        if (bytes && !dun_fault_here())
            code = clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof bytes, &bytes, NULL);
        else if (code == CL_SUCCESS)
            code = CL_OUT_OF_HOST_MEMORY;
    }
    if (code == CL_SUCCESS)
        dun_cache_keep(problem, size, DUN_CACHE_PROGRAMS, key, bytes, length);
    else
        snprintf(problem, size, "no binary, %s", dun_cl_error_name(code));
    dun_free(bytes);
}
