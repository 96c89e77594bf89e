/* What the files of the room api share: how every function of include/dunlin.h begins and ends, what it gives
 * back into buffers, and the log. */
#ifndef DUN_API_H
#define DUN_API_H

#include "api/handle.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/observer.h"
#include "base/str.h"
#include "dunlin.h"

/* Begins a call: what went wrong before is forgotten. */
void dun_api_begin(void);

/* Ends it: the status of include/dunlin.h for one of base/err.h. */
dunlin_status dun_api_end(int rc);

/* DUN_USAGE, naming the argument, where it is NULL. */
int dun_api_need(const void *argument, const char *name);

/* Before a device, or anything of the driver's, is used. DUN_BAD_DEVICE in the child of a process that did.
 */
int dun_api_use_devices(void);

/* This is the child of a process that used devices: the driver must be left alone. */
bool dun_api_is_child(void);

/* Copies what comes back, with a zero behind it if it is `text`; as include/dunlin.h says of buffers. */
int dun_api_give(void *buffer, size_t size, size_t *needed, const dun_str *content, bool text);

/* A line for the log function, if there is one. */
void dun_api_log(int level, const char *text);

/* Hears a session that nobody watches: what it says goes to the log. */
extern const dun_observer dun_api_log_observer;

#endif
