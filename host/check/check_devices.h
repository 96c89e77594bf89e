/* The self-test of all devices that a selector means, one after another, whose verdicts are kept. */
#ifndef DUN_CHECK_DEVICES_H
#define DUN_CHECK_DEVICES_H

#include "base/observer.h"
#include "check/self_test.h"

#include <jansson.h>

typedef struct {
    const char *gemm;   /* "auto", or the way to multiply */
    bool quick, floats; /* a few cases; without weights as they are stored */
    const dun_observer *observer;
    void *self;
    /* Every report as it comes; and when there are no more, before a failure is told. Each may be NULL. */
    int (*each)(void *self, const dun_self_test *report, const dun_device_info *info, uint32_t index);
    int (*done)(void *self);
} dun_check_order;

/* DUN_BAD_DEVICE: one fails, or cannot be used; the others had their turn. DUN_INTERRUPTED. */
int dun_check_devices(const dun_check_order *order, const char *selector);

/* Appends a report as an object. */
int dun_self_test_json(json_t *array, const dun_self_test *report, const dun_device_info *info,
                       uint32_t index);

#endif
