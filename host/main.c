/* argv -> subcommand; the only file that may end the process. */
#include "err.h"

int main(void) {
    return dun_exit_code(DUN_OK);
}
