/* gzip files (RFC 1952) unpacked: in memory, with caps against archives that grow without end, or in pieces
 * as they come. */
#ifndef DUN_GZIP_H
#define DUN_GZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Caps: bytes that come out; bytes out per byte in, once more than DUN_GZIP_FREE_BYTES came out. */
enum { DUN_GZIP_BYTES = 1 << 30, DUN_GZIP_RATIO = 200, DUN_GZIP_FREE_BYTES = 1 << 20 };

/* Whether bytes begin as gzip files do. */
bool dun_gzip_is(const uint8_t *bytes, size_t n);

/* Unpacks all members of a file; *out is the caller's (dun_free), NULL on failure. DUN_BAD_INPUT, with the
 * byte of the file: damaged, wrong checksum, truncated, bytes after the last member, over a cap. */
int dun_gzip_expand(uint8_t **out, size_t *length, const uint8_t *bytes, size_t n, const char *name);

/* The same with another cap on the bytes that come out. */
int dun_gzip_expand_within(uint8_t **out, size_t *length, size_t most_bytes, const uint8_t *bytes, size_t n,
                           const char *name);

/* A file that comes in pieces. */
typedef struct dun_gunzip dun_gunzip;

int dun_gunzip_create(dun_gunzip **out, const char *name);

/* Unpacks the *n bytes at *bytes, which move on, into out[room]; *made came out. It stops where a member
 * ends, where no bytes are left and where no room is. DUN_BAD_INPUT as above. */
int dun_gunzip_step(size_t *made, dun_gunzip *g, const uint8_t **bytes, size_t *n, uint8_t *out, size_t room);

/* Nothing of a member is open: the file may end here, or another begin. */
bool dun_gunzip_is_whole(const dun_gunzip *g);

/* To be called at the end of the file: DUN_BAD_INPUT where it is not whole. */
int dun_gunzip_finish(const dun_gunzip *g);
void dun_gunzip_free(dun_gunzip *g);

#endif
