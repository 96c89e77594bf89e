/* Creates buffers, with huge pages where that pays, counts their bytes, and queues every copy. */
#include "dev/buffer.h"

#include "dev/common.h"
#include "dev/opencl.h"
#include "dev/pages.h"
#include "dev/trace_inside.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>

static struct { atomic_uint_least64_t live, peak; } buffers; /* their bytes, over all devices */

/* Of memory that a limit of the process bounds: the system would end it without a word, not refuse a buffer.
 */
static uint64_t live_of(const dun_device *device) {
    uint64_t live = buffers.live;
    return live < device->info.memory_bytes ? live : device->info.memory_bytes;
}

static int create(dun_buffer *out, dun_device *device, size_t bytes, bool huge_pages, const char *what) {
    int rc = DUN_OK;
    cl_mem mem = NULL;
    *out = (dun_buffer){.device = device};
    if (bytes > device->info.largest_buffer_bytes)
        TRY(dun_error(DUN_BAD_DEVICE, "%s needs a buffer of %.1f MB; %s allows at most %.1f MB", what,
                      (double)bytes / 1e6, device->info.name,
                      (double)device->info.largest_buffer_bytes / 1e6));
    if (device->info.memory_by[0] && bytes > device->info.memory_bytes - live_of(device))
        TRY(dun_error(DUN_BAD_DEVICE,
                      "%s needs %.0f MB beside %.0f MB in use; this process may have %.0f MB (%s)", what,
                      (double)bytes / 1e6, (double)live_of(device) / 1e6,
                      (double)device->info.memory_bytes / 1e6, device->info.memory_by));
    if (bytes == 0)
        bytes = sizeof(float); /* OpenCL has no empty buffers; an empty tensor is legal here */
    if (device->common && bytes >= DUN_COMMON_LEAST)
        out->common = (out->pages = dun_common_alloc(bytes)) != NULL;
    else if (huge_pages && device->info.type == DUN_DEVICE_CPU && bytes >= DUN_PAGES_LEAST)
        out->pages = dun_pages_alloc(bytes);
    out->bytes = bytes;
    cl_mem_flags flags = CL_MEM_READ_WRITE | (out->pages ? CL_MEM_USE_HOST_PTR : 0);
    TRY_CL_NEW(mem, device, what, clCreateBuffer(device->context, flags, bytes, out->pages, &code));
    out->mem = mem;
    uint64_t live = atomic_fetch_add(&buffers.live, bytes) + bytes, peak = buffers.peak;
    while (peak < live && !atomic_compare_exchange_weak(&buffers.peak, &peak, live))
        ;
out:
    if (rc < 0)
        dun_buffer_free(out);
    return rc;
}

int dun_buffer_create(dun_buffer *out, dun_device *device, size_t bytes, const char *what) {
    return create(out, device, bytes, false, what);
}

int dun_buffer_create_matrix(dun_buffer *out, dun_device *device, size_t bytes, const char *what) {
    return create(out, device, bytes, true, what);
}

int dun_buffer_create_part(dun_buffer *out, const dun_buffer *whole, size_t offset_bytes, size_t bytes,
                           const char *what) {
    int rc = DUN_OK;
    cl_mem mem = NULL;
    const cl_buffer_region region = {.origin = offset_bytes, .size = bytes};
    assert(bytes > 0 && offset_bytes + bytes <= whole->bytes &&
           offset_bytes % whole->device->info.part_alignment == 0);
    *out = (dun_buffer){.device = whole->device};
    TRY_CL_NEW(
        mem, whole->device, what,
        clCreateSubBuffer(whole->mem, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &code));
    out->mem = mem;
    out->bytes = bytes;
    out->borrowed = true;
out:
    return rc;
}

/* The driver only reads what it is given as memory that kernels only read. */
int dun_buffer_create_over(dun_buffer *out, dun_device *device, const void *bytes, size_t n,
                           const char *what) {
    int rc = DUN_OK;
    cl_mem mem = NULL;
    *out = (dun_buffer){.device = device};
    if (device->info.type != DUN_DEVICE_CPU) {
        TRY(create(out, device, n, false, what));
        TRY(dun_buffer_write(out, 0, bytes, n));
        goto out;
    }
    TRY_CL_NEW(mem, device, what,
               clCreateBuffer(device->context, CL_MEM_READ_ONLY | CL_MEM_USE_HOST_PTR, n,
                              (void *)(uintptr_t)bytes, &code));
    out->mem = mem;
    out->bytes = n;
    out->borrowed = true;
out:
    if (rc < 0)
        dun_buffer_free(out);
    return rc;
}

void dun_buffer_free(dun_buffer *buffer) {
    cl_mem mem = buffer->mem;
    if (mem && !buffer->borrowed)
        buffers.live -= buffer->bytes;
    if (mem && buffer->pages)
        (void)clFinish(
            buffer->device->queue); /* a driver keeps its own memory for queued commands, not ours */
    CL_RELEASE(clReleaseMemObject, mem);
    if (buffer->common)
        dun_common_release(buffer->pages, buffer->bytes);
    else
        dun_pages_free(buffer->pages);
    *buffer = (dun_buffer){0};
}

bool dun_buffer_can_be_common(const dun_device *device) {
    return device->common != NULL;
}

void dun_buffer_make_common(dun_buffer *buffer) {
    if (buffer->common && buffer->device->common)
        dun_common_take(buffer->device->common, buffer->pages, buffer->bytes);
}

/* Where a copy's event goes: nowhere unless there is a trace. */
static cl_event *traced(cl_event *event) {
    return dun_trace_is_on() ? event : NULL;
}

static void trace_copy(dun_device *device, cl_event event, const char *name, size_t bytes) {
    char shape[48];
    snprintf(shape, sizeof shape, ", \"bytes\": %zu", bytes);
    if (event)
        dun_trace_add(device, event, name, shape);
}

int dun_buffer_write(dun_buffer *buffer, size_t offset_bytes, const void *data, size_t bytes) {
    int rc = DUN_OK;
    cl_event event = NULL;
    dun_device *device = buffer->device;
    if (bytes == 0)
        goto out;
    if (bytes <= DUN_STAGED_BYTES) {
        TRY(dun_staging_write(device, buffer->mem, offset_bytes, data, bytes, traced(&event)));
    } else {
        device->n_waits++;
        TRY_CL(device, "writing a buffer",
               clEnqueueWriteBuffer(device->queue, buffer->mem, CL_TRUE, offset_bytes, bytes, data, 0, NULL,
                                    traced(&event)));
        dun_staging_arrived(device);
    }
    trace_copy(device, event, "write", bytes);
out:
    return rc;
}

/* Queues a read, and waits for it and all before it where it is the last. */
static int read_part(const dun_buffer_part *part, bool last) {
    int rc = DUN_OK;
    cl_event event = NULL;
    dun_device *device = part->buffer->device;
    device->n_waits += last;
    TRY_CL(device, "reading a buffer",
           clEnqueueReadBuffer(device->queue, part->buffer->mem, last ? CL_TRUE : CL_FALSE,
                               part->offset_bytes, part->bytes, part->data, 0, NULL, traced(&event)));
    trace_copy(device, event, "read", part->bytes);
    if (last)
        dun_staging_arrived(device);
out:
    return rc;
}

/* Reads all parts, and waits with the last one or not. */
static int read_all(const dun_buffer_part *parts, size_t n, bool wait) {
    int rc = DUN_OK;
    size_t queued = 0;
    while (n > 0 && parts[n - 1].bytes == 0)
        n--;
    for (size_t i = 0; i < n; i++) {
        if (parts[i].bytes == 0)
            continue;
        TRY(read_part(&parts[i], wait && i == n - 1));
        queued++;
    }
out:
    if (rc < 0 && queued > 0) /* what is queued must not arrive after its place is gone */
        (void)clFinish(parts->buffer->device->queue);
    return rc;
}

int dun_buffer_read_parts(const dun_buffer_part *parts, size_t n) {
    return read_all(parts, n, true);
}

int dun_buffer_read_later(const dun_buffer_part *parts, size_t n) {
    return read_all(parts, n, false);
}

int dun_buffer_read(void *data, const dun_buffer *buffer, size_t offset_bytes, size_t bytes) {
    return dun_buffer_read_parts(&(dun_buffer_part){data, buffer, offset_bytes, bytes}, 1);
}

int dun_buffer_fill(dun_buffer *buffer, uint8_t value) {
    int rc = DUN_OK;
    TRY_CL(
        buffer->device, "filling a buffer",
        clEnqueueFillBuffer(buffer->device->queue, buffer->mem, &value, 1, 0, buffer->bytes, 0, NULL, NULL));
out:
    return rc;
}

int dun_buffer_copy(dun_buffer *to, size_t to_bytes, const dun_buffer *from, size_t from_bytes,
                    size_t bytes) {
    int rc = DUN_OK;
    cl_event event = NULL;
    TRY_CL(to->device, "copying a buffer",
           clEnqueueCopyBuffer(to->device->queue, from->mem, to->mem, from_bytes, to_bytes, bytes, 0, NULL,
                               traced(&event)));
    trace_copy(to->device, event, "copy", bytes);
out:
    return rc;
}

int dun_buffer_map(void **out, dun_buffer *buffer) {
    int rc = DUN_OK;
    cl_int code = CL_SUCCESS;
    *out = NULL;
    buffer->device->n_waits++;
    if (!dun_fault_here())
        *out = clEnqueueMapBuffer(buffer->device->queue, buffer->mem, CL_TRUE, CL_MAP_WRITE, 0, buffer->bytes,
                                  0, NULL, NULL, &code);
    if (!*out)
        TRY(dun_cl_failed(buffer->device, "mapping a buffer", code));
out:
    return rc;
}

int dun_buffer_unmap(dun_buffer *buffer, void *mapped) {
    int rc = DUN_OK;
    if (!mapped)
        goto out;
    TRY_CL(buffer->device, "unmapping a buffer",
           clEnqueueUnmapMemObject(buffer->device->queue, buffer->mem, mapped, 0, NULL, NULL));
out:
    return rc;
}

uint64_t dun_buffer_live_bytes(void) {
    return buffers.live;
}

uint64_t dun_buffer_peak_bytes(void) {
    return buffers.peak;
}
