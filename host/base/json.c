/* Scans JSON for what jansson would accept or find too late, then lets it parse; builds and prints values. */
#include "base/json.h"

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* jansson forgets some failed allocations (a token's text is then cut), so they are remembered here, where
 * its allocations are ours. */
static _Thread_local bool out_of_memory;

static void *allocate(size_t bytes) {
    void *block = dun_calloc(bytes, 1);
    if (!block)
        out_of_memory = true;
    return block;
}

void dun_json_own_memory(void) {
    json_set_alloc_funcs(allocate, dun_free);
}

typedef struct {
    const char *name, *bytes;
    size_t length, first_line;
    bool any_integer; /* also what a double cannot hold */
} document;

/* The line and column of the character at `at`. */
static void find_place(size_t *line, size_t *column, const document *d, size_t at) {
    *line = d->first_line;
    *column = 1;
    for (size_t i = 0; i < at; i++) {
        if (d->bytes[i] == '\n') {
            ++*line;
            *column = 1;
        } else if ((d->bytes[i + 1] & 0xc0) != 0x80) {
            ++*column;
        }
    }
}

static int refuse(const document *d, size_t at, const char *fact) {
    size_t line, column;
    find_place(&line, &column, d, at);
    return dun_error(DUN_BAD_INPUT, "%s:%zu:%zu: %s", d->name, line, column, fact);
}

/* The end of the string whose opening quote is at `at`: its closing quote, or the document's end. */
static size_t string_end(const document *d, size_t at) {
    for (at++; at < d->length && d->bytes[at] != '"'; at++)
        if (d->bytes[at] == '\\')
            at++;
    return at;
}

/* The end of the number that starts at `at`; refuses one of digits alone that a double cannot hold,
 * unless any is wanted. */
static int check_number(size_t *end, const document *d, size_t at) {
    bool whole = true;
    json_int_t value = 0;
    for (at += d->bytes[at] == '-'; at < d->length; at++) {
        const char c = d->bytes[at];
        if (c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-')
            whole = false;
        else if (c < '0' || c > '9')
            break;
        else if (value <= DUN_JSON_INTEGER)
            value = value * 10 + (c - '0');
    }
    *end = at;
    if (whole && value > DUN_JSON_INTEGER && !d->any_integer)
        return refuse(d, at - 1, "the integer is beyond 2^53; a smaller one, or a real number is needed");
    return DUN_OK;
}

static int check_bytes(const document *d) {
    size_t valid = dun_utf8_valid(d->bytes, d->length);
    char fact[96];
    if (d->length > DUN_JSON_BYTES)
        return dun_error(DUN_BAD_INPUT, "%s:%zu:1: JSON of %zu bytes; at most %d are possible", d->name,
                         d->first_line, d->length, DUN_JSON_BYTES);
    if (valid == d->length)
        return DUN_OK;
    snprintf(fact, sizeof fact, "byte 0x%02x (at byte %zu) is not UTF-8; JSON in UTF-8 is needed",
             (unsigned char)d->bytes[valid], valid);
    return refuse(d, valid, fact);
}

/* What some writers put for numbers that JSON has no words for. */
static int check_word(const document *d, size_t at) {
    static const char *const words[] = {"NaN", "Infinity"};
    char fact[80];
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const size_t n = strlen(words[i]);
        snprintf(fact, sizeof fact, "%s is no JSON; a number or null is needed", words[i]);
        if (d->length - at >= n && memcmp(d->bytes + at, words[i], n) == 0)
            return refuse(d, at, fact);
    }
    return DUN_OK;
}

/* Depth before jansson's recursion meets it, and integers, of which it takes 64 bits. */
static int check_values(const document *d) {
    int rc = DUN_OK;
    char fact[80];
    size_t depth = 0;
    for (size_t at = 0; at < d->length; at++) {
        char c = d->bytes[at];
        if (c == '"') {
            at = string_end(d, at);
        } else if (c == '-' || (c >= '0' && c <= '9')) {
            TRY(check_number(&at, d, at));
            at--;
        } else if (c == '[' || c == '{') {
            snprintf(fact, sizeof fact, "nested deeper than %d; at most %d levels are possible",
                     DUN_JSON_DEPTH, DUN_JSON_DEPTH);
            if (++depth > DUN_JSON_DEPTH)
                TRY(refuse(d, at, fact));
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        } else if (c == 'N' || c == 'I') {
            TRY(check_word(d, at));
        }
    }
out:
    return rc;
}

/* jansson's error as ours. Its text quotes the input, perhaps half a character of it or control characters,
 * which must not break the line. */
static int refuse_syntax(const document *d, const json_error_t *error) {
    int rc;
    dun_str fact = {0};
    enum json_error_code code = json_error_code(error);
    if (code == json_error_null_character || code == json_error_null_byte_in_key)
        TRY(dun_str_addf(&fact, "\\u0000 in a string is refused"));
    else
        TRY(dun_utf8_repair(&fact, error->text, strlen(error->text)));
    for (size_t i = 0; i < fact.length; i++)
        if ((unsigned char)fact.bytes[i] < 0x20 || fact.bytes[i] == 0x7f)
            fact.bytes[i] = '?';
    size_t line = error->line > 1 ? (size_t)error->line - 1 : 0;
    rc = dun_error(DUN_BAD_INPUT, "%s:%zu:%d: %s; one JSON object or array is needed", d->name,
                   d->first_line + line, error->column > 0 ? error->column : 1, fact.bytes ? fact.bytes : "");
out:
    dun_str_free(&fact);
    return rc;
}

static int parse(json_t **out, const document *d) {
    int rc;
    json_error_t error;
    *out = NULL;
    TRY(check_bytes(d));
    TRY(check_values(d));
    out_of_memory = false;
    *out = json_loadb(d->bytes, d->length, JSON_REJECT_DUPLICATES, &error);
    if (!*out && d->any_integer && json_error_code(&error) == json_error_numeric_overflow)
        *out = json_loadb(d->bytes, d->length, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &error);
    if (out_of_memory)
        TRY(DUN_FAILED); /* its message is recorded */
    if (!*out)
        TRY(refuse_syntax(d, &error));
out:
    if (rc < 0) {
        json_decref(*out);
        *out = NULL;
    }
    return rc;
}

int dun_json_parse(json_t **out, const char *bytes, size_t length, const char *name, size_t first_line) {
    return parse(
        out,
        &(document){.name = name, .bytes = length ? bytes : "", .length = length, .first_line = first_line});
}

int dun_json_parse_foreign(json_t **out, const char *bytes, size_t length, const char *name,
                           size_t first_line) {
    return parse(out, &(document){.name = name,
                                  .bytes = length ? bytes : "",
                                  .length = length,
                                  .first_line = first_line,
                                  .any_integer = true});
}

int dun_json_read(json_t **out, const char *path) {
    int rc = DUN_OK;
    dun_file file = {0};
    *out = NULL;
    TRY(dun_file_map(&file, path));
    TRY(dun_json_parse(out, (const char *)file.bytes, file.length, path, 1));
out:
    dun_file_unmap(&file);
    return rc;
}

typedef struct {
    dun_str *text;
    bool failed;
} sink;

static int add_piece(const char *bytes, size_t length, void *data) {
    sink *out = data;
    int rc = dun_str_add(out->text, bytes, length);
    out->failed |= rc < 0;
    return rc;
}

static int dump(dun_str *out, const json_t *value, size_t how) {
    const size_t before = out->length, flags = JSON_COMPACT | JSON_ENCODE_ANY | how;
    sink pieces = {.text = out};
    out_of_memory = false;
    /* jansson goes on after a key that could not be written. */
    if (value && json_dump_callback(value, add_piece, &pieces, flags) == 0 && !pieces.failed)
        return DUN_OK;
    out->length = before;
    if (out->bytes)
        out->bytes[before] = '\0';
    if (pieces.failed || out_of_memory)
        return DUN_FAILED; /* the message is recorded */
    return dun_error(DUN_FAILED, "a value is missing, or contains itself, and cannot be written as JSON");
}

int dun_json_dump(dun_str *out, const json_t *value) {
    return dump(out, value, JSON_REAL_PRECISION(9));
}

int dun_json_dump_ordered(dun_str *out, const json_t *value) {
    return dump(out, value, JSON_REAL_PRECISION(17) | JSON_SORT_KEYS);
}

static int changed(int result, const char *where) {
    return result == 0 ? DUN_OK
                       : dun_error(DUN_FAILED,
                                   "a value for the JSON %s could not be made: no memory, or a text "
                                   "that is not UTF-8",
                                   where);
}

int dun_json_set(json_t *object, const char *key, json_t *value) {
    char where[96];
    snprintf(where, sizeof where, "key %.80s", key);
    return changed(json_object_set_new(object, key, value), where);
}

int dun_json_append(json_t *array, json_t *value) {
    return changed(json_array_append_new(array, value), "array");
}

json_t *dun_json_real(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}
