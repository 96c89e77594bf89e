/* Inflating members one after another, within a bound. */
#include "io/gzip.h"

#include "base/err.h"
#include "base/mem.h"

#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

enum {
    STEP_BYTES = 256 << 10, /* unpacked between two looks at the caps */
    FEED_BYTES = 1 << 30,   /* zlib counts in 32 bits */
    GZIP_ONLY = 16 + MAX_WBITS
};

typedef struct {
    z_stream zlib;
    const char *name;
    const uint8_t *bytes;
    size_t n, most_bytes;
    uint8_t *out;
    size_t length, capacity;
} unpacking;

static void *allocate(void *unused, unsigned count, unsigned size) {
    (void)unused;
    return dun_calloc(count, size);
}

static void release(void *unused, void *block) {
    (void)unused;
    dun_free(block);
}

bool dun_gzip_is(const uint8_t *bytes, size_t n) {
    return n >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

/* Bytes of the file that zlib has taken. */
static size_t taken(const unpacking *u) {
    return u->zlib.next_in ? (size_t)(u->zlib.next_in - u->bytes) : 0;
}

static int check_caps(const unpacking *u) {
    if (u->length > u->most_bytes)
        return dun_error(DUN_BAD_INPUT,
                         "%s: byte %zu: unpacks to more than %zu bytes; a smaller file is needed", u->name,
                         taken(u), u->most_bytes);
    if (u->length > DUN_GZIP_FREE_BYTES && u->length / DUN_GZIP_RATIO > taken(u))
        return dun_error(DUN_BAD_INPUT,
                         "%s: byte %zu: unpacks to more than %d times its size; a file of texts is needed",
                         u->name, taken(u), DUN_GZIP_RATIO);
    return DUN_OK;
}

/* What zlib's status means for the file; Z_OK and Z_STREAM_END never come here. */
static int refuse(const unpacking *u, int status) {
    static const struct {
        const char *zlib, *fact;
    } facts[] = {
        {"incorrect data check", "the checksum (CRC) does not match"},
        {"incorrect length check", "the length does not match"},
    };
    if (status == Z_MEM_ERROR)
        return DUN_FAILED; /* the allocator recorded the message */
    if (status == Z_BUF_ERROR)
        return dun_error(DUN_BAD_INPUT, "%s: byte %zu: the gzip data end too early (truncated download?)",
                         u->name, u->n);
    const char *fact = u->zlib.msg ? u->zlib.msg : "not understood";
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
        if (strcmp(fact, facts[i].zlib) == 0)
            fact = facts[i].fact;
    return dun_error(DUN_BAD_INPUT, "%s: byte %zu: damaged gzip data: %s; an intact file is needed", u->name,
                     taken(u), fact);
}

/* Makes room for the next step; what is allocated stays within twice what came out, and near the cap. */
static int make_room(unpacking *u) {
    int rc = DUN_OK;
    uint8_t *grown;
    if (u->capacity - u->length >= STEP_BYTES)
        goto out;
    size_t larger = u->capacity ? u->capacity * 2 : (size_t)2 * STEP_BYTES;
    if (larger > u->most_bytes + 2 * STEP_BYTES)
        larger = u->most_bytes + 2 * STEP_BYTES;
    TRY_PTR(grown, dun_realloc(u->out, larger, 1));
    u->out = grown;
    u->capacity = larger;
out:
    return rc;
}

/* One member, from its header to its checksum. */
static int unpack_member(unpacking *u) {
    int rc = DUN_OK, status = Z_OK;
    z_stream *z = &u->zlib;
    while (status != Z_STREAM_END) {
        TRY(make_room(u));
        size_t left = u->n - taken(u);
        z->avail_in = left < FEED_BYTES ? (unsigned)left : FEED_BYTES;
        z->next_out = u->out + u->length;
        z->avail_out = STEP_BYTES;
        status = inflate(z, Z_NO_FLUSH);
        u->length += STEP_BYTES - z->avail_out;
        if (status != Z_OK && status != Z_STREAM_END)
            TRY(refuse(u, status));
        TRY(check_caps(u));
    }
out:
    return rc;
}

int dun_gzip_expand_within(uint8_t **out, size_t *length, size_t most_bytes, const uint8_t *bytes, size_t n,
                           const char *name) {
    int rc = DUN_OK;
    unpacking u = {.name = name, .bytes = bytes, .n = n, .most_bytes = most_bytes};
    u.zlib.zalloc = allocate;
    u.zlib.zfree = release;
    *out = NULL;
    *length = 0;
    if (!dun_gzip_is(bytes, n))
        TRY(dun_error(DUN_BAD_INPUT, "%s: byte 0: not gzip data; 1f 8b is needed", name));
    u.zlib.next_in = bytes;
    int status = inflateInit2(&u.zlib, GZIP_ONLY);
    if (status != Z_OK)
        TRY(refuse(&u, status));
    TRY(unpack_member(&u));
    while (taken(&u) < n) {
        if (!dun_gzip_is(bytes + taken(&u), n - taken(&u)))
            TRY(dun_error(DUN_BAD_INPUT,
                          "%s: byte %zu: %zu bytes after the gzip data; nothing else may follow them", name,
                          taken(&u), n - taken(&u)));
        inflateReset(&u.zlib);
        TRY(unpack_member(&u));
    }
    *out = u.out;
    *length = u.length;
    u.out = NULL;
out:
    inflateEnd(&u.zlib);
    dun_free(u.out);
    return rc;
}

int dun_gzip_expand(uint8_t **out, size_t *length, const uint8_t *bytes, size_t n, const char *name) {
    return dun_gzip_expand_within(out, length, DUN_GZIP_BYTES, bytes, n, name);
}
