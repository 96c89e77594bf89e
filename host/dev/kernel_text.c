/* Which text kernels are compiled from; cutting it at the marks of kernels.cl. */
#include "dev/kernel_text.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/source.h"

#include <stdlib.h>
#include <string.h>

extern const char dun_kernel_bytes[]; /* made by tools/embed.c */

const char *dun_kernel_text(void) {
    return dun_kernel_bytes;
}

int dun_kernel_text_find(const char **text, dun_str *read) {
    int rc = DUN_OK;
    const char *path = getenv("DUNLIN_KERNELS");
    *text = dun_kernel_bytes;
    if (!path)
        goto out;
    TRY(dun_source_read(read, path));
    *text = read->bytes;
out:
    return rc;
}

int dun_kernel_text_hash(uint64_t *hash) {
    int rc = DUN_OK;
    dun_str read = {0};
    const char *text;
    TRY(dun_kernel_text_find(&text, &read));
    *hash = dun_hash(DUN_HASH_START, text, strlen(text));
out:
    dun_str_free(&read);
    return rc;
}

static const char mark[] = "#pragma topic ";

/* The first mark at the start of a line from `at` on, or the text's end. */
static const char *next_mark(const char *at) {
    while (*at && strncmp(at, mark, sizeof mark - 1) != 0) {
        at += strcspn(at, "\n");
        at += *at == '\n';
    }
    return at;
}

int dun_kernel_text_topic(dun_str *out, const char *text, const char *topic) {
    int rc = DUN_OK;
    size_t length = strlen(topic);
    const char *at = next_mark(text);
    TRY(dun_str_add(out, text, (size_t)(at - text)));
    while (*at) {
        const char *name = at + sizeof mark - 1, *line = name + strcspn(name, "\n"), *end = next_mark(line);
        if ((size_t)(line - name) == length && strncmp(name, topic, length) == 0) {
            TRY(dun_str_add(out, line, (size_t)(end - line)));
            goto out;
        }
        at = end;
    }
    TRY(dun_error(DUN_BAD_INPUT,
                  "the kernels' text has no line \"%s%s\"; is it a kernels.cl of this version?", mark,
                  topic));
out:
    return rc;
}
