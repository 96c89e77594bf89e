/* Private to host/dev: bytes on their way to a device that nobody waits for. */
#ifndef DUN_STAGING_H
#define DUN_STAGING_H

#include "dev/device.h"

#include <CL/cl.h>

/* A step writes fewer times than this between two waits, so that none of its writes finds the ring full.
 * Larger writes than DUN_STAGED_BYTES are copied while the host waits, instead of twice. */
enum { DUN_STAGED = 8, DUN_STAGED_BYTES = 4 << 20 };

typedef struct {
    struct {
        void *bytes;
        size_t capacity;
        cl_event sent;
    } blocks[DUN_STAGED];
    uint32_t next;
} dun_staging;

int dun_staging_create(dun_device *device);

/* Queues a write of a copy of `data`, which is the caller's again. Waits only for the write that had the
 * copy's block before, if that is not done. `event`: as OpenCL's, or NULL. */
int dun_staging_write(dun_device *device, cl_mem mem, size_t offset_bytes, const void *data, size_t bytes,
                      cl_event *event);

/* To be called once all that was queued is done. */
void dun_staging_arrived(dun_device *device);

/* Waits for what is on its way, and frees the blocks. */
void dun_staging_free(dun_device *device);

#endif
