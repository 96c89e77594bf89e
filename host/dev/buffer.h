/* Device memory: created, copied, freed. All copies go through the device's in-order queue, so a read
 * sees every kernel launched before it. */
#ifndef DUN_BUFFER_H
#define DUN_BUFFER_H

#include "dev/device.h"

typedef struct {
    void *mem;   /* NULL: not created */
    void *pages; /* the host's memory behind it, or NULL: the driver's own */
    size_t bytes;
    bool common;   /* pages are those of dun_common_alloc */
    bool borrowed; /* part of another buffer, or memory of the host's: the bytes are not its own */
    dun_device *device;
} dun_buffer;

/* DUN_BAD_DEVICE: larger than the device's largest buffer, or no memory; `what` names it in the message. */
int dun_buffer_create(dun_buffer *out, dun_device *device, size_t bytes, const char *what);

/* The same for what products walk through again and again: on CPU devices a large one lies in huge pages of
 * the host where the system has them. Not for what is filled bit by bit and read in order, such as kept keys
 * and values: there they gain nothing, and their first touch is dear. */
int dun_buffer_create_matrix(dun_buffer *out, dun_device *device, size_t bytes, const char *what);
void dun_buffer_free(dun_buffer *buffer);

/* Whether buffers of the device can become common ones now; makes one that was filled such, if it can be.
 * What is queued must be done, and nothing is written to it any more. */
bool dun_buffer_can_be_common(const dun_device *device);
void dun_buffer_make_common(dun_buffer *buffer);

/* A part of another buffer as a buffer of its own, for kernels; freed before the whole. It begins at a
 * multiple of the device's part_alignment. */
int dun_buffer_create_part(dun_buffer *out, const dun_buffer *whole, size_t offset_bytes, size_t bytes,
                           const char *what);

/* Bytes of the host's as a buffer that kernels only read. On CPU devices it is that memory itself, which must
 * stay until the buffer is freed; else a copy. */
int dun_buffer_create_over(dun_buffer *out, dun_device *device, const void *bytes, size_t n,
                           const char *what);

/* Copies bytes in. `data` is the caller's again at once; only what is large is waited for. */
int dun_buffer_write(dun_buffer *buffer, size_t offset_bytes, const void *data, size_t bytes);

/* Copies bytes out, and waits until they are there. */
int dun_buffer_read(void *data, const dun_buffer *buffer, size_t offset_bytes, size_t bytes);

typedef struct {
    void *data;
    const dun_buffer *buffer;
    size_t offset_bytes, bytes;
} dun_buffer_part;

/* The same for n parts of buffers of one device, with one wait for all of them. */
int dun_buffer_read_parts(const dun_buffer_part *parts, size_t n);

/* The same without a wait: they are there after the next one for the device, and must stay until then. */
int dun_buffer_read_later(const dun_buffer_part *parts, size_t n);

/* Sets every byte, without waiting. */
int dun_buffer_fill(dun_buffer *buffer, uint8_t value);

/* Device to device, without waiting. */
int dun_buffer_copy(dun_buffer *to, size_t to_bytes, const dun_buffer *from, size_t from_bytes, size_t bytes);

/* The host's view for writing all of it; unmap before a kernel uses the buffer. */
int dun_buffer_map(void **out, dun_buffer *buffer);
int dun_buffer_unmap(dun_buffer *buffer, void *mapped);

/* Bytes in live buffers now, and the most there ever were. */
uint64_t dun_buffer_live_bytes(void);
uint64_t dun_buffer_peak_bytes(void);

#endif
