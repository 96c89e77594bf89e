/* Messages between ranks: numbers, arrays and texts one after another, taken out in the same order. Both
 * sides are the same program on the same kind of machine, which joining makes sure of. */
#ifndef DUN_WIRE_H
#define DUN_WIRE_H

#include "base/str.h"

#include <stdint.h>

/* Bytes at the front of every message, for its way. */
enum { DUN_WIRE_HEAD = 8 };

/* Begins a message anew; DUN_FAILED: no memory, as for all that add. */
int dun_wire_begin(dun_str *message);
int dun_wire_u32(dun_str *message, uint32_t value);
int dun_wire_u64(dun_str *message, uint64_t value);
int dun_wire_bytes(dun_str *message, const void *bytes, size_t n);
int dun_wire_text(dun_str *message, const char *text); /* NULL is "" */

/* What is left to be read of a message. */
typedef struct {
    const char *at;
    size_t left;
    bool lost; /* it was shorter than what was asked of it; what was taken then is 0 */
} dun_wire;

dun_wire dun_wire_of(const dun_str *message);
uint32_t dun_wire_take_u32(dun_wire *wire);
uint64_t dun_wire_take_u64(dun_wire *wire);
void dun_wire_take_bytes(void *out, dun_wire *wire, size_t n);
const char *dun_wire_take_text(dun_wire *wire); /* never NULL; valid as long as the message */

#endif
