/* The body of POST /classify: what its head may say of it, and the texts in it. Byte order marks, UTF-16 and
 * line ends are those of files (io/data/encoding.h, io/data/lines.h). */
#ifndef DUN_SERVE_BODY_H
#define DUN_SERVE_BODY_H

#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct {
    json_t *document;   /* owns the texts of JSON, */
    dun_str lines;      /* and this those of lines */
    bool many;          /* {"texts"} or lines, not {"text"} */
    bool map;           /* "map": true: places are wanted */
    const char **texts; /* [n], UTF-8 */
    size_t *lengths;
    size_t n;
} dun_serve_body;

/* {"text": "..."} or {"texts": ["...", ...]}; of type text/plain (NULL: the head says none), unless it begins
 * with a brace, a text a line. DUN_BAD_INPUT for anything else, nothing then to free. */
int dun_serve_body_read(dun_serve_body *body, const char *content_type, const char *bytes, size_t length);
void dun_serve_body_free(dun_serve_body *body);

/* Whether a body with such a Content-Encoding, such a Content-Type can be read: as it is, not packed; in
 * UTF-8 or ASCII. NULL: the head says nothing. Other types than text/plain are read as JSON. */
bool dun_serve_encoding_known(const char *content_encoding);
bool dun_serve_charset_known(const char *content_type);

#endif
