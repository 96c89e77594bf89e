/* FNV-1a, 64 bits (Fowler, Noll and Vo): identity of files, configs and kernels, and checksums against
 * accidents. Not for hostile input. */
#ifndef DUN_HASH_H
#define DUN_HASH_H

#include <stddef.h>
#include <stdint.h>

#define DUN_HASH_START 0xcbf29ce484222325u

/* Continues a hash over more bytes; begin with DUN_HASH_START. */
uint64_t dun_hash(uint64_t hash, const void *bytes, size_t length);

#endif
