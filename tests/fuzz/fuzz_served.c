/* What clients send to dunlin serve: the body of a request; the header fields that say how it is written. */
#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "cmd/serve/serve_body.h"
#include "targets.h"

#include <string.h>

/* A byte becomes three at most: U+FFFD. */
static void check_texts(const dun_serve_body *body, size_t length) {
    FUZZ_EXPECT(body->n <= length && (body->many || body->n == 1));
    for (size_t i = 0; i < body->n; i++) {
        FUZZ_EXPECT(strlen(body->texts[i]) == body->lengths[i] && body->lengths[i] <= 3 * length);
        FUZZ_EXPECT(dun_utf8_valid(body->texts[i], body->lengths[i]) == body->lengths[i]);
    }
}

static void read_body(const char *type, const char *bytes, size_t length) {
    dun_serve_body body;
    size_t live = dun_mem_live();
    if (fuzz_accepted(dun_serve_body_read(&body, type, bytes, length), DUN_BAD_INPUT, DUN_BAD_INPUT))
        check_texts(&body, length);
    else
        FUZZ_EXPECT(!body.document && !body.texts && !body.lengths && !body.lines.bytes);
    dun_serve_body_free(&body);
    FUZZ_EXPECT(dun_mem_live() == live);
}

void fuzz_body(const uint8_t *bytes, size_t length) {
    read_body("application/json", (const char *)bytes, length);
    read_body("text/plain; charset=utf-8", (const char *)bytes, length);
}

/* What is known stays known with words around it that say nothing. */
void fuzz_media(const uint8_t *bytes, size_t length) {
    char *field = dun_strndup((const char *)bytes, length), *longer = dun_calloc(length + 16, 1);
    FUZZ_EXPECT(field && longer);
    strcat(strcpy(longer, "identity , "), field);
    FUZZ_EXPECT(dun_serve_encoding_known(field) == dun_serve_encoding_known(longer));
    strcat(strcpy(longer, field), " ; x = y");
    FUZZ_EXPECT(dun_serve_charset_known(field) == dun_serve_charset_known(longer));
    dun_free(longer);
    dun_free(field);
}
