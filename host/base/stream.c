/* Adds to a growing file, and takes back what did not get out whole. */
#include "base/stream.h"

#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A pipe that another program made non-blocking is waited for. */
static void wait_for_room(int fd) {
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    (void)poll(&room, 1, -1);
}

int dun_write_all(int fd, const void *bytes, size_t length) {
    const char *at = bytes;
    while (length > 0) {
        errno = ENOSPC;
        ssize_t written = dun_fault_here() ? -1 : write(fd, at, length);
        if (written < 0 && errno == EAGAIN)
            wait_for_room(fd);
        else if (written < 0 && errno != EINTR)
            return errno;
        else if (written == 0)
            return ENOSPC;
        if (written > 0) {
            at += written;
            length -= (size_t)written;
        }
    }
    return 0;
}

static int cannot(const dun_stream *stream, int why) {
    return dun_error(DUN_FAILED, "%s: cannot be written: %s", stream->path, strerror(why));
}

static int open_stream(dun_stream *stream, const char *path, int flags) {
    int rc = DUN_OK;
    struct stat info;
    *stream = (dun_stream){.fd = -1};
    TRY_PTR(stream->path, dun_strdup(path));
    errno = EACCES;
    stream->fd = dun_fault_here() ? -1 : open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | flags, 0666);
    if (stream->fd < 0 || fstat(stream->fd, &info) < 0)
        TRY(cannot(stream, errno));
    stream->regular = S_ISREG(info.st_mode);
    stream->bytes = stream->regular ? (uint64_t)info.st_size : 0;
out:
    if (rc < 0)
        dun_stream_close(stream);
    return rc;
}

int dun_stream_begin(dun_stream *stream, const char *path) {
    return open_stream(stream, path, O_TRUNC);
}

int dun_stream_go_on(dun_stream *stream, const char *path) {
    return open_stream(stream, path, O_APPEND);
}

int dun_stream_put(dun_stream *stream, const void *bytes, size_t length) {
    const int why = dun_write_all(stream->fd, bytes, length);
    /* Where even the cut fails, a reader meets an unfinished last record, as after a crash. */
    if (why && stream->regular && ftruncate(stream->fd, (off_t)stream->bytes) == 0)
        (void)lseek(stream->fd, (off_t)stream->bytes, SEEK_SET);
    if (!why)
        stream->bytes += length;
    return why;
}

int dun_stream_add(dun_stream *stream, const void *bytes, size_t length) {
    const int why = dun_stream_put(stream, bytes, length);
    return why ? cannot(stream, why) : DUN_OK;
}

int dun_stream_cut(dun_stream *stream, uint64_t bytes) {
    errno = EIO;
    if (dun_fault_here() || ftruncate(stream->fd, (off_t)bytes) < 0 ||
        lseek(stream->fd, (off_t)bytes, SEEK_SET) < 0)
        return dun_error(DUN_FAILED, "%s: cannot be cut: %s", stream->path, strerror(errno));
    stream->bytes = bytes;
    return DUN_OK;
}

int dun_stream_sync(dun_stream *stream) {
    if (!stream->path)
        return DUN_OK;
    errno = EIO;
    if (dun_fault_here() || (stream->regular && fsync(stream->fd) < 0))
        return cannot(stream, errno);
    return DUN_OK;
}

void dun_stream_discard(dun_stream *stream) {
    struct stat info;
    if (stream->path && lstat(stream->path, &info) == 0 && S_ISREG(info.st_mode))
        (void)unlink(stream->path);
    dun_stream_close(stream);
}

void dun_stream_close(dun_stream *stream) {
    if (stream->path && stream->fd >= 0)
        close(stream->fd);
    dun_free(stream->path);
    *stream = (dun_stream){0};
}
