/* argv -> subcommand; the only file that may end the process. */
#include "base/err.h"
#include "base/json.h"
#include "cmd/cmd.h"
#include "cmd/out.h"

#include <stdio.h>

static void print_warning(const char *message) {
    fprintf(stderr, "warning: %s\n", message);
}

int main(int argc, char **argv) {
    dun_json_own_memory();
    dun_warn_process(print_warning);
    dun_out_init();
    int rc = dun_command_run(argc, argv);
    if (rc >= 0)
        rc = dun_out_flush();
    if (rc < 0 && *dun_error_message())
        fprintf(stderr, "dunlin: %s\n", dun_error_message());
    return dun_exit_code(rc);
}
