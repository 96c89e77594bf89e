/* dunlin-probe: what the library runs as a process of its own to see whether a driver ends it; not for
 * people. It takes the arguments of `dunlin try-driver`. */
#include "base/err.h"
#include "base/process.h"
#include "dev/driver.h"
#include "dev/variant_try.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

int main(int argc, char **argv) {
    const struct rlimit none = {0};
    if (argc < 4 || argc > 5 || strcmp(argv[1], "try-driver") != 0) {
        fprintf(stderr, "usage: dunlin-probe try-driver SELECTOR NUMBER|VARIANT [VENDORS]\n");
        return dun_exit_code(DUN_USAGE);
    }
    dun_process_end_with_parent();
    (void)setrlimit(RLIMIT_CORE, &none); /* its end is expected */
    dun_driver_dismiss();
    if (argc == 5 && setenv("OCL_ICD_VENDORS", argv[4], 1) < 0)
        return dun_exit_code(DUN_FAILED);
    const int rc = dun_variant_try_word(argv[2], argv[3]);
    if (rc < 0)
        fprintf(stderr, "dunlin: %s\n", dun_error_message());
    return dun_exit_code(rc);
}
