/* What the file of a claim says: one line of JSON, made and judged. */
#ifndef DUN_CLAIM_RECORD_H
#define DUN_CLAIM_RECORD_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { DUN_HOST_BYTES = 256, DUN_BOOT_BYTES = 64, DUN_SINCE_BYTES = 32, DUN_FROM_BYTES = 4096 };

/* Who is, or was, in a folder. */
typedef struct {
    bool held; /* it was not given back */
    char host[DUN_HOST_BYTES], boot[DUN_BOOT_BYTES], since[DUN_SINCE_BYTES], from[DUN_FROM_BYTES];
    pid_t pid;
    uint64_t start;
} dun_holder;

/* This process, now; or, with `held` false, as one that gives the claim back. */
void dun_holder_self(dun_holder *self);
int dun_holder_write(dun_str *out, const dun_holder *holder);

/* No bytes are nobody's. DUN_FAILED: `path` holds something else. */
int dun_holder_read(dun_holder *holder, const char *bytes, size_t n, const char *path);

/* Of the same kernel, whatever name a container gives it; or of the same name, which was started anew since.
 */
bool dun_holder_is_here(const dun_holder *holder);

/* Does the holder still work there? Of this machine: not when the kernel's lock is in our hands. Of another:
 * its last touch is no older than DUN_CLAIM_STALE_S. */
bool dun_holder_is_alive(const dun_holder *holder, bool locked, double untouched_s);

/* DUN_FAILED, naming who works in the folder of the file `path`, as far as that is known. */
int dun_holder_refuse(const dun_holder *holder, const char *path);

#endif
