/* Writes the trace file, waiting for a command's times only when many are outstanding.
 * The format: Trace Event Format, "complete" events. One device has one row (tid). */
#include "dev/trace.h"

#include "dev/opencl.h"
#include "dev/trace_inside.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* A command whose times are not known yet. */
typedef struct {
    cl_event event;
    dun_device *device;
    char name[48];
    char shape[DUN_TRACE_SHAPE];
} pending_event;

/* Times are read this many commands late at most, so that the queue is not held up by asking. */
enum { MOST_PENDING = 2048 };

static struct {
    atomic_bool on;
    pthread_mutex_t lock; /* of what follows: devices may be of several threads */
    FILE *file;
    char path[512];
    pending_event pending[MOST_PENDING];
    size_t n_pending;
    bool first;      /* no comma before the next event */
    int saved_errno; /* of the first write that failed */
    int lost;        /* commands whose times the driver would not give */
} trace = {.lock = PTHREAD_MUTEX_INITIALIZER};

bool dun_trace_is_on(void) {
    return trace.on;
}

int dun_trace_start(const char *path) {
    int rc = DUN_OK;
    if (!dun_fault_here())
        trace.file = fopen(path, "w");
    if (!trace.file)
        TRY(dun_error(DUN_FAILED, "%s: cannot be written: %s", path, strerror(errno)));
    snprintf(trace.path, sizeof trace.path, "%s", path);
    trace.first = true;
    trace.saved_errno = trace.lost = 0;
    trace.on = true;
    fputs("{\"displayTimeUnit\": \"ms\", \"traceEvents\": [\n", trace.file);
out:
    return rc;
}

static cl_ulong time_ns(cl_event event, cl_profiling_info what, bool *known) {
    cl_ulong ns = 0;
    if (clGetEventProfilingInfo(event, what, sizeof ns, &ns, NULL) != CL_SUCCESS)
        *known = false;
    return ns;
}

static void write_event(pending_event *p) {
    bool known = true;
    cl_ulong queued = time_ns(p->event, CL_PROFILING_COMMAND_QUEUED, &known);
    cl_ulong begun = time_ns(p->event, CL_PROFILING_COMMAND_START, &known);
    cl_ulong ended = time_ns(p->event, CL_PROFILING_COMMAND_END, &known);
    CL_RELEASE(clReleaseEvent, p->event);
    if (!known) {
        trace.lost++;
        return;
    }
    int written = fprintf(trace.file,
                          "%s{\"name\": \"%s\", \"ph\": \"X\", \"pid\": 0, \"tid\": \"%u:%u\", "
                          "\"ts\": %.3f, \"dur\": %.3f, \"args\": {\"queued_us\": %.3f%s}}",
                          trace.first ? "" : ",\n", p->name, p->device->info.platform_index,
                          p->device->info.device_index, (double)begun * 1e-3, (double)(ended - begun) * 1e-3,
                          (double)(begun - queued) * 1e-3, p->shape);
    trace.first = false;
    if (written < 0 && !trace.saved_errno)
        trace.saved_errno = errno;
}

static void drain(void) {
    for (size_t i = 0; i < trace.n_pending; i++)
        if (clWaitForEvents(1, &trace.pending[i].event) == CL_SUCCESS) {
            write_event(&trace.pending[i]);
        } else {
            CL_RELEASE(clReleaseEvent, trace.pending[i].event);
            trace.lost++;
        }
    trace.n_pending = 0;
}

void dun_trace_drain(void) {
    pthread_mutex_lock(&trace.lock);
    drain();
    pthread_mutex_unlock(&trace.lock);
}

void dun_trace_add(dun_device *device, void *event, const char *name, const char *shape) {
    pthread_mutex_lock(&trace.lock);
    if (trace.n_pending == MOST_PENDING)
        drain();
    pending_event *p = &trace.pending[trace.n_pending++];
    *p = (pending_event){.event = event, .device = device};
    dun_cl_count(event, 1);
    snprintf(p->name, sizeof p->name, "%s", name);
    snprintf(p->shape, sizeof p->shape, "%s", shape);
    pthread_mutex_unlock(&trace.lock);
}

int dun_trace_stop(int rc) {
    if (!trace.on)
        goto out;
    trace.on = false;
    drain();
    fputs("\n]}\n", trace.file);
    FILE *file = trace.file;
    trace.file = NULL;
    if (ferror(file) && !trace.saved_errno)
        trace.saved_errno = EIO;
    if ((fclose(file) != 0 || dun_fault_here()) && !trace.saved_errno)
        trace.saved_errno = errno ? errno : EIO;
    if (rc < 0)
        goto out;
    if (trace.saved_errno)
        TRY(dun_error(DUN_FAILED, "%s: cannot be written: %s", trace.path, strerror(trace.saved_errno)));
    if (trace.lost)
        TRY(dun_error(DUN_BAD_DEVICE, "%s: the driver gave no times for %d commands", trace.path,
                      trace.lost));
out:
    return rc;
}
