/* The body of POST /classify: what its head may say of it, and the texts in it. */
#ifndef DUN_SERVE_BODY_H
#define DUN_SERVE_BODY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct {
    json_t *document;   /* owns the texts */
    bool many;          /* {"texts"}, not {"text"} */
    const char **texts; /* [n], UTF-8 */
    size_t *lengths;
    size_t n;
} dun_serve_body;

/* {"text": "..."} or {"texts": ["...", ...]}. DUN_BAD_INPUT for anything else, nothing then to free. */
int dun_serve_body_read(dun_serve_body *body, const char *bytes, size_t length);
void dun_serve_body_free(dun_serve_body *body);

/* Whether a body with such a Content-Encoding, such a Content-Type can be read: as it is, not packed; in
 * UTF-8 or ASCII. NULL: the head says nothing. Other types than JSON are taken, as the body is read as JSON
 * anyhow. */
bool dun_serve_encoding_known(const char *content_encoding);
bool dun_serve_charset_known(const char *content_type);

#endif
