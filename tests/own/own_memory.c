/* Part of every test program: jansson allocates through mem.h from before main, as in the program itself. */
#include "base/json.h"

__attribute__((constructor)) static void own_memory(void) {
    dun_json_own_memory();
}
