/* The device under test, and checks (host/check) inside tests. */
#ifndef DEVICE_CHECK_H
#define DEVICE_CHECK_H

#include "check/check.h"

/* The device that DUNLIN_TEST_DEVICE selects, else the first CPU. Fails the running test when there is none.
 */
dun_device *check_open_device(void);

/* Closes it. Fails the running test, or the teardown, when anything of devices or memory is left then. 0. */
int check_close_device(dun_device *device);

/* Fails the running test with the recorded message when rc is an error. */
void check_ok(int rc);

/* Fails the running test when the recorded message lacks one of these parts, up to NULL; `input`: of what. */
void check_said(const char *input, const char *const *parts);

/* Fails the running test when the case is stopped: before it touches the memory it asked for. */
void check_going(const dun_check *c);

/* As dun_compute_create_text, but cut by `tiles` instead of the device's own. */
int check_compute_create(dun_compute *out, dun_device *device, const dun_tiles *tiles, const char *text,
                         const char *gemm);

/* The tiles that a device of another type or vector width would get. */
dun_tiles check_tiles_as(dun_device *device, enum dun_device_type type, uint32_t vector_width,
                         uint32_t head_dim);

#endif
