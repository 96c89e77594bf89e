/* A layer over whatever driver there is, for OpenCL's loaders (OPENCL_LAYERS), that turns it hostile.
 * OCL_HOSTILE says how, in a process of its own or in all, "WHAT" or "WHAT=NUMBER":
 *
 *   hang-build, crash-build, fail-build   every build after the first NUMBER ones
 *   lose       the device is lost at launch NUMBER: that and all that follows fails
 *   lose-late  the same, but only what waits is told, as by drivers that queue first
 *   wrong      numbers that are read are a little off, after the first NUMBER reads
 *   nan        they are NaN
 *   memory     buffers of more than NUMBER bytes together are refused
 *   lies       the device tells limits that it does not have; with 1 it tells 0 of everything
 *   gpu        it says that it is a GPU, with a memory of its own of NUMBER bytes, if that is not 0
 *   nvidia     the device tells that it is NVIDIA's, of compute capability NUMBER / 10 */
#include <CL/cl.h>
#include <CL/cl_ext.h>
#include <CL/cl_icd.h>
#include <CL/cl_layer.h>

#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum what {
    NOTHING,
    HANG_BUILD,
    CRASH_BUILD,
    FAIL_BUILD,
    LOSE,
    LOSE_LATE,
    WRONG,
    NOT_A_NUMBER,
    MEMORY,
    LIES,
    GPU,
    NVIDIA
};

static const char *const words[] = {"nothing", "hang-build", "crash-build", "fail-build", "lose", "lose-late",
                                    "wrong",   "nan",        "memory",      "lies",       "gpu",  "nvidia"};

static const cl_icd_dispatch *under;
static cl_icd_dispatch own;
static enum what what;
static unsigned long long number;
static atomic_ullong n_builds, n_launches, n_reads, n_bytes;
static atomic_bool lost;

static void read_wish(void) {
    const char *wish = getenv("OCL_HOSTILE");
    const size_t length = wish ? strcspn(wish, "=") : 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (length == strlen(words[i]) && strncmp(wish, words[i], length) == 0)
            what = (enum what)i;
    number = wish && wish[length] ? strtoull(wish + length + 1, NULL, 10) : 0;
}

static cl_int CL_API_CALL build(cl_program program, cl_uint n, const cl_device_id *devices,
                                const char *options, void(CL_CALLBACK *notify)(cl_program, void *),
                                void *data) {
    const bool after = atomic_fetch_add(&n_builds, 1) >= number;
    while (after && what == HANG_BUILD)
        pause();
    if (after && what == CRASH_BUILD)
        abort();
    if (after && what == FAIL_BUILD)
        return CL_BUILD_PROGRAM_FAILURE;
    return under->clBuildProgram(program, n, devices, options, notify, data);
}

/* What the driver beneath still has is let end: a device that is lost works no more on memory that is freed.
 */
static cl_int CL_API_CALL finish(cl_command_queue queue) {
    const cl_int code = under->clFinish(queue);
    return lost ? CL_OUT_OF_RESOURCES : code;
}

static cl_int CL_API_CALL launch(cl_command_queue queue, cl_kernel kernel, cl_uint n, const size_t *offset,
                                 const size_t *global, const size_t *local, cl_uint n_events,
                                 const cl_event *events, cl_event *event) {
    if ((what == LOSE || what == LOSE_LATE) && atomic_fetch_add(&n_launches, 1) >= number)
        lost = true;
    if (lost && what == LOSE) {
        (void)under->clFinish(queue);
        return CL_DEVICE_NOT_AVAILABLE;
    }
    return under->clEnqueueNDRangeKernel(queue, kernel, n, offset, global, local, n_events, events, event);
}

/* Numbers only: what is not a whole number of floats is left alone. */
static void spoil(void *bytes, size_t size) {
    float *values = bytes;
    for (size_t i = 0; size % sizeof *values == 0 && i < size / sizeof *values; i += 3)
        values[i] = what == WRONG ? values[i] * 1.03f + 1e-3f : NAN;
}

static cl_int CL_API_CALL take(cl_command_queue queue, cl_mem buffer, cl_bool blocking, size_t offset,
                               size_t size, void *bytes, cl_uint n_events, const cl_event *events,
                               cl_event *event) {
    const bool spoils = (what == WRONG || what == NOT_A_NUMBER) && atomic_fetch_add(&n_reads, 1) >= number;
    if (lost)
        return finish(queue);
    const cl_int code = under->clEnqueueReadBuffer(queue, buffer, spoils ? CL_TRUE : blocking, offset, size,
                                                   bytes, n_events, events, event);
    if (spoils && code == CL_SUCCESS)
        spoil(bytes, size);
    return code;
}

static cl_int CL_API_CALL give(cl_command_queue queue, cl_mem buffer, cl_bool blocking, size_t offset,
                               size_t size, const void *bytes, cl_uint n_events, const cl_event *events,
                               cl_event *event) {
    if (lost && what == LOSE)
        return CL_DEVICE_NOT_AVAILABLE;
    return under->clEnqueueWriteBuffer(queue, buffer, blocking, offset, size, bytes, n_events, events, event);
}

static cl_int CL_API_CALL wait_for(cl_uint n, const cl_event *events) {
    return lost ? CL_OUT_OF_RESOURCES : under->clWaitForEvents(n, events);
}

static cl_mem CL_API_CALL create_buffer(cl_context context, cl_mem_flags flags, size_t size, void *bytes,
                                        cl_int *code) {
    if (what == MEMORY && atomic_fetch_add(&n_bytes, size) + size > number) {
        atomic_fetch_sub(&n_bytes, size);
        if (code)
            *code = CL_MEM_OBJECT_ALLOCATION_FAILURE;
        return NULL;
    }
    return under->clCreateBuffer(context, flags, size, bytes, code);
}

static const struct {
    cl_device_info key;
    cl_ulong value;
} lies[] = {
    {CL_DEVICE_MAX_WORK_GROUP_SIZE, 1ull << 31}, {CL_DEVICE_LOCAL_MEM_SIZE, 1ull << 50},
    {CL_DEVICE_GLOBAL_MEM_SIZE, 1ull << 62},     {CL_DEVICE_MAX_MEM_ALLOC_SIZE, 1ull << 62},
    {CL_DEVICE_MAX_COMPUTE_UNITS, 640},          {CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, 3},
    {CL_DEVICE_MEM_BASE_ADDR_ALIGN, 8ull << 27}, {CL_DEVICE_MAX_CLOCK_FREQUENCY, 0xffffffffu},
};

/* A GPU with a name of its own among all hardware, which a driver beneath need not know. */
static cl_int describe_gpu(cl_device_info key, size_t size, void *value, cl_int code) {
    const cl_ulong type = CL_DEVICE_TYPE_GPU, unified = CL_FALSE;
    switch (key) {
    case CL_DEVICE_TYPE:
        memcpy(value, &type, size < sizeof type ? size : sizeof type);
        break;
    case CL_DEVICE_HOST_UNIFIED_MEMORY:
        memcpy(value, &unified, size < sizeof unified ? size : sizeof unified);
        break;
    case CL_DEVICE_GLOBAL_MEM_SIZE:
    case CL_DEVICE_MAX_MEM_ALLOC_SIZE:
        if (number)
            memcpy(value, &number, size < sizeof number ? size : sizeof number);
        break;
    case CL_DEVICE_UUID_KHR:
        memset(value, 7, size);
        return CL_SUCCESS;
    default:
        break;
    }
    return code;
}

/* What a driver of NVIDIA's adds to what the one beneath tells. */
static cl_int as_nvidia(cl_int code, cl_device_info key, size_t size, void *value) {
    static const char more[] = " cl_nv_device_attribute_query";
    const cl_uint part = (cl_uint)(key == CL_DEVICE_COMPUTE_CAPABILITY_MAJOR_NV ? number / 10 : number % 10);
    const bool is_part =
        key == CL_DEVICE_COMPUTE_CAPABILITY_MAJOR_NV || key == CL_DEVICE_COMPUTE_CAPABILITY_MINOR_NV;
    if (is_part && value && size >= sizeof part)
        memcpy(value, &part, sizeof part);
    else if (key == CL_DEVICE_EXTENSIONS && value && code == CL_SUCCESS &&
             strlen(value) + sizeof more <= size)
        memcpy((char *)value + strlen(value), more, sizeof more);
    return is_part ? CL_SUCCESS : code;
}

static cl_int CL_API_CALL describe(cl_device_id device, cl_device_info key, size_t size, void *value,
                                   size_t *size_ret) {
    const cl_int code = under->clGetDeviceInfo(device, key, size, value, size_ret);
    if (what == GPU && value)
        return describe_gpu(key, size, value, code);
    if (what == NVIDIA)
        return as_nvidia(code, key, size, value);
    for (size_t i = 0; what == LIES && value && code == CL_SUCCESS && i < sizeof lies / sizeof *lies; i++) {
        const cl_ulong lie = number ? 0 : lies[i].value;
        if (lies[i].key == key)
            memcpy(value, &lie, size < sizeof lie ? size : sizeof lie);
    }
    return code;
}

CL_API_ENTRY cl_int CL_API_CALL clGetLayerInfo(cl_layer_info param_name, size_t param_value_size,
                                               void *param_value, size_t *param_value_size_ret) {
    const cl_layer_api_version version = CL_LAYER_API_VERSION_100;
    if (param_name != CL_LAYER_API_VERSION || (param_value && param_value_size < sizeof version))
        return CL_INVALID_VALUE;
    if (param_value)
        memcpy(param_value, &version, sizeof version);
    if (param_value_size_ret)
        *param_value_size_ret = sizeof version;
    return CL_SUCCESS;
}

CL_API_ENTRY cl_int CL_API_CALL clInitLayer(cl_uint num_entries, const cl_icd_dispatch *target_dispatch,
                                            cl_uint *num_entries_ret,
                                            const cl_icd_dispatch **layer_dispatch_ret) {
    const size_t most = sizeof own / sizeof(void *), n = num_entries < most ? num_entries : most;
    if (!target_dispatch || !num_entries_ret || !layer_dispatch_ret)
        return CL_INVALID_VALUE;
    under = target_dispatch;
    memcpy(&own, target_dispatch, n * sizeof(void *));
    read_wish();
    own.clBuildProgram = build;
    own.clEnqueueNDRangeKernel = launch;
    own.clEnqueueReadBuffer = take;
    own.clEnqueueWriteBuffer = give;
    own.clFinish = finish;
    own.clWaitForEvents = wait_for;
    own.clCreateBuffer = create_buffer;
    own.clGetDeviceInfo = describe;
    *num_entries_ret = (cl_uint)n;
    *layer_dispatch_ret = &own;
    return CL_SUCCESS;
}
