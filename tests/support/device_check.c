/* Opens the device under test, and builds programs with tiles and texts of a test's own. */
#include "device_check.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void check_ok(int rc) {
    if (rc != DUN_OK)
        fail_msg("status %d: %s", rc, dun_error_message());
}

void check_said(const char *input, const char *const *parts) {
    for (; *parts; parts++)
        if (!strstr(dun_error_message(), *parts))
            fail_msg("for: %s\nmessage: %s\nlacks: %s", input, dun_error_message(), *parts);
}

void check_going(const dun_check *c) {
    if (c->stopped)
        fail_msg("%s", c->message);
}

dun_device *check_open_device(void) {
    const char *selector = getenv("DUNLIN_TEST_DEVICE");
    dun_device *device;
    check_ok(dun_device_open(&device, selector ? selector : "cpu"));
    return device;
}

int check_close_device(dun_device *device) {
    dun_device_close(device);
    assert_int_equal(dun_device_live_objects(), 0);
    assert_int_equal(dun_buffer_live_bytes(), 0);
    assert_int_equal(dun_mem_live(), 0);
    return 0;
}

int check_compute_create(dun_compute *out, dun_device *device, const dun_tiles *tiles, const char *text,
                         const char *gemm) {
    int rc = DUN_OK;
    *out = (dun_compute){.device = device, .tiles = *tiles};
    TRY(dun_programs_create(&out->programs, device, text, tiles));
    TRY(dun_gemm_create(&out->gemm, device, out->programs, tiles, gemm));
out:
    if (rc < 0)
        dun_compute_free(out);
    return rc;
}

dun_tiles check_tiles_as(dun_device *device, enum dun_device_type type, uint32_t vector_width,
                         uint32_t head_dim) {
    dun_device_info info = *dun_device_describe(device);
    info.type = type;
    info.vector_width = vector_width;
    return dun_tiles_default(&info, head_dim);
}
