/* Building programs and launching kernels; see program.h. */
#include "dev/program.h"

#include "base/clock.h"
#include "base/mem.h"
#include "dev/context.h"
#include "dev/driver.h"
#include "dev/driver_try.h"
#include "dev/opencl.h"
#include "dev/program_cache.h"
#include "dev/quirks.h"
#include "dev/trace_inside.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct dun_program {
    dun_device *device;
    cl_program program;
    dun_program_origin origin;
    bool shared; /* others may have the same one */
};

struct dun_kernel {
    dun_device *device;
    cl_kernel kernel;
    char *name;
    bool launched;
};

/* The first line of a log that tells of an error, else its first line. */
static dun_slice first_error(const char *log) {
    const char *line = strstr(log, "error");
    while (line && line > log && line[-1] != '\n')
        line--;
    line = line ? line : log + strspn(log, " \n");
    return (dun_slice){line, strcspn(line, "\n")};
}

/* The log's end is where compilers put the error that stopped them. */
static int build_failed(dun_program *program, const char *defines, cl_int code) {
    char *log = NULL;
    size_t bytes = 0;
    clGetProgramBuildInfo(program->program, program->device->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &bytes);
    log = dun_calloc(bytes + 1, 1);
    if (log)
        clGetProgramBuildInfo(program->program, program->device->id, CL_PROGRAM_BUILD_LOG, bytes, log, NULL);
    enum { SHOWN = 2500 };
    const char *text = log ? log : "";
    const size_t length = strlen(text);
    const dun_slice first = first_error(text);
    const bool keeps = dun_quirk_of(&program->device->info, DUN_QUIRK_CACHES_ITSELF);
    int rc = dun_error(
        DUN_BAD_DEVICE, "the kernels do not compile: %.*s (%s on %s, driver %s%s%s, with %s)\n%s",
        first.length < 150 ? (int)first.length : 150, first.bytes, dun_cl_error_name(code),
        program->device->info.name, program->device->info.driver, keeps ? ", which keeps them in " : "",
        keeps ? dun_driver_cache_place() : "", defines, length > SHOWN ? text + length - SHOWN : text);
    dun_free(log);
    return rc;
}

static int compile(dun_program *program, const char *text, const char *defines) {
    int rc = DUN_OK;
    const dun_device *device = program->device;
    TRY_CL_NEW(program->program, device, "creating a program",
               clCreateProgramWithSource(device->context, 1, &text, NULL, &code));
    cl_int code = dun_fault_here() ? CL_OUT_OF_HOST_MEMORY
                                   : clBuildProgram(program->program, 1, &device->id, defines, NULL, NULL);
    dun_driver_worked();
    if (code != CL_SUCCESS)
        TRY(build_failed(program, defines, code));
out:
    return rc;
}

int dun_program_build_text(dun_program **out, dun_device *device, const char *text, const char *defines) {
    int rc = DUN_OK;
    dun_program *program = NULL;
    *out = NULL;
    TRY_NEW(program, 1);
    program->device = device;
    TRY(compile(program, text, defines));
    *out = program;
    program = NULL;
out:
    dun_program_free(program);
    return rc;
}

/* Takes the program from the cache, or compiles it and keeps it there. */
static int build_cached(dun_program *program, const char *text, const char *defines, const dun_str *key,
                        bool *told) {
    int rc = DUN_OK;
    dun_device *device = program->device;
    dun_program_lookup lookup;
    double begun = dun_clock_seconds();
    program->program = dun_program_from_cache(&lookup, device, defines, key);
    program->origin.from_cache = lookup.known;
    if (!lookup.known && (!*told || *lookup.problem)) {
        dun_device_say(device, "kernels   compiling for this device and driver; it takes a while, once%s%s",
                       *lookup.problem ? "; what was kept is ignored: " : "", lookup.problem);
        *told = true;
    }
    if (!lookup.known)
        TRY(dun_driver_try(device));
    if (!program->program)
        TRY(compile(program, text, defines));
    program->origin.seconds = dun_clock_seconds() - begun;
    if (!lookup.known)
        dun_program_to_cache(&lookup, device, program->program, key);
    memcpy(program->origin.problem, lookup.problem, sizeof program->origin.problem);
out:
    return rc;
}

/* Takes the program of another who has it now, or makes it one that others can have. */
static int build_shared(dun_program *program, const char *text, const char *defines, const dun_str *key,
                        bool *told) {
    int rc = DUN_OK;
    dun_program_sharing_begin();
    program->program = dun_program_shared(program->device, key);
    program->origin.from_cache = program->shared = program->program != NULL;
    if (program->shared)
        goto out;
    TRY(build_cached(program, text, defines, key, told));
    dun_program_share(program->program, program->device, key);
    program->shared = true;
out:
    dun_program_sharing_end();
    return rc;
}

int dun_program_build(dun_program **out, dun_device *device, const char *topic, const char *text,
                      const char *defines, bool *told) {
    int rc = DUN_OK;
    dun_program *program = NULL;
    dun_str key = {0};
    *out = NULL;
    TRY(dun_program_key(&key, &device->info, topic, text, defines));
    TRY_NEW(program, 1);
    program->device = device;
    TRY(build_shared(program, text, defines, &key, told));
    *out = program;
    program = NULL;
out:
    dun_program_free(program);
    dun_str_free(&key);
    return rc;
}

const dun_program_origin *dun_program_origin_of(const dun_program *program) {
    return &program->origin;
}

void dun_program_free(dun_program *program) {
    if (!program)
        return;
    if (program->shared)
        dun_program_let_go(program->program);
    CL_RELEASE(clReleaseProgram, program->program);
    dun_free(program);
}

int dun_kernel_create(dun_kernel **out, dun_program *program, const char *name) {
    int rc = DUN_OK;
    dun_kernel *kernel = NULL;
    *out = NULL;
    TRY_NEW(kernel, 1);
    kernel->device = program->device;
    TRY_PTR(kernel->name, dun_strdup(name));
    TRY_CL_NEW(kernel->kernel, program->device, name, clCreateKernel(program->program, name, &code));
    *out = kernel;
    kernel = NULL;
out:
    dun_kernel_free(kernel);
    return rc;
}

void dun_kernel_free(dun_kernel *kernel) {
    if (!kernel)
        return;
    CL_RELEASE(clReleaseKernel, kernel->kernel);
    dun_free(kernel->name);
    dun_free(kernel);
}

int dun_kernel_check(const dun_kernel *kernel, size_t group) {
    int rc = DUN_OK;
    const dun_device *device = kernel->device;
    size_t most = 0;
    cl_ulong bytes = 0;
    TRY_CL(device, kernel->name,
           clGetKernelWorkGroupInfo(kernel->kernel, device->id, CL_KERNEL_WORK_GROUP_SIZE, sizeof most, &most,
                                    NULL));
    TRY_CL(device, kernel->name,
           clGetKernelWorkGroupInfo(kernel->kernel, device->id, CL_KERNEL_LOCAL_MEM_SIZE, sizeof bytes,
                                    &bytes, NULL));
    if (group > most)
        TRY(dun_error(DUN_BAD_DEVICE,
                      "kernel %s: %s launches it in work-groups of at most %zu items, not %zu", kernel->name,
                      device->info.name, most, group));
    if (bytes > device->info.local_bytes)
        TRY(dun_error(DUN_BAD_DEVICE, "kernel %s takes %llu bytes of local memory; %s has %llu", kernel->name,
                      (unsigned long long)bytes, device->info.name,
                      (unsigned long long)device->info.local_bytes));
out:
    return rc;
}

bool dun_kernel_was_launched(const dun_kernel *kernel) {
    return kernel->launched;
}

static cl_int set_arg(cl_kernel kernel, cl_uint index, const dun_arg *arg) {
    switch (arg->kind) {
    case DUN_ARG_BUFFER: {
        cl_mem mem = (cl_mem)(uintptr_t)arg->mem;
        return clSetKernelArg(kernel, index, sizeof mem, &mem);
    }
    case DUN_ARG_INT:
        return clSetKernelArg(kernel, index, sizeof arg->i, &arg->i);
    case DUN_ARG_FLOAT:
        return clSetKernelArg(kernel, index, sizeof arg->f, &arg->f);
    case DUN_ARG_OFFSET:
        return clSetKernelArg(kernel, index, sizeof arg->offset, &arg->offset);
    case DUN_ARG_LOCAL:
        return clSetKernelArg(kernel, index, (size_t)arg->offset, NULL);
    }
    return CL_INVALID_ARG_VALUE;
}

/* The whole numbers among the arguments, for the trace: shapes, in the kernel's order. */
static void trace_launch(const dun_kernel *kernel, cl_event event, dun_range range, const dun_arg *args,
                         size_t n_args) {
    char shape[DUN_TRACE_SHAPE];
    int at = snprintf(shape, sizeof shape, ", \"groups\": \"%zux%zu\"", range.groups[0], range.groups[1]);
    const char *before = ", \"ints\": \"";
    for (size_t i = 0; i < n_args && at + 16 < (int)sizeof shape; i++)
        if (args[i].kind == DUN_ARG_INT) {
            at += snprintf(shape + at, sizeof shape - (size_t)at, "%s%d", before, args[i].i);
            before = " ";
        }
    if (before[0] == ' ')
        snprintf(shape + at, sizeof shape - (size_t)at, "\"");
    dun_trace_add(kernel->device, event, kernel->name, shape);
}

int dun_launch(dun_kernel *kernel, dun_range range, const dun_arg *args, size_t n_args) {
    int rc = DUN_OK;
    if (range.groups[0] == 0 || range.groups[1] == 0)
        goto out;
    cl_int code = CL_SUCCESS; /* one fault point a launch: the enqueueing's */
    for (cl_uint i = 0; i < n_args && code == CL_SUCCESS; i++)
        code = set_arg(kernel->kernel, i, &args[i]);
    if (code != CL_SUCCESS)
        TRY(dun_cl_failed(kernel->device, kernel->name, code));
    size_t global[2] = {range.groups[0] * range.group, range.groups[1]};
    size_t local[2] = {range.group, 1};
    cl_event event = NULL;
    TRY_CL(kernel->device, kernel->name,
           clEnqueueNDRangeKernel(kernel->device->queue, kernel->kernel, 2, NULL, global, local, 0, NULL,
                                  dun_trace_is_on() ? &event : NULL));
    if (event)
        trace_launch(kernel, event, range, args, n_args);
    kernel->launched = true;
    TRY(dun_queue_launched(kernel->device));
out:
    return rc;
}
