/* The socket that dunlin serve listens on, and how many connections the system has room for. */
#ifndef DUN_SERVE_LISTEN_H
#define DUN_SERVE_LISTEN_H

#include <stdint.h>

/* Listens; *port 0 becomes the port that the system chose. Warns when others than this machine can connect.
 * DUN_USAGE: a host that is not one of this machine; DUN_FAILED: the port is taken. */
int dun_serve_listen(int *out, const char *host, uint16_t *port);

/* Lowers *n to the connections for which the limit of open files leaves room, once that limit is as high as
 * this process may set it. DUN_FAILED: for none. */
int dun_serve_fit_files(unsigned *n, int listening);

#endif
