/* dunlin try-driver: what dunlin runs as a process of its own to see whether a driver ends it; not for
 * people. */
#include "base/err.h"
#include "base/process.h"
#include "cmd/cmd.h"
#include "dev/driver.h"
#include "dev/variant_try.h"

#include <stdlib.h>
#include <sys/resource.h>

static int run(const dun_args *args) {
    const struct rlimit none = {0};
    dun_process_end_with_parent();
    (void)setrlimit(RLIMIT_CORE, &none);             /* its end is expected */
    const char *vendors = dun_args_operand(args, 2); /* those of the process that asks */
    if (vendors && setenv("OCL_ICD_VENDORS", vendors, 1) < 0)
        return dun_error(DUN_FAILED, "no memory for OCL_ICD_VENDORS");
    dun_driver_dismiss();
    return dun_variant_try_word(dun_args_operand(args, 0), dun_args_operand(args, 1));
}

static const dun_option options[] = {{0}};

const dun_command dun_command_try_driver = {
    .name = "try-driver",
    .summary = "Build and run a small kernel on one device.",
    .usage = "SELECTOR NUMBER|VARIANT [VENDORS]",
    .options = options,
    .min_operands = 2,
    .max_operands = 3,
    .run = run,
};
