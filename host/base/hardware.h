/* What this process runs on, as far as others may know it: no name of a host, a user or a file. */
#ifndef DUN_HARDWARE_H
#define DUN_HARDWARE_H

#include <stdbool.h>

typedef struct {
    char processor[128]; /* as its maker calls it, else the architecture: "aarch64" */
    char system[64];     /* "Linux x86_64" */
    bool virtual_machine, container;
} dun_hardware;

/* Never fails: what the system does not tell is no. `root` stands in front of every path; "": the system's
 * own. */
void dun_hardware_read(dun_hardware *out, const char *root);

#endif
