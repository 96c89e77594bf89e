/* Whether a driver can build kernels at all, found out in another process: one that cannot may end the
 * process that asks it, without a word of dunlin. */
#ifndef DUN_DRIVER_TRY_H
#define DUN_DRIVER_TRY_H

#include "base/str.h"
#include "dev/device.h"

/* To be called before the first kernel is built on a device. After every change of device, driver, the
 * loader's files, the linker or the drivers' variables the program dunlin (base/process.h) builds and runs a
 * small kernel there; that it could is kept in the cache. Where there is no such program, as for others that
 * use these rooms, nothing is tried, nor, with a warning, where it is of a version that cannot.
 * DUN_BAD_DEVICE: it could not; the message has how that process ended, what it printed, and what to look at.
 * The device is refused from then on. */
int dun_driver_try(dun_device *device);

/* Another program for it from now on, for processes that are not dunlin's: one that takes the same arguments.
 * "": nothing is tried, which is told once. */
void dun_driver_try_with(const char *program);

/* What that program does, for a selector and a number that makes the kernel's text another one than those
 * that the driver may have kept. */
int dun_driver_try_here(const char *selector, unsigned number);

/* This process is a trial: it tries nothing in others, which would wait for the lock (below) of who waits for
 * it. */
void dun_driver_trial_here(void);

/* For other trials (variant_try.h). Appends all that the answer of a device's driver depends on; its first
 * line has `does`, for people. */
int dun_driver_key(dun_str *out, const dun_device_info *info, const char *does);

/* Appends the path of the program that tries. False: there is none. */
bool dun_driver_find_program(dun_str *out);

/* One process at a time tries: a lock that close() ends, -1 where there is no cache to lock. */
int dun_driver_lock(void);

#endif
