/* A file that grows while a job runs: its history, its log, a trace. What was added is with the kernel when
 * the call returns; what could not be added whole is taken away again, so that a full disk leaves no half
 * record. */
#ifndef DUN_STREAM_H
#define DUN_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeros are a stream that is not open. */
typedef struct {
    char *path; /* NULL: not open */
    int fd;
    bool regular;   /* a file that has a length, not a device or FIFO */
    uint64_t bytes; /* its length */
} dun_stream;

/* Writes all bytes to an open file, waiting where that is what it takes. 0, or the errno of what failed. */
int dun_write_all(int fd, const void *bytes, size_t length);

/* Begins a new file in the place of an old one, or goes on at an old one's end. A link is followed; a device
 * or a FIFO is written as it is. DUN_FAILED with the errno text. */
int dun_stream_begin(dun_stream *stream, const char *path);
int dun_stream_go_on(dun_stream *stream, const char *path);

/* DUN_FAILED: the bytes are not in the file, none of them if it is a regular one. */
int dun_stream_add(dun_stream *stream, const void *bytes, size_t length);

/* The same for what is written beside the point: returns 0 or an errno and leaves the recorded message alone.
 */
int dun_stream_put(dun_stream *stream, const void *bytes, size_t length);

/* Takes away what is behind so many bytes. */
int dun_stream_cut(dun_stream *stream, uint64_t bytes);

/* What was added is on the disk, errors that file systems tell late included. Fine when it is not open. */
int dun_stream_sync(dun_stream *stream);

/* Fine when it is not open. Nothing is left that could fail: what was added is with the kernel. */
void dun_stream_close(dun_stream *stream);

/* Closes it and removes the file, unless that is a device, a FIFO or behind a link. */
void dun_stream_discard(dun_stream *stream);

#endif
