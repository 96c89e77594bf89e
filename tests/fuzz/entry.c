/* What libFuzzer calls; compiled once for each target, with FUZZ_TARGET its function. */
#include "targets.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    FUZZ_TARGET(bytes, length);
    return 0;
}
