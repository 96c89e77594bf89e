/* Private to host/dev: contexts and built programs, one of each for all opened devices that are the same one,
 * however many there are in this process and in which threads. What is made in a context can be used by every
 * queue of it. */
#ifndef DUN_CONTEXT_H
#define DUN_CONTEXT_H

#include "base/str.h"
#include "dev/opencl.h"

/* Sets device->context, for device->id. Each taken is given back once. */
int dun_context_take(dun_device *device);
void dun_context_give_back(dun_device *device);

/* From begin to end one thread alone builds: another that wants the same program waits, and finds it. */
void dun_program_sharing_begin(void);
void dun_program_sharing_end(void);

/* In between: a program of this key that is alive in the context, retained; NULL: there is none. */
cl_program dun_program_shared(const dun_device *device, const dun_str *key);

/* In between: others may have it from now on, until it was let go as often as it was shared and found.
 * Without memory it is nobody else's. */
void dun_program_share(cl_program program, const dun_device *device, const dun_str *key);

/* Before a program that was built or found so is released. */
void dun_program_let_go(cl_program program);

#endif
