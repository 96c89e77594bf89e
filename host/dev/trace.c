/* Writes the trace file, waiting for a command's times only when many are outstanding.
 * The format: Trace Event Format, "complete" events. One device has one row (tid). */
#include "dev/trace.h"

#include "base/str.h"
#include "base/stream.h"
#include "dev/opencl.h"
#include "dev/trace_inside.h"

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
    dun_stream file;
    dun_str text; /* events that are not in the file yet */
    pending_event pending[MOST_PENDING];
    size_t n_pending;
    bool first;        /* no comma before the next event */
    char failure[600]; /* of the first write that failed; the record ends there */
    int lost;          /* commands whose times the driver would not give */
} trace = {.lock = PTHREAD_MUTEX_INITIALIZER};

bool dun_trace_is_on(void) {
    return trace.on;
}

int dun_trace_start(const char *path) {
    int rc = DUN_OK;
    static const char head[] = "{\"displayTimeUnit\": \"ms\", \"traceEvents\": [\n";
    TRY(dun_stream_begin(&trace.file, path));
    trace.first = true;
    trace.failure[0] = '\0';
    trace.lost = 0;
    TRY(dun_stream_add(&trace.file, head, sizeof head - 1));
    trace.on = true;
out:
    if (rc < 0)
        dun_stream_discard(&trace.file);
    return rc;
}

/* Said at once, and again when the job ends: that may be late. */
static void write_bytes(const char *bytes, size_t length) {
    const int why = trace.failure[0] ? 0 : dun_stream_put(&trace.file, bytes, length);
    if (!why)
        return;
    snprintf(trace.failure, sizeof trace.failure, "%.500s: cannot be written: %s", trace.file.path,
             strerror(why));
    dun_warn("%s; the job goes on without the record", trace.failure);
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
    if (dun_str_addf(&trace.text,
                     "%s{\"name\": \"%s\", \"ph\": \"X\", \"pid\": 0, \"tid\": \"%u:%u\", "
                     "\"ts\": %.3f, \"dur\": %.3f, \"args\": {\"queued_us\": %.3f%s}}",
                     trace.first ? "" : ",\n", p->name, p->device->info.platform_index,
                     p->device->info.device_index, (double)begun * 1e-3, (double)(ended - begun) * 1e-3,
                     (double)(begun - queued) * 1e-3, p->shape) < 0)
        trace.lost++;
    trace.first = false;
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
    if (trace.text.length)
        write_bytes(trace.text.bytes, trace.text.length);
    dun_str_clear(&trace.text);
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
    static const char end[] = "\n]}\n";
    if (!trace.on)
        goto out;
    trace.on = false;
    drain();
    write_bytes(end, sizeof end - 1);
    TRY(rc);
    if (!trace.failure[0])
        TRY(dun_stream_sync(&trace.file));
    if (trace.failure[0])
        TRY(dun_error(DUN_FAILED, "%s", trace.failure));
    if (trace.lost)
        TRY(dun_error(DUN_BAD_DEVICE, "%s: the driver gave no times for %d commands", trace.file.path,
                      trace.lost));
out:
    if (trace.failure[0]) /* without its end it is no JSON */
        dun_stream_discard(&trace.file);
    dun_stream_close(&trace.file);
    dun_str_free(&trace.text);
    return rc;
}
