/* Private to host/dev: how launches and copies get into the trace. */
#ifndef DUN_TRACE_INSIDE_H
#define DUN_TRACE_INSIDE_H

#include "dev/device.h"
#include "dev/trace.h"

enum { DUN_TRACE_SHAPE = 192 }; /* bytes: room for the whole numbers of any launch */

bool dun_trace_is_on(void);

/* Takes over the event (a cl_event) of a command just queued. `shape` is "" or further JSON members of its
 * args, ", \"M\": 3". */
void dun_trace_add(dun_device *device, void *event, const char *name, const char *shape);

/* Writes what is pending; a device does so before it is closed. */
void dun_trace_drain(void);

#endif
