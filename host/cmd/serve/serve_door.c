/* Sockets with rights: a message of one byte that carries a file. */
#define _GNU_SOURCE /* MSG_CMSG_CLOEXEC */
#include "cmd/serve/serve_door.h"

#include "base/err.h"
#include "base/fault.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A message of one byte, with room for a file. */
typedef struct {
    struct msghdr head;
    struct iovec part;
    char byte;
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } room;
} letter;

static void make_letter(letter *l) {
    memset(l, 0, sizeof *l);
    l->part = (struct iovec){&l->byte, 1};
    l->head = (struct msghdr){.msg_iov = &l->part,
                              .msg_iovlen = 1,
                              .msg_control = l->room.bytes,
                              .msg_controllen = sizeof l->room.bytes};
}

int dun_serve_door_open(dun_serve_door *out) {
    int ends[2] = {-1, -1};
    *out = DUN_SERVE_NO_DOOR;
    errno = EMFILE;
    if (dun_fault_here() || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return dun_error(DUN_FAILED, "no sockets for a worker: %s", strerror(errno));
    *out = (dun_serve_door){ends[0], ends[1]};
    return DUN_OK;
}

static void close_end(int *fd) {
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void dun_serve_door_close(dun_serve_door *door) {
    close_end(&door->ours);
    close_end(&door->theirs);
}

bool dun_serve_door_pass(const dun_serve_door *door, int connection) {
    letter l;
    ssize_t sent;
    make_letter(&l);
    struct cmsghdr *rights = CMSG_FIRSTHDR(&l.head);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof connection);
    memcpy(CMSG_DATA(rights), &connection, sizeof connection);
    do
        sent = sendmsg(door->ours, &l.head, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == 1;
}

/* The file of a letter, or -1: it could not be had, as where too many are open. */
static int file_of(letter *l) {
    int fd = -1;
    const struct cmsghdr *rights = CMSG_FIRSTHDR(&l->head);
    if (rights && rights->cmsg_type == SCM_RIGHTS && rights->cmsg_len == CMSG_LEN(sizeof fd))
        memcpy(&fd, CMSG_DATA(rights), sizeof fd);
    return fd;
}

int dun_serve_door_take(int theirs, bool wait) {
    letter l;
    for (;;) {
        make_letter(&l);
        ssize_t got = recvmsg(theirs, &l.head, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return -1;
        int fd = file_of(&l);
        if (fd >= 0)
            return fd;
    }
}

void dun_serve_door_ring(int theirs) {
    (void)send(theirs, "", 1, MSG_NOSIGNAL);
}

void dun_serve_door_heard(const dun_serve_door *door) {
    char byte;
    (void)recv(door->ours, &byte, 1, MSG_DONTWAIT);
}

void dun_serve_door_shut(const dun_serve_door *door) {
    if (door->ours >= 0)
        shutdown(door->ours, SHUT_WR);
}
