/* Inflating members one after another, piece by piece or within a bound. */
#include "io/data/gzip.h"

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

struct dun_gunzip {
    z_stream zlib;
    char *name;
    size_t taken; /* bytes of the file */
    bool whole;   /* no member is open */
};

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

/* What zlib's status means for the file; Z_OK, Z_STREAM_END and Z_BUF_ERROR never come here. */
static int refuse(const dun_gunzip *g, int status) {
    static const struct {
        const char *zlib, *fact;
    } facts[] = {
        {"incorrect data check", "the checksum (CRC) does not match"},
        {"incorrect length check", "the length does not match"},
    };
    if (status == Z_MEM_ERROR)
        return DUN_FAILED; /* the allocator recorded the message */
    const char *fact = g->zlib.msg ? g->zlib.msg : "not understood";
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
        if (strcmp(fact, facts[i].zlib) == 0)
            fact = facts[i].fact;
    return dun_error(DUN_BAD_INPUT, "%s: byte %zu: damaged gzip data: %s; an intact file is needed", g->name,
                     g->taken, fact);
}

int dun_gunzip_create(dun_gunzip **out, const char *name) {
    int rc = DUN_OK;
    dun_gunzip *g = NULL;
    *out = NULL;
    TRY_NEW(g, 1);
    TRY_PTR(g->name, dun_strdup(name));
    g->whole = true;
    g->zlib.zalloc = allocate;
    g->zlib.zfree = release;
    int status = inflateInit2(&g->zlib, GZIP_ONLY);
    if (status != Z_OK)
        TRY(refuse(g, status));
    *out = g;
    g = NULL;
out:
    dun_gunzip_free(g);
    return rc;
}

int dun_gunzip_step(size_t *made, dun_gunzip *g, const uint8_t **bytes, size_t *n, uint8_t *out,
                    size_t room) {
    int rc = DUN_OK;
    z_stream *z = &g->zlib;
    *made = 0;
    if (g->whole && *n == 0)
        goto out;
    if (g->whole)
        inflateReset(z);
    z->next_in = *bytes;
    const unsigned given = z->avail_in = *n < FEED_BYTES ? (unsigned)*n : FEED_BYTES;
    z->next_out = out;
    const unsigned least = z->avail_out = room < FEED_BYTES ? (unsigned)room : FEED_BYTES;
    const int status = inflate(z, Z_NO_FLUSH);
    const size_t used = given - z->avail_in;
    g->taken += used;
    *bytes += used;
    *n -= used;
    *made = least - z->avail_out;
    g->whole = status == Z_STREAM_END;
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
        TRY(refuse(g, status));
out:
    return rc;
}

bool dun_gunzip_is_whole(const dun_gunzip *g) {
    return g->whole;
}

int dun_gunzip_finish(const dun_gunzip *g) {
    return g->whole
               ? DUN_OK
               : dun_error(DUN_BAD_INPUT, "%s: byte %zu: the gzip data end too early (truncated download?)",
                           g->name, g->taken);
}

void dun_gunzip_free(dun_gunzip *g) {
    if (!g)
        return;
    inflateEnd(&g->zlib);
    dun_free(g->name);
    dun_free(g);
}

typedef struct {
    dun_gunzip *gunzip;
    size_t most_bytes;
    uint8_t *out;
    size_t length, capacity;
} unpacking;

static int check_caps(const unpacking *u) {
    const dun_gunzip *g = u->gunzip;
    if (u->length > u->most_bytes)
        return dun_error(DUN_BAD_INPUT,
                         "%s: byte %zu: unpacks to more than %zu bytes; a smaller file is needed", g->name,
                         g->taken, u->most_bytes);
    if (u->length > DUN_GZIP_FREE_BYTES && u->length / DUN_GZIP_RATIO > g->taken)
        return dun_error(DUN_BAD_INPUT,
                         "%s: byte %zu: unpacks to more than %d times its size; a file of texts is needed",
                         g->name, g->taken, DUN_GZIP_RATIO);
    return DUN_OK;
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

/* Unpacks what is left of a file; each step takes or makes something, until it is whole. */
static int unpack(unpacking *u, const uint8_t *bytes, size_t n) {
    int rc;
    size_t made;
    do {
        const size_t before = n;
        TRY(make_room(u));
        TRY(dun_gunzip_step(&made, u->gunzip, &bytes, &n, u->out + u->length, STEP_BYTES));
        u->length += made;
        TRY(check_caps(u));
        if (made == 0 && n == before)
            TRY(dun_gunzip_finish(u->gunzip));
        if (u->gunzip->whole && n > 0 && !dun_gzip_is(bytes, n))
            TRY(dun_error(DUN_BAD_INPUT,
                          "%s: byte %zu: %zu bytes after the gzip data; nothing else may follow them",
                          u->gunzip->name, u->gunzip->taken, n));
    } while (n > 0 || !u->gunzip->whole);
out:
    return rc;
}

int dun_gzip_expand_within(uint8_t **out, size_t *length, size_t most_bytes, const uint8_t *bytes, size_t n,
                           const char *name) {
    int rc = DUN_OK;
    unpacking u = {.most_bytes = most_bytes};
    *out = NULL;
    *length = 0;
    if (!dun_gzip_is(bytes, n))
        TRY(dun_error(DUN_BAD_INPUT, "%s: byte 0: not gzip data; 1f 8b is needed", name));
    TRY(dun_gunzip_create(&u.gunzip, name));
    TRY(unpack(&u, bytes, n));
    *out = u.out;
    *length = u.length;
    u.out = NULL;
out:
    dun_gunzip_free(u.gunzip);
    dun_free(u.out);
    return rc;
}

int dun_gzip_expand(uint8_t **out, size_t *length, const uint8_t *bytes, size_t n, const char *name) {
    return dun_gzip_expand_within(out, length, DUN_GZIP_BYTES, bytes, n, name);
}
