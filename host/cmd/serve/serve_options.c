/* The options of dunlin serve, which a dunlin without it takes as well: what it then says is that. */
#include "cmd/serve/serve_options.h"
#include "cmd/shell/common.h"

const dun_option dun_serve_option_rows[] = {
    {.name = "port", .argument = "N", .help = "The TCP port, 8080 by default; 0 lets the system choose."},
    {.name = "host",
     .argument = "ADDRESS",
     .help = "The address to listen on; by default 127.0.0.1, which only this machine can reach."},
    {.name = "max-body", .argument = "KIB", .help = "Largest body of a request, 1024 by default."},
    {.name = "max-texts", .argument = "N", .help = "Most texts in a request, 256 by default."},
    {.name = "timeout",
     .argument = "SECONDS",
     .help = "Most seconds for a request to arrive, from the connection or the answer before it, and for an "
             "answer to be taken, 30 by default; then the client is cut off."},
    {.name = "per-address",
     .argument = "N",
     .help = "Most connections from one address, of each worker; by default as many as there are."},
    {.name = "workers",
     .argument = "N",
     .help =
         "Processes that answer, each with its share of the processors; 1 by default, at most 64. On CPUs."},
    {.name = "restarts",
     .argument = "N",
     .help =
         "How many workers that died within a minute are started again, 5 by default; when one more dies, "
         "the server ends."},
    DUN_UNSURE_OPTION,
    DUN_OVERRIDE_OPTIONS,
    DUN_TALK_OPTIONS,
    {0},
};
