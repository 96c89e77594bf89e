/* Bytes go through three stages: read, unpacked where they are packed, decoded where they are UTF-16. The
 * first ones decide; see feed.h. */
#include "io/data/feed.h"

#include "base/err.h"
#include "base/mem.h"
#include "io/data/encoding.h"
#include "io/data/foreign.h"
#include "io/data/gzip.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum {
    CHUNK_BYTES = 1 << 16,
    SILENT_BYTES = 64 /* so many are needed to see UTF-16 in bytes that do not say it */
};

struct dun_feed {
    int fd; /* -1: memory, which is one chunk */
    char *name;
    uint8_t *chunk;    /* [CHUNK_BYTES], or NULL */
    const uint8_t *at; /* what was read and not yet taken: [n] */
    size_t n;
    bool at_end;           /* nothing more can be read */
    bool decided, decoded; /* what the bytes are, what the text is */
    dun_gunzip *gunzip;    /* of packed ones */
    uint8_t *unpacked;     /* [CHUNK_BYTES] */
    bool more;             /* of it is ready */
    enum dun_encoding encoding;
    dun_str front, text; /* bytes not decoded yet; decoded ones */
};

static int create(dun_feed **out, const char *name) {
    int rc = DUN_OK;
    dun_feed *s = NULL;
    *out = NULL;
    TRY_NEW(s, 1);
    s->fd = -1;
    TRY_PTR(s->name, dun_strdup(name));
    *out = s;
    s = NULL;
out:
    dun_feed_close(s);
    return rc;
}

int dun_feed_open(dun_feed **out, const char *path) {
    int rc;
    const bool is_stdin = strcmp(path, "-") == 0;
    TRY(create(out, is_stdin ? "stdin" : path));
    TRY_NEW((*out)->chunk, CHUNK_BYTES);
    (*out)->fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if ((*out)->fd < 0)
        TRY(dun_error(DUN_BAD_INPUT, "%s: %s", path, strerror(errno)));
out:
    if (rc < 0) {
        dun_feed_close(*out);
        *out = NULL;
    }
    return rc;
}

int dun_feed_of(dun_feed **out, const void *bytes, size_t length, const char *name) {
    int rc;
    TRY(create(out, name));
    (*out)->at = bytes;
    (*out)->n = length;
    (*out)->at_end = true;
out:
    return rc;
}

void dun_feed_close(dun_feed *s) {
    if (!s)
        return;
    if (s->fd > STDIN_FILENO)
        close(s->fd);
    dun_gunzip_free(s->gunzip);
    dun_str_free(&s->front);
    dun_str_free(&s->text);
    dun_free(s->unpacked);
    dun_free(s->chunk);
    dun_free(s->name);
    dun_free(s);
}

/* Reads what there is behind what is not taken, waiting for at least a byte. */
static int refill(dun_feed *s) {
    ssize_t n;
    if (s->n > 0)
        memmove(s->chunk, s->at, s->n);
    do
        n = read(s->fd, s->chunk + s->n, CHUNK_BYTES - s->n);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return dun_error(DUN_BAD_INPUT, "%s: cannot be read: %s", s->name, strerror(errno));
    s->at = s->chunk;
    s->n += (size_t)n;
    s->at_end = n == 0;
    return DUN_OK;
}

/* Are they packed? Two bytes tell; most first ones do alone. */
static int decide(dun_feed *s) {
    int rc = DUN_OK;
    while (!s->at_end && (s->n == 0 || (s->n == 1 && *s->at == 0x1f)))
        TRY(refill(s));
    s->decided = true;
    if (!dun_gzip_is(s->at, s->n))
        goto out;
    if (s->fd < 0)
        TRY(dun_error(DUN_BAD_INPUT, "%s: is packed by gzip; it is needed as it is", s->name));
    TRY(dun_gunzip_create(&s->gunzip, s->name));
    TRY_NEW(s->unpacked, CHUNK_BYTES);
out:
    return rc;
}

/* The next bytes, unpacked: 1, 0 at the end, or a status. */
static int next_bytes(const char **bytes, size_t *length, dun_feed *s) {
    int rc = DUN_OK;
    TRY(s->decided ? DUN_OK : decide(s));
    if (s->n == 0 && !s->at_end && !s->more)
        TRY(refill(s));
    if (s->gunzip) {
        const size_t before = s->n;
        TRY(dun_gunzip_step(length, s->gunzip, &s->at, &s->n, s->unpacked, CHUNK_BYTES));
        *bytes = (const char *)s->unpacked;
        s->more = *length == CHUNK_BYTES;
        if (s->at_end && before == 0 && *length == 0)
            TRY(dun_gunzip_finish(s->gunzip));
        rc = !s->at_end || before > 0 || *length > 0;
    } else {
        *bytes = (const char *)s->at;
        *length = s->n;
        rc = s->n > 0 || !s->at_end;
        s->n = 0;
    }
out:
    return rc;
}

/* The first bytes of the text, as many as tell what it is, without the mark. */
static int begin(const char **bytes, size_t *length, dun_feed *s) {
    int rc;
    size_t skipped;
    bool open = true;
    while (open) {
        TRY(next_bytes(bytes, length, s));
        const bool end = rc == 0;
        if (!end)
            TRY(dun_str_add(&s->front, *bytes, *length));
        const char *front = s->front.bytes ? s->front.bytes : "";
        TRY(dun_mark_read(&s->encoding, &skipped, &open, front, s->front.length, s->name));
        open = open && !end;
    }
    *length = s->front.length - skipped;
    *bytes = *length ? s->front.bytes + skipped : "";
    TRY(dun_foreign_refuse(*bytes, *length, s->name));
    if (s->encoding == DUN_UTF8 && *length >= SILENT_BYTES)
        TRY(dun_silent_utf16_refuse(*bytes, *length, s->name));
    s->decoded = true;
    if (s->encoding != DUN_UTF8) { /* they are decoded where they lie */
        memmove(s->front.bytes, *bytes, *length);
        s->front.length = *length;
    }
    rc = 1;
out:
    return rc;
}

/* What can be decoded of `front`; the rest stays there. */
static int decode(const char **bytes, size_t *length, dun_feed *s, bool end) {
    int rc;
    size_t taken, fault;
    dun_str_clear(&s->text);
    TRY(dun_utf16_decode(&s->text, &taken, &fault, s->front.bytes, s->front.length, s->encoding, end));
    s->front.length -= taken;
    memmove(s->front.bytes, s->front.bytes + taken, s->front.length);
    *bytes = s->text.length ? s->text.bytes : "";
    *length = s->text.length;
out:
    return rc;
}

int dun_feed_next(const char **bytes, size_t *length, dun_feed *s) {
    int rc;
    *bytes = "";
    *length = 0;
    if (!s->decoded) {
        TRY(begin(bytes, length, s));
        if (s->encoding != DUN_UTF8 && *length)
            TRY(decode(bytes, length, s, false));
        rc = 1;
        goto out;
    }
    TRY(next_bytes(bytes, length, s));
    const bool end = rc == 0;
    if (s->encoding == DUN_UTF8 || (end && s->front.length == 0))
        goto out;
    if (!end)
        TRY(dun_str_add(&s->front, *bytes, *length));
    TRY(decode(bytes, length, s, end));
    rc = 1;
out:
    return rc;
}

bool dun_feed_waits(const dun_feed *s) {
    struct pollfd waiting = {.fd = s->fd, .events = POLLIN};
    return s->n == 0 && !s->more && !s->at_end && poll(&waiting, 1, 0) == 0;
}

int dun_feed_fd(const dun_feed *s) {
    return s->fd;
}

const char *dun_feed_name(const dun_feed *s) {
    return s->name;
}
