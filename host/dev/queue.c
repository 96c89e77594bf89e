/* How many launches may wait in a queue; see dun_queue_launched in opencl.h. */
#include "dev/opencl.h"

/* Drivers hold work back until it is many or flushed: FLUSH lets a GPU begin early. Deep queues made drivers
 * with a time limit fail for the work that waited (DEPTH to twice DEPTH launches are a few tenths of a
 * second). */
enum { FLUSH = 16, DEPTH = 256 };

int dun_queue_launched(dun_device *device) {
    int rc = DUN_OK;
    cl_event mark = NULL;
    device->n_launched++;
    if (device->info.type == DUN_DEVICE_CPU) /* begins at once and knows no limit */
        goto out;
    if (device->n_launched % FLUSH == 0)
        TRY_CL(device, "flushing the queue", clFlush(device->queue));
    if (device->n_launched % DEPTH != 0)
        goto out;
    TRY_CL(device, "marking the queue", clEnqueueMarkerWithWaitList(device->queue, 0, NULL, &mark));
    dun_cl_count(mark, 1);
    if (device->mark)
        TRY_CL(device, "waiting for the queue", clWaitForEvents(1, &device->mark));
    CL_RELEASE(clReleaseEvent, device->mark);
    device->mark = mark;
    mark = NULL;
out:
    CL_RELEASE(clReleaseEvent, mark);
    return rc;
}
