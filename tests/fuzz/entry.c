/* What libFuzzer calls; compiled once for each target, with FUZZ_TARGET its function. */
#include "targets.h"

#include "base/json.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    dun_json_own_memory();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    FUZZ_TARGET(bytes, length);
    return 0;
}
