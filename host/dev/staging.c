/* A ring of blocks in which small writes wait for the device, so that the host need not. */
#include "dev/staging.h"

#include "base/mem.h"
#include "dev/opencl.h"

#include <string.h>

enum { FIRST_BYTES = 4096 };

/* The ring's events are the device's, as its queue is: they come and go unseen by those who count objects. */
static void forget(cl_event *sent) {
    if (*sent)
        (void)clReleaseEvent(*sent);
    *sent = NULL;
}

/* Takes a block back from the write that had it. */
static int reclaim(dun_device *device, cl_event *sent) {
    int rc = DUN_OK;
    cl_int status = CL_COMPLETE;
    if (!*sent)
        goto out;
    TRY_CL(device, "asking after a write",
           clGetEventInfo(*sent, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL));
    if (status > CL_COMPLETE) {
        device->n_waits++;
        TRY_CL(device, "waiting for a write", clWaitForEvents(1, sent));
    } else if (status < 0) {
        TRY(dun_cl_failed(device, "writing a buffer", status));
    }
    forget(sent);
out:
    return rc;
}

int dun_staging_create(dun_device *device) {
    int rc = DUN_OK;
    for (size_t i = 0; i < DUN_STAGED; i++) {
        TRY_PTR(device->staging.blocks[i].bytes, dun_calloc(FIRST_BYTES, 1));
        device->staging.blocks[i].capacity = FIRST_BYTES;
    }
out:
    return rc;
}

int dun_staging_write(dun_device *device, cl_mem mem, size_t offset_bytes, const void *data, size_t bytes,
                      cl_event *event) {
    int rc = DUN_OK;
    dun_staging *staging = &device->staging;
    uint32_t at = staging->next++ % DUN_STAGED;
    void **block = &staging->blocks[at].bytes;
    cl_event *sent = &staging->blocks[at].sent;
    TRY(reclaim(device, sent));
    if (staging->blocks[at].capacity < bytes) {
        void *larger;
        TRY_PTR(larger, dun_realloc(*block, bytes, 1));
        *block = larger;
        staging->blocks[at].capacity = bytes;
    }
    memcpy(*block, data, bytes);
    TRY_CL(device, "writing a buffer",
           clEnqueueWriteBuffer(device->queue, mem, CL_FALSE, offset_bytes, bytes, *block, 0, NULL, sent));
    if (event) {
        (void)clRetainEvent(*sent);
        *event = *sent;
    }
out:
    return rc;
}

void dun_staging_arrived(dun_device *device) {
    for (size_t i = 0; i < DUN_STAGED; i++)
        forget(&device->staging.blocks[i].sent);
}

void dun_staging_free(dun_device *device) {
    if (device->staging.next && device->queue)
        (void)clFinish(device->queue);
    dun_staging_arrived(device);
    for (size_t i = 0; i < DUN_STAGED; i++)
        dun_free(device->staging.blocks[i].bytes);
    device->staging = (dun_staging){0};
}
