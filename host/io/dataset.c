/* Reading labelled texts: which format a file has, what every format shares, and the examples that come out.
 * The formats themselves are in delimited.c and jsonl.c. See dataset.h. */
#include "io/dataset.h"

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "io/dataset_inside.h"
#include "io/gzip.h"

#include <string.h>
#include <strings.h>

static int read_tsv(dun_dataset_reader *r) {
    return dun_delimited_read(r, '\t', false);
}

static int read_csv(dun_dataset_reader *r) {
    return dun_delimited_read(r, ',', true);
}

static const struct {
    const char *format, *ending;
    int (*read)(dun_dataset_reader *r);
} formats[] = {
    {"tsv", ".tsv", read_tsv},
    {"csv", ".csv", read_csv},
    {"jsonl", ".jsonl", dun_jsonl_read},
    {"jsonl", ".ndjson", dun_jsonl_read},
};
enum { N_FORMATS = sizeof formats / sizeof formats[0] };

/* The row of `formats` for a file. */
static int find_format(size_t *row, const char *name, const char *format) {
    const bool is_auto = !format || !format[0] || strcmp(format, "auto") == 0;
    size_t length = strlen(name);
    if (length > 3 && strcasecmp(name + length - 3, ".gz") == 0)
        length -= 3;
    for (size_t i = 0; i < N_FORMATS; i++) {
        size_t n = strlen(formats[i].ending);
        *row = i;
        if (is_auto ? length > n && strncasecmp(name + length - n, formats[i].ending, n) == 0
                    : strcmp(format, formats[i].format) == 0)
            return DUN_OK;
    }
    if (is_auto)
        return dun_error(
            DUN_USAGE,
            "%s: the name's ending tells no format; .tsv, .csv, .jsonl, or data.format = tsv, csv "
            "or jsonl is needed",
            name);
    return dun_error(DUN_USAGE, "%s: data.format = %s is not known; auto, tsv, csv or jsonl is needed", name,
                     format);
}

bool dun_dataset_number(size_t *number, const char *text) {
    size_t digits = strspn(text, "0123456789");
    *number = 0;
    for (size_t i = 0; i < digits && i < 9; i++)
        *number = *number * 10 + (size_t)(text[i] - '0');
    return digits > 0 && digits <= 9 && text[digits] == '\0';
}

/* Refuses what no text may hold, wherever it stands. */
static int check_bytes(const dun_dataset_reader *r, size_t skipped) {
    const size_t length = (size_t)(r->end - r->at);
    const char *null = memchr(r->at, '\0', length);
    const char *fault = r->at + dun_utf8_valid(r->at, null ? (size_t)(null - r->at) : length);
    size_t line = 1;
    if (fault == r->end)
        return DUN_OK;
    for (const char *c = r->at; c < fault; c++)
        line += *c == '\n';
    size_t offset = skipped + (size_t)(fault - r->at);
    if (fault == null)
        return dun_error(DUN_BAD_INPUT, "%s:%zu: NUL at byte %zu; text in UTF-8 is needed", r->name, line,
                         offset);
    return dun_error(DUN_BAD_INPUT, "%s:%zu: 0x%02x at byte %zu is not UTF-8; text in UTF-8 is needed",
                     r->name, line, (unsigned char)*fault, offset);
}

int dun_dataset_skip_blank(dun_dataset_reader *r) {
    bool blank = false;
    const char *at = r->at;
    for (; at < r->end && strchr(" \r\n", *at); at++)
        blank |= *at == '\n';
    if (at == r->end)
        r->at = r->end;
    else if (blank)
        return dun_error(DUN_BAD_INPUT, "%s:%zu: the line is blank; a text and its label are needed", r->name,
                         r->line);
    return DUN_OK;
}

bool dun_dataset_full(const dun_dataset_reader *r) {
    return r->options->limit && r->dataset->n == r->options->limit;
}

/* Copies a field without its quoting; `out` has room for field->length + 1 bytes. Returns the length. */
static size_t copy_field(char *out, const dun_field *field) {
    size_t n = 0;
    for (size_t i = 0; i < field->length; i++) {
        out[n++] = field->bytes[i];
        if (field->quoted && field->bytes[i] == '"')
            i++;
    }
    out[n] = '\0';
    return n;
}

static int check_field(const dun_dataset_reader *r, const dun_field *field, const char *what, size_t most,
                       size_t line) {
    if (line > INT32_MAX)
        return dun_error(DUN_BAD_INPUT, "%s:%zu: too many lines; at most %d are possible", r->name, line,
                         INT32_MAX);
    if (field->length == 0)
        return dun_error(DUN_BAD_INPUT, "%s:%zu: empty %s; at least one byte is needed", r->name, line, what);
    if (field->length > most)
        return dun_error(DUN_BAD_INPUT, "%s:%zu: the %s has %zu bytes; at most %zu are possible", r->name,
                         line, what, field->length, most);
    return DUN_OK;
}

int dun_dataset_add(dun_dataset_reader *r, const dun_field *text, const dun_field *label, size_t line) {
    int rc;
    char word[DUN_LABEL_BYTES + 1];
    dun_dataset *dataset = r->dataset;
    TRY(check_field(r, text, "text", DUN_TEXT_BYTES, line));
    TRY(check_field(r, label, "label", DUN_LABEL_BYTES, line));
    copy_field(word, label);
    TRY_GROW(dataset->examples, r->capacity, dataset->n);
    dun_example *example = &dataset->examples[dataset->n];
    TRY(dun_labels_find(&example->label, r, word, line));
    example->text = dataset->bytes + r->bytes_used;
    example->length = copy_field(dataset->bytes + r->bytes_used, text);
    example->line = (uint32_t)line;
    r->bytes_used += example->length + 1;
    dataset->n++;
out:
    return rc;
}

static int check_classes(const dun_dataset_reader *r) {
    const dun_dataset *dataset = r->dataset;
    if (dataset->n == 0)
        return dun_error(DUN_BAD_INPUT, "%s:%zu: no texts; a text and its label are needed in every line",
                         r->name, r->line);
    for (size_t i = 1; i < dataset->n; i++)
        if (dataset->examples[i].label != dataset->examples[0].label)
            return DUN_OK;
    if (!r->gather && !r->options->training)
        return DUN_OK;
    return dun_error(DUN_BAD_INPUT,
                     "%s:%u: up to here every text has the label of line %u; at least two classes "
                     "are needed",
                     r->name, dataset->examples[dataset->n - 1].line, dataset->examples[0].line);
}

int dun_dataset_parse(dun_dataset **out, dun_labels *labels, const uint8_t *bytes, size_t length,
                      const char *name, const dun_dataset_options *options) {
    static const char mark[] = "\xef\xbb\xbf"; /* UTF-8's byte order mark */
    int rc;
    size_t format = 0, skipped = length >= 3 && memcmp(bytes, mark, 3) == 0 ? 3 : 0;
    dun_dataset_reader r = {.name = name, .line = 1, .options = options, .labels = labels};
    r.at = length ? (const char *)bytes + skipped : "";
    r.end = r.at + (length - skipped);
    r.gather = labels->n_classes == 0;
    *out = NULL;
    TRY(find_format(&format, name, options->format));
    TRY(check_bytes(&r, skipped));
    TRY_NEW(r.dataset, 1);
    /* A text and its zero fit where the text, quoted or escaped, and a separator or newline stood. */
    TRY_NEW(r.dataset->bytes, length + 1);
    dun_labels_begin(labels);
    TRY(formats[format].read(&r));
    TRY(check_classes(&r));
    if (r.gather)
        TRY(dun_labels_settle(labels, r.dataset));
    TRY(dun_labels_tell(&r));
    if (formats[format].read != dun_jsonl_read)
        TRY(dun_labels_tell_header(&r));
    *out = r.dataset;
    r.dataset = NULL;
out:
    dun_dataset_free(r.dataset);
    if (rc < 0 && r.gather)
        dun_labels_free(labels);
    return rc;
}

int dun_dataset_read(dun_dataset **out, dun_labels *labels, const char *path,
                     const dun_dataset_options *options) {
    int rc;
    dun_file file = {0};
    uint8_t *unpacked = NULL;
    *out = NULL;
    TRY(dun_file_map(&file, path));
    const uint8_t *bytes = file.bytes;
    size_t length = file.length;
    if (dun_gzip_is(bytes, length)) {
        TRY(dun_gzip_expand(&unpacked, &length, bytes, length, path));
        bytes = unpacked;
    }
    TRY(dun_dataset_parse(out, labels, bytes, length, path, options));
out:
    dun_free(unpacked);
    dun_file_unmap(&file);
    return rc;
}

void dun_dataset_free(dun_dataset *dataset) {
    if (!dataset)
        return;
    dun_free(dataset->bytes);
    dun_free(dataset->examples);
    dun_free(dataset);
}
