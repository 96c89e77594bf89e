/* What the file of a claim says: one line of JSON, made and judged. */
#ifndef DUN_CLAIM_RECORD_H
#define DUN_CLAIM_RECORD_H

#include "base/machine.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { DUN_HOST_BYTES = 256, DUN_SINCE_BYTES = 32, DUN_FROM_BYTES = 4096 };

/* Who is, or was, in a folder. */
typedef struct {
    bool held; /* it was not given back */
    char host[DUN_HOST_BYTES], since[DUN_SINCE_BYTES], from[DUN_FROM_BYTES];
    char boot[DUN_BOOT_BYTES], pids[DUN_PIDS_BYTES]; /* the machine, as base/machine.h has it */
    pid_t pid;
    uint64_t start;
} dun_holder;

/* This process, now; or, with `held` false, as one that gives the claim back. */
void dun_holder_self(dun_holder *self);
int dun_holder_write(dun_str *out, const dun_holder *holder);

/* No bytes are nobody's. DUN_FAILED: `path` holds something else. */
int dun_holder_read(dun_holder *holder, const char *bytes, size_t n, const char *path);

/* Of this kernel, in whatever container and under whatever name. */
bool dun_holder_is_here(const dun_holder *holder);

/* The kernel's lock of the file: not asked for, not to be had on that file system, in our hands. */
enum dun_claim_lock { DUN_LOCK_UNTRIED, DUN_LOCK_NONE, DUN_LOCK_OURS };

/* What is known beside the record. */
typedef struct {
    enum dun_claim_lock lock;
    double untouched_s; /* since the file was touched, by the clock of its file system */
    double up_s;        /* since this kernel was started */
} dun_sight;

/* Does the holder still work there? Where its number means something here, that process is asked for. On this
 * kernel the lock decides; before it was asked for, a holder in another container may be gone. Of others,
 * which touch the file twice a minute: not when that was DUN_CLAIM_STALE_S ago; nor when the host bears our
 * name and has not touched it since this kernel was started. */
bool dun_holder_is_alive(const dun_holder *holder, const dun_sight *sight);

/* DUN_FAILED, naming who works in the folder of the file `path`, as far as that is known. `locks`: the
 * kernel's lock is not to be had, so that somebody does. */
int dun_holder_refuse(const dun_holder *holder, bool locks, const char *path);

#endif
