/* Reads a kernel text line by line and puts what it includes in the line's place. */
#include "base/source.h"

#include "base/err.h"
#include "base/file.h"

#include <stdio.h>
#include <string.h>

enum { MAX_DEPTH = 16 };

static int read_file(dun_str *out, const char *path, int depth);

static int read_line(dun_str *out, const char *path, const char *line, size_t length, int depth) {
    int rc = DUN_OK;
    char text[512], included[256], child[1024];
    snprintf(text, sizeof text, "%.*s", (int)(length < sizeof text ? length : sizeof text - 1), line);
    if (sscanf(text, " #include \"%255[^\"]\"", included) != 1) {
        TRY(dun_str_add(out, line, length));
        goto out;
    }
    const char *slash = strrchr(path, '/');
    snprintf(child, sizeof child, "%.*s%s", slash ? (int)(slash - path + 1) : 0, path, included);
    TRY(read_file(out, child, depth + 1));
out:
    return rc;
}

static int read_file(dun_str *out, const char *path, int depth) {
    int rc = DUN_OK;
    dun_file file = {0};
    if (depth > MAX_DEPTH)
        TRY(dun_error(DUN_BAD_INPUT, "%s: includes nested deeper than %d", path, MAX_DEPTH));
    TRY(dun_file_map(&file, path));
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    TRY(dun_str_addf(out, "#line 1 \"%s\"\n", name));
    const char *at = (const char *)file.bytes, *end = at + file.length;
    for (unsigned number = 1; at < end; number++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *next = newline ? newline + 1 : end;
        size_t before = out->length;
        TRY(read_line(out, path, at, (size_t)(next - at), depth));
        if (strncmp(out->bytes + before, "#line 1 ", 8) == 0)
            TRY(dun_str_addf(out, "#line %u \"%s\"\n", number + 1, name));
        at = next;
    }
out:
    dun_file_unmap(&file);
    return rc;
}

int dun_source_read(dun_str *out, const char *path) {
    return read_file(out, path, 0);
}
