/* CRC-32C (Castagnoli; RFC 3720, appendix B.4), the checksum of TFRecord files. */
#ifndef DUN_CRC32C_H
#define DUN_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t dun_crc32c(const void *bytes, size_t length);

#endif
