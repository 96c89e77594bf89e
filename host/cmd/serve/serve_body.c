/* Reads a body, JSON or lines, and the two header fields that say what it is. */
#include "cmd/serve/serve_body.h"

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "io/data/encoding.h"
#include "io/data/lines.h"

#include <string.h>
#include <strings.h>

/* The word at the front of *at, up to one of `ends`, without blanks around it; *at moves behind its end. */
static dun_slice take_word(const char **at, const char *ends) {
    static const char blanks[] = " \t";
    const char *begin = *at + strspn(*at, blanks);
    const char *end = begin + strcspn(begin, ends);
    *at = *end ? end + 1 : end;
    while (end > begin && strchr(blanks, end[-1]))
        end--;
    return (dun_slice){begin, (size_t)(end - begin)};
}

static bool is_word(dun_slice word, const char *wanted) {
    return word.length == strlen(wanted) && strncasecmp(word.bytes, wanted, word.length) == 0;
}

static int read_json(dun_serve_body *body, const char *bytes, size_t length) {
    int rc = DUN_OK;
    TRY(dun_json_parse_foreign(&body->document, bytes, length, "body", 1));
    const json_t *one = json_object_get(body->document, "text");
    const json_t *all = json_object_get(body->document, "texts");
    if (!one == !all || (one && !json_is_string(one)) || (all && !json_is_array(all)))
        TRY(dun_error(DUN_BAD_INPUT, "body: {\"text\": \"...\"} or {\"texts\": [\"...\", ...]} is needed"));
    body->many = all != NULL;
    body->map = json_is_true(json_object_get(body->document, "map"));
    body->n = all ? json_array_size(all) : 1;
    TRY_NEW(body->texts, body->n);
    TRY_NEW(body->lengths, body->n);
    for (size_t i = 0; i < body->n; i++) {
        const json_t *text = all ? json_array_get(all, i) : one;
        if (!json_is_string(text))
            TRY(dun_error(DUN_BAD_INPUT, "body: texts[%zu] is not a string", i));
        body->texts[i] = json_string_value(text);
        body->lengths[i] = json_string_length(text);
    }
out:
    return rc;
}

/* Every line is a text, an empty one too. */
static int read_lines(dun_serve_body *body, const char *bytes, size_t length) {
    int rc;
    dun_lines *lines = NULL;
    const char *text;
    size_t n, capacity = 0, at = 0;
    TRY(dun_lines_of(&lines, bytes, length, "body", &(dun_lines_options){.mode = DUN_LINES_PLAIN}));
    while ((rc = dun_lines_next(&text, &n, lines)) == 1) {
        TRY_GROW(body->lengths, capacity, body->n);
        body->lengths[body->n++] = n;
        TRY(dun_str_add(&body->lines, text, n + 1));
    }
    TRY(rc);
    TRY_NEW(body->texts, body->n);
    for (size_t i = 0; i < body->n; i++) {
        body->texts[i] = body->lines.bytes + at;
        at += body->lengths[i] + 1;
    }
    body->many = true;
out:
    dun_lines_close(lines);
    return rc;
}

static bool is_plain(const char *content_type) {
    return content_type && is_word(take_word(&content_type, ";"), "text/plain");
}

static int read_texts(dun_serve_body *body, const char *content_type, const char *bytes, size_t length) {
    int rc;
    enum dun_encoding encoding;
    size_t skipped, taken, fault;
    bool open;
    dun_str decoded = {0};
    TRY(dun_mark_read(&encoding, &skipped, &open, bytes, length, "body"));
    const char *text = bytes + skipped;
    size_t n = length - skipped;
    if (encoding != DUN_UTF8) {
        TRY(dun_utf16_decode(&decoded, &taken, &fault, text, n, encoding, true));
        text = decoded.bytes;
        n = decoded.length;
    }
    const char *first = text, *end = text + n;
    while (first < end && strchr(" \t\r\n", *first))
        first++;
    const bool braced = first < end && *first == '{';
    TRY(is_plain(content_type) && !braced ? read_lines(body, bytes, length) : read_json(body, text, n));
out:
    dun_str_free(&decoded);
    return rc;
}

int dun_serve_body_read(dun_serve_body *body, const char *content_type, const char *bytes, size_t length) {
    memset(body, 0, sizeof *body);
    int rc = read_texts(body, content_type, bytes, length);
    if (rc < 0)
        dun_serve_body_free(body);
    return rc;
}

void dun_serve_body_free(dun_serve_body *body) {
    json_decref(body->document);
    dun_str_free(&body->lines);
    dun_free(body->texts);
    dun_free(body->lengths);
    memset(body, 0, sizeof *body);
}

bool dun_serve_encoding_known(const char *content_encoding) {
    for (const char *at = content_encoding; at && *at;) {
        dun_slice word = take_word(&at, ",");
        if (word.length && !is_word(word, "identity"))
            return false;
    }
    return true;
}

bool dun_serve_charset_known(const char *content_type) {
    static const char *const known[] = {"utf-8", "utf8", "us-ascii", "ascii", ""};
    const char *at = content_type ? content_type : "";
    bool right = true;
    take_word(&at, ";");
    while (*at) {
        dun_slice parameter = take_word(&at, ";");
        const char *value = memchr(parameter.bytes, '=', parameter.length);
        if (!value || !is_word((dun_slice){parameter.bytes, (size_t)(value - parameter.bytes)}, "charset"))
            continue;
        value++;
        dun_slice charset = {value, (size_t)(parameter.bytes + parameter.length - value)};
        if (charset.length >= 2 && value[0] == '"' && value[charset.length - 1] == '"')
            charset = (dun_slice){value + 1, charset.length - 2};
        right = false;
        for (size_t i = 0; i < sizeof known / sizeof *known && !right; i++)
            right = is_word(charset, known[i]);
        if (!right)
            break;
    }
    return right;
}
