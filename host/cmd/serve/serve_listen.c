/* Address, port, and the limit of open files. */
#include "cmd/serve/serve_listen.h"

#include "base/err.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Files that are opened besides connections: those of the web server and, for a moment, of the driver. */
enum { OTHER_FILES = 24 };

static bool is_loopback(const struct sockaddr *address) {
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 == 127;
    return address->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

/* The port of a bound socket. */
static uint16_t port_of(int fd) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        return 0;
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

int dun_serve_listen(int *out, const char *host, uint16_t *port) {
    int rc = DUN_OK, fd = -1, yes = 1;
    char service[8];
    struct addrinfo *found = NULL;
    const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    *out = -1;
    snprintf(service, sizeof service, "%u", *port);
    int error = getaddrinfo(host, service, &wanted, &found);
    if (error)
        TRY(dun_error(DUN_USAGE, "--host %s: %s", host, gai_strerror(error)));
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0 ||
        bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0)
        TRY(dun_error(DUN_FAILED, "cannot listen on %s, port %u: %s", host, *port, strerror(errno)));
    *port = port_of(fd);
    if (!is_loopback(found->ai_addr))
        dun_warn("%s: other machines can connect, without a password and without encryption; 127.0.0.1 is "
                 "this machine alone",
                 host);
    *out = fd;
    fd = -1;
out:
    if (fd >= 0)
        close(fd);
    if (found)
        freeaddrinfo(found);
    return rc;
}

/* The lowest number that a file opened now would get: about so many are open. */
static rlim_t open_files(int any) {
    int next = dup(any);
    if (next < 0)
        return RLIM_INFINITY;
    close(next);
    return (rlim_t)next;
}

int dun_serve_fit_files(unsigned *n, int listening) {
    struct rlimit limit;
    rlim_t used = open_files(listening);
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || used == RLIM_INFINITY)
        return dun_error(DUN_FAILED, "no room for connections: %s", strerror(errno));
    used += OTHER_FILES;
    if (limit.rlim_cur < used + *n && limit.rlim_cur < limit.rlim_max) {
        struct rlimit higher = {.rlim_cur = used + *n, .rlim_max = limit.rlim_max};
        if (higher.rlim_cur > higher.rlim_max)
            higher.rlim_cur = higher.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &higher) == 0)
            limit = higher;
    }
    if (limit.rlim_cur <= used)
        return dun_error(DUN_FAILED, "the limit of open files, %llu, leaves none for connections (ulimit -n)",
                         (unsigned long long)limit.rlim_cur);
    if (limit.rlim_cur - used < *n)
        *n = (unsigned)(limit.rlim_cur - used);
    return DUN_OK;
}
