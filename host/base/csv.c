/* One field of a CSV line, quoted where it must be. */
#include "base/csv.h"

#include "base/err.h"

#include <stdbool.h>
#include <string.h>

static bool needs_quotes(const char *field, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (strchr(",\"\r\n", field[i]))
            return true;
    return false;
}

int dun_csv_add(dun_str *out, const char *field, size_t length) {
    int rc = DUN_OK;
    const bool first = !out->length || out->bytes[out->length - 1] == '\n';
    if (!first)
        TRY(dun_str_add(out, ",", 1));
    /* An empty field that opens a line has to be seen. */
    if (!needs_quotes(field, length) && (length || !first)) {
        TRY(dun_str_add(out, field, length));
        goto out;
    }
    TRY(dun_str_add(out, "\"", 1));
    for (const char *c = field; c < field + length; c++)
        TRY(dun_str_add(out, *c == '"' ? "\"\"" : c, *c == '"' ? 2 : 1));
    TRY(dun_str_add(out, "\"", 1));
out:
    return rc;
}
