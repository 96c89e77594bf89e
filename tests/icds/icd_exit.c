/* A driver that leaves on behalf of every process that loads it, as LLVM does when it cannot write. */
#include <stdlib.h>

__attribute__((constructor)) static void leave(void) {
    exit(1);
}
