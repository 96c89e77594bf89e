/* Enumeration and opening of devices. Selection is in select.c. */
#include "dev/device.h"

#include "base/limits.h"
#include "base/mem.h"
#include "dev/context.h"
#include "dev/driver.h"
#include "dev/icd_files.h"
#include "dev/opencl.h"
#include "dev/quirks.h"
#include "dev/trace_inside.h"

#include <CL/cl_ext.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#ifndef CL_DEVICE_UUID_KHR /* of newer headers: cl_khr_device_uuid */
#    define CL_DEVICE_UUID_KHR 0x106A
#endif

enum {
    MAX_PLATFORMS = 32,
    MAX_DEVICES = 64,
    LEAST_ALIGNMENT = 128, /* of a part of a buffer: the largest vector type */
};

const char *dun_device_type_name(enum dun_device_type type) {
    return type == DUN_DEVICE_CPU ? "CPU" : type == DUN_DEVICE_GPU ? "GPU" : "other";
}

static void get_string(char *out, size_t size, cl_device_id id, cl_device_info what) {
    char text[4096] = "";
    if (clGetDeviceInfo(id, what, sizeof text - 1, text, NULL) != CL_SUCCESS)
        snprintf(text, sizeof text, "?");
    char *start = text + strspn(text, " ");
    snprintf(out, size, "%.*s", (int)size - 1, start);
}

static uint64_t get_number(cl_device_id id, cl_device_info what, size_t size) {
    uint64_t value = 0; /* little-endian hosts: a narrower answer fills the low bytes */
    if (clGetDeviceInfo(id, what, size, &value, NULL) != CL_SUCCESS)
        return 0;
    return value;
}

bool dun_device_in_host_memory(const dun_device_info *info) {
    return info->type == DUN_DEVICE_CPU || info->unified_memory;
}

bool dun_device_is_same(const dun_device_info *a, const dun_device_info *b) {
    static const uint8_t unknown[sizeof a->uuid];
    return memcmp(a->uuid, unknown, sizeof unknown) != 0 && memcmp(a->uuid, b->uuid, sizeof unknown) == 0;
}

/* Drivers tell the machine's memory, whatever the process may have of it. */
static void bound_memory(dun_device_info *info) {
    const dun_limits_source here = dun_limits_of_process();
    const dun_memory_limit memory = dun_limits_memory(&here);
    if (!dun_device_in_host_memory(info) || memory.limit == 0 || memory.limit >= info->memory_bytes)
        return;
    info->memory_bytes = memory.limit;
    snprintf(info->memory_by, sizeof info->memory_by, "%s", memory.by);
    if (info->largest_buffer_bytes > memory.limit)
        info->largest_buffer_bytes = memory.limit;
}

/* Ten times the first part of it and the second, which has one digit. */
static uint32_t get_capability(cl_device_id id, const char *extensions) {
    if (!strstr(extensions, "cl_nv_device_attribute_query"))
        return 0;
    return (uint32_t)(10 * get_number(id, CL_DEVICE_COMPUTE_CAPABILITY_MAJOR_NV, sizeof(cl_uint)) +
                      get_number(id, CL_DEVICE_COMPUTE_CAPABILITY_MINOR_NV, sizeof(cl_uint)));
}

static void describe(dun_device_info *info, cl_device_id id) {
    char extensions[8192] = "";
    get_string(info->name, sizeof info->name, id, CL_DEVICE_NAME);
    get_string(info->vendor, sizeof info->vendor, id, CL_DEVICE_VENDOR);
    get_string(info->driver, sizeof info->driver, id, CL_DRIVER_VERSION);
    get_string(info->version, sizeof info->version, id, CL_DEVICE_VERSION);
    if (clGetDeviceInfo(id, CL_DEVICE_EXTENSIONS, sizeof extensions - 1, extensions, NULL) != CL_SUCCESS)
        extensions[0] = '\0';
    uint64_t type = get_number(id, CL_DEVICE_TYPE, sizeof(cl_device_type));
    info->type = type & CL_DEVICE_TYPE_GPU   ? DUN_DEVICE_GPU
                 : type & CL_DEVICE_TYPE_CPU ? DUN_DEVICE_CPU
                                             : DUN_DEVICE_OTHER;
    info->memory_bytes = get_number(id, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof(cl_ulong));
    info->largest_buffer_bytes = get_number(id, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof(cl_ulong));
    info->local_bytes = get_number(id, CL_DEVICE_LOCAL_MEM_SIZE, sizeof(cl_ulong));
    info->part_alignment =
        (uint32_t)get_number(id, CL_DEVICE_MEM_BASE_ADDR_ALIGN, sizeof(cl_uint)) / CHAR_BIT;
    if (info->part_alignment < LEAST_ALIGNMENT)
        info->part_alignment = LEAST_ALIGNMENT;
    info->compute_units = (uint32_t)get_number(id, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof(cl_uint));
    info->clock_mhz = (uint32_t)get_number(id, CL_DEVICE_MAX_CLOCK_FREQUENCY, sizeof(cl_uint));
    info->max_group_size = (uint32_t)get_number(id, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof(size_t));
    info->vector_width = (uint32_t)get_number(id, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, sizeof(cl_uint));
    if (info->vector_width < 1)
        info->vector_width = 1;
    info->fp16 = strstr(extensions, "cl_khr_fp16") != NULL;
    info->sub_groups = strstr(extensions, "cl_khr_subgroups") || strstr(extensions, "cl_intel_subgroups");
    info->unified_memory = get_number(id, CL_DEVICE_HOST_UNIFIED_MEMORY, sizeof(cl_bool)) != 0;
    if (clGetDeviceInfo(id, CL_DEVICE_UUID_KHR, sizeof info->uuid, info->uuid, NULL) != CL_SUCCESS)
        memset(info->uuid, 0, sizeof info->uuid);
    info->nvidia = get_capability(id, extensions);
    bound_memory(info);
    if (!get_number(id, CL_DEVICE_AVAILABLE, sizeof(cl_bool)))
        snprintf(info->error, sizeof info->error, "the driver says that it is not available");
    else if (!get_number(id, CL_DEVICE_COMPILER_AVAILABLE, sizeof(cl_bool)))
        snprintf(info->error, sizeof info->error, "the driver has no compiler");
}

/* PoCL says no more than that, but it is known what it needs. */
static void no_device(dun_device_info *info, cl_int code) {
    const char *why = dun_cl_error_name(code);
    char tight[160];
    const dun_limits_source here = dun_limits_of_process();
    dun_limits_tell_address_space(tight, sizeof tight, &here);
    if (*tight || !dun_quirk_of(info, DUN_QUIRK_CACHES_ITSELF))
        snprintf(info->error, sizeof info->error, "no device: %s%s", why, tight);
    else if (dun_driver_cache_require() < 0)
        snprintf(info->error, sizeof info->error, "no device: %s", dun_error_message());
    else
        snprintf(info->error, sizeof info->error,
                 "no device: %s; is its folder of compiled kernels, %.300s, of use?", why,
                 dun_driver_cache_place());
}

/* With what is wrong with each driver that is registered. */
static int no_platform(cl_int code) {
    int rc = DUN_OK;
    dun_str reasons = {0};
    dun_icd_files icds = {0};
    TRY(dun_icd_files_find(&icds));
    for (size_t i = 0; i < icds.n; i++) {
        TRY(dun_str_addf(&reasons, "%s%s: ", i ? "; " : "", icds.files[i].path));
        TRY(dun_icd_file_explain(&reasons, &icds.files[i]));
    }
    if (icds.n)
        TRY(dun_error(DUN_BAD_DEVICE, "no OpenCL platform was found (%s): %s", dun_cl_error_name(code),
                      reasons.bytes));
    TRY(dun_error(DUN_BAD_DEVICE,
                  "no OpenCL platform was found (%s); install a driver's ICD, for example the package "
                  "pocl-opencl-icd for the CPU, or set OCL_ICD_VENDORS to the folder with its .icd file",
                  code == CL_SUCCESS ? "none is registered" : dun_cl_error_name(code)));
out:
    dun_icd_files_free(&icds);
    dun_str_free(&reasons);
    return rc;
}

/* Describes every device of every platform; a platform that fails gives one row with its error. */
static int walk(dun_device_info *infos, cl_device_id *ids, size_t capacity, size_t *n) {
    int rc = DUN_OK;
    cl_platform_id platforms[MAX_PLATFORMS];
    cl_uint n_platforms = 0;
    *n = 0;
    cl_int code = clGetPlatformIDs(MAX_PLATFORMS, platforms, &n_platforms);
    if (code != CL_SUCCESS || n_platforms == 0)
        TRY(no_platform(code));
    for (cl_uint p = 0; p < n_platforms && p < MAX_PLATFORMS; p++) {
        cl_device_id found[MAX_DEVICES];
        cl_uint n_found = 0;
        code = clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, MAX_DEVICES, found, &n_found);
        cl_uint rows = code == CL_SUCCESS ? n_found : 1;
        for (cl_uint d = 0; d < rows && d < MAX_DEVICES && *n < capacity; d++, ++*n) {
            dun_device_info *info = &infos[*n];
            info->platform_index = p;
            info->device_index = d;
            if (clGetPlatformInfo(platforms[p], CL_PLATFORM_NAME, sizeof info->platform - 1, info->platform,
                                  NULL) != CL_SUCCESS)
                snprintf(info->platform, sizeof info->platform, "?");
            if (clGetPlatformInfo(platforms[p], CL_PLATFORM_VERSION, sizeof info->platform_version - 1,
                                  info->platform_version, NULL) != CL_SUCCESS)
                snprintf(info->platform_version, sizeof info->platform_version, "?");
            ids[*n] = code == CL_SUCCESS ? found[d] : NULL;
            if (code == CL_SUCCESS)
                describe(info, found[d]);
            else
                no_device(info, code);
        }
    }
out:
    return rc;
}

static int list_with_ids(dun_device_info **infos, cl_device_id **ids, size_t *n) {
    int rc = DUN_OK;
    enum { CAPACITY = MAX_DEVICES * 4 };
    *infos = NULL;
    *ids = NULL;
    TRY_NEW(*infos, CAPACITY);
    TRY_NEW(*ids, CAPACITY);
    dun_driver_prepare();
    TRY(dun_cl_load());
    rc = walk(*infos, *ids, CAPACITY, n);
    dun_driver_worked();
    dun_driver_prepared();
    TRY(rc);
    for (size_t i = 0; i < *n; i++)
        if (dun_quirk_of(&(*infos)[i], DUN_QUIRK_CACHES_ITSELF))
            dun_driver_tell_cache();
out:
    if (rc < 0) {
        dun_free(*infos);
        dun_free(*ids);
        *infos = NULL;
        *ids = NULL;
    }
    return rc;
}

int dun_device_loader(void) {
    return dun_cl_load();
}

int dun_device_list(dun_device_info **infos, size_t *n) {
    cl_device_id *ids;
    int rc = list_with_ids(infos, &ids, n);
    dun_free(ids);
    return rc;
}

/* A queue of its own in the context that all share who have opened the same device. */
static int open_queue(dun_device *device) {
    int rc = DUN_OK;
    TRY(dun_context_take(device));
    TRY_CL_NEW(device->queue, device, "creating a command queue",
               clCreateCommandQueue(device->context, device->id,
                                    dun_trace_is_on() ? CL_QUEUE_PROFILING_ENABLE : 0, &code));
    TRY(dun_staging_create(device));
out:
    return rc;
}

int dun_device_open_again(dun_device **out, const dun_device *opened) {
    int rc = DUN_OK;
    dun_device *device = NULL;
    *out = NULL;
    TRY_NEW(device, 1);
    device->info = opened->info;
    device->id = opened->id;
    TRY(open_queue(device));
    *out = device;
    device = NULL;
out:
    dun_device_close(device);
    return rc;
}

const void *dun_device_memory(const dun_device *device) {
    return device->context;
}

int dun_device_open(dun_device **out, const char *selector) {
    int rc = DUN_OK;
    dun_device_info *infos = NULL;
    cl_device_id *ids = NULL;
    uint32_t *chosen = NULL;
    dun_device *device = NULL;
    size_t n, n_chosen;
    *out = NULL;
    TRY(list_with_ids(&infos, &ids, &n));
    TRY_NEW(chosen, n);
    TRY(dun_device_select(chosen, &n_chosen, infos, n, selector));
    if (n_chosen != 1)
        TRY(dun_error(DUN_BAD_DEVICE, "device selector \"%s\" means %zu devices; one is needed here",
                      selector, n_chosen));
    const dun_device_info *info = &infos[chosen[0]];
    if (info->error[0])
        TRY(dun_error(DUN_BAD_DEVICE, "%s, %s: cannot be used: %s", info->platform, info->name, info->error));
    TRY_NEW(device, 1);
    device->info = *info;
    device->id = ids[chosen[0]];
    TRY(open_queue(device));
    *out = device;
    device = NULL;
out:
    dun_device_close(device);
    dun_free(chosen);
    dun_free(ids);
    dun_free(infos);
    return rc;
}

void dun_device_close(dun_device *device) {
    if (!device)
        return;
    if (dun_trace_is_on())
        dun_trace_drain();
    dun_staging_free(device);
    CL_RELEASE(clReleaseEvent, device->mark);
    CL_RELEASE(clReleaseCommandQueue, device->queue);
    dun_context_give_back(device);
    dun_free(device->refused);
    dun_free(device);
}

const dun_device_info *dun_device_describe(const dun_device *device) {
    return &device->info;
}

void dun_device_set_watch(dun_device *device, dun_device_watch watch) {
    device->watch = watch;
}

void dun_device_set_common(dun_device *device, struct dun_common *common) {
    device->common = device->info.type == DUN_DEVICE_CPU ? common : NULL;
}

void dun_device_say(const dun_device *device, const char *format, ...) {
    char line[512];
    va_list args;
    if (!device->watch.say)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    device->watch.say(device->watch.self, line);
}

int dun_device_flush(dun_device *device) {
    int rc = DUN_OK;
    TRY_CL(device, "flushing the queue", clFlush(device->queue));
out:
    return rc;
}

int dun_device_finish(dun_device *device) {
    int rc = DUN_OK;
    device->n_waits++;
    TRY_CL(device, "waiting for the device", clFinish(device->queue));
    dun_staging_arrived(device);
out:
    return rc;
}

uint64_t dun_device_launches(const dun_device *device) {
    return device->n_launched;
}

uint64_t dun_device_waits(const dun_device *device) {
    return device->n_waits;
}
