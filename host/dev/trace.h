/* A record of what a device did and when, for people who look for lost time: every launch and copy as one
 * event of a Chrome trace (chrome://tracing, ui.perfetto.dev), in microseconds of the device's own clock. */
#ifndef DUN_TRACE_H
#define DUN_TRACE_H

#include <stdbool.h>

/* Devices opened from now on are recorded into a new file at `path`. DUN_FAILED: it cannot be written. */
int dun_trace_start(const char *path);

/* Ends the record, after the last device is closed; harmless without dun_trace_start. `rc` is the status of
 * what was recorded: a failure is returned as it is, with its message. DUN_FAILED: the record could not be
 * written; DUN_BAD_DEVICE: the device would not give its times. */
int dun_trace_stop(int rc);

#endif
