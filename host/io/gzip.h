/* gzip files (RFC 1952) unpacked in memory, with caps against archives that grow without end. */
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

#endif
