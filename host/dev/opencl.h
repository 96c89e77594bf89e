/* Private to host/dev: the OpenCL headers, the structures behind the opaque types, and the checked call. */
#ifndef DUN_OPENCL_H
#define DUN_OPENCL_H

#include "base/err.h"
#include "base/fault.h"
#include "dev/device.h"
#include "dev/opencl_load.h"
#include "dev/staging.h"

/* Calls by name go through the table. */
#define clBuildProgram dun_cl.clBuildProgram
#define clCreateBuffer dun_cl.clCreateBuffer
#define clCreateCommandQueue dun_cl.clCreateCommandQueue
#define clCreateContext dun_cl.clCreateContext
#define clCreateKernel dun_cl.clCreateKernel
#define clCreateProgramWithBinary dun_cl.clCreateProgramWithBinary
#define clCreateProgramWithSource dun_cl.clCreateProgramWithSource
#define clCreateSubBuffer dun_cl.clCreateSubBuffer
#define clEnqueueCopyBuffer dun_cl.clEnqueueCopyBuffer
#define clEnqueueFillBuffer dun_cl.clEnqueueFillBuffer
#define clEnqueueMapBuffer dun_cl.clEnqueueMapBuffer
#define clEnqueueMarkerWithWaitList dun_cl.clEnqueueMarkerWithWaitList
#define clEnqueueNDRangeKernel dun_cl.clEnqueueNDRangeKernel
#define clEnqueueReadBuffer dun_cl.clEnqueueReadBuffer
#define clEnqueueUnmapMemObject dun_cl.clEnqueueUnmapMemObject
#define clEnqueueWriteBuffer dun_cl.clEnqueueWriteBuffer
#define clFinish dun_cl.clFinish
#define clFlush dun_cl.clFlush
#define clGetDeviceIDs dun_cl.clGetDeviceIDs
#define clGetDeviceInfo dun_cl.clGetDeviceInfo
#define clGetEventInfo dun_cl.clGetEventInfo
#define clGetEventProfilingInfo dun_cl.clGetEventProfilingInfo
#define clGetKernelWorkGroupInfo dun_cl.clGetKernelWorkGroupInfo
#define clGetPlatformIDs dun_cl.clGetPlatformIDs
#define clGetPlatformInfo dun_cl.clGetPlatformInfo
#define clGetProgramBuildInfo dun_cl.clGetProgramBuildInfo
#define clGetProgramInfo dun_cl.clGetProgramInfo
#define clReleaseCommandQueue dun_cl.clReleaseCommandQueue
#define clReleaseContext dun_cl.clReleaseContext
#define clReleaseEvent dun_cl.clReleaseEvent
#define clReleaseKernel dun_cl.clReleaseKernel
#define clReleaseMemObject dun_cl.clReleaseMemObject
#define clReleaseProgram dun_cl.clReleaseProgram
#define clRetainContext dun_cl.clRetainContext
#define clRetainEvent dun_cl.clRetainEvent
#define clRetainProgram dun_cl.clRetainProgram
#define clSetKernelArg dun_cl.clSetKernelArg
#define clWaitForEvents dun_cl.clWaitForEvents

struct dun_device {
    dun_device_info info;
    cl_device_id id;
    cl_context context;
    cl_command_queue queue;
    dun_device_watch watch;
    cl_event mark; /* the queue some launches ago, see queue.c; or NULL */
    uint64_t n_launched;
    uint64_t n_waits; /* see dun_device_waits */
    dun_staging staging;
    struct dun_common *common; /* of dun_device_set_common */
    char *refused;             /* why nothing is built on it (driver_try.h), or NULL */
};

/* To be called after every launch: bounds the depth of the queue. */
int dun_queue_launched(dun_device *device);

/* Tells the device's watch a line, if there is one. */
void dun_device_say(const dun_device *device, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Name of an OpenCL error code, e.g. "CL_OUT_OF_RESOURCES". */
const char *dun_cl_error_name(cl_int code);

/* Records "what: CL_...  on DEVICE (DRIVER)" and returns DUN_BAD_DEVICE. */
int dun_cl_failed(const dun_device *device, const char *what, cl_int code);

/* A created object joins the live count; NULL (a failed creation) does not. */
void dun_cl_count(const void *object, int change);

/* Runs an OpenCL call that returns its status, with a fault point in front. */
#define TRY_CL(device, what, call)                                                                           \
    do {                                                                                                     \
        cl_int code_ = dun_fault_here() ? CL_OUT_OF_HOST_MEMORY : (call);                                    \
        if (code_ != CL_SUCCESS)                                                                             \
            TRY(dun_cl_failed((device), (what), code_));                                                     \
    } while (0)

/* Runs an OpenCL call that returns an object and writes its status to `code`. */
#define TRY_CL_NEW(object, device, what, call)                                                               \
    do {                                                                                                     \
        cl_int code = CL_OUT_OF_HOST_MEMORY;                                                                 \
        (object) = dun_fault_here() ? NULL : (call);                                                         \
        if (!(object))                                                                                       \
            TRY(dun_cl_failed((device), (what), code));                                                      \
        dun_cl_count((object), 1);                                                                           \
    } while (0)

/* Releases an object once and forgets it. */
#define CL_RELEASE(release, object)                                                                          \
    do {                                                                                                     \
        if (object) {                                                                                        \
            (void)release(object);                                                                           \
            dun_cl_count((object), -1);                                                                      \
            (object) = NULL;                                                                                 \
        }                                                                                                    \
    } while (0)

#endif
