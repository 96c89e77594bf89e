/* Puts values into messages and takes them out. */
#include "ranks/wire.h"

#include <string.h>

int dun_wire_begin(dun_str *message) {
    static const char head[DUN_WIRE_HEAD];
    dun_str_clear(message);
    return dun_str_add(message, head, sizeof head);
}

int dun_wire_bytes(dun_str *message, const void *bytes, size_t n) {
    return n ? dun_str_add(message, bytes, n) : 0;
}

int dun_wire_u32(dun_str *message, uint32_t value) {
    return dun_wire_bytes(message, &value, sizeof value);
}

int dun_wire_u64(dun_str *message, uint64_t value) {
    return dun_wire_bytes(message, &value, sizeof value);
}

int dun_wire_text(dun_str *message, const char *text) {
    return dun_str_add(message, text ? text : "", (text ? strlen(text) : 0) + 1);
}

dun_wire dun_wire_of(const dun_str *message) {
    dun_wire wire = {.lost = message->length < DUN_WIRE_HEAD};
    if (!wire.lost) {
        wire.at = message->bytes + DUN_WIRE_HEAD;
        wire.left = message->length - DUN_WIRE_HEAD;
    }
    return wire;
}

void dun_wire_take_bytes(void *out, dun_wire *wire, size_t n) {
    if (n > wire->left) {
        wire->lost = true;
        wire->left = 0;
        memset(out, 0, n);
        return;
    }
    if (n)
        memcpy(out, wire->at, n);
    wire->at += n;
    wire->left -= n;
}

uint32_t dun_wire_take_u32(dun_wire *wire) {
    uint32_t value;
    dun_wire_take_bytes(&value, wire, sizeof value);
    return value;
}

uint64_t dun_wire_take_u64(dun_wire *wire) {
    uint64_t value;
    dun_wire_take_bytes(&value, wire, sizeof value);
    return value;
}

const char *dun_wire_take_text(dun_wire *wire) {
    const char *end = wire->left ? memchr(wire->at, '\0', wire->left) : NULL, *text = wire->at;
    if (!end) {
        wire->lost = true;
        wire->left = 0;
        return "";
    }
    wire->left -= (size_t)(end + 1 - wire->at);
    wire->at = end + 1;
    return text;
}
