/* Config files, through inih with a reader of our own. inih splits lines beyond its buffer silently (200
 * bytes as distributions build it) and joins indented lines, so this reader hands over one whole line at a
 * time, its value replaced by a short stand-in, and refuses what inih would take quietly. */
#include "config/config.h"

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "config/config_value.h"
#include "config/paths.h"

#include <ini.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { INCLUDE_DEPTH = 16 };

/* inih's own caps: names of sections are cut at 49 bytes, and a line has to fit its buffer. */
enum { LONGEST_NAME = 48 };

typedef struct reader {
    dun_config *config;
    const char *name;           /* of the file, for messages */
    const struct reader *outer; /* the file that includes this one */
    struct stat identity;       /* of the file; zeroed for text from memory */
    const char *at, *end;       /* what is left to read */
    const char *value;          /* of the current line: all that follows the '=' */
    size_t value_bytes;         /* length of value */
    unsigned line;              /* the current line, from 1 */
    unsigned seen[DUN_N_KEYS];  /* line that set each key in this file; 0: none */
    int rc;                     /* the first failure */
} reader;

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

/* "[name]", perhaps with a comment behind, of a known section. */
static int check_section(const reader *r, const char *line, size_t length) {
    const char *names[DUN_N_SECTIONS];
    char name[LONGEST_NAME + 1] = "";
    const char *close = memchr(line, ']', length);
    if (!close)
        return dun_error(DUN_USAGE, "%s:%u: missing ']' after a section's name; [section] is needed", r->name,
                         r->line);
    for (const char *rest = close + 1; rest < line + length; rest++) {
        if (*rest == ';' || *rest == '#')
            break;
        if (!is_blank(*rest))
            return dun_error(DUN_USAGE, "%s:%u: text after ']'; a section stands on a line of its own",
                             r->name, r->line);
    }
    size_t name_bytes = (size_t)(close - line) - 1;
    memcpy(name, line + 1, name_bytes < LONGEST_NAME ? name_bytes : LONGEST_NAME);
    for (size_t i = 0; i < DUN_N_SECTIONS; i++) {
        names[i] = dun_config_section_table[i].name;
        if (strcmp(name, names[i]) == 0)
            return DUN_OK;
    }
    return dun_error(DUN_USAGE, "%s:%u: unknown section [%s]; the nearest known one is [%s]", r->name,
                     r->line, name, dun_nearest(name, names, DUN_N_SECTIONS));
}

/* Notes where the value starts and gives the length of what stands before the '='. */
static int check_assignment(reader *r, size_t *name_bytes, const char *line, size_t length) {
    const char *equals = memchr(line, '=', length);
    if (!equals)
        return dun_error(DUN_USAGE, "%s:%u: missing '='; `key = value` is needed", r->name, r->line);
    *name_bytes = (size_t)(equals - line);
    for (const char *c = line; c < equals; c++)
        if (strchr(":;\"", *c))
            return dun_error(DUN_USAGE, "%s:%u: %c before the '='; `key = value` is needed", r->name, r->line,
                             *c);
    if (*name_bytes > LONGEST_NAME || *name_bytes == 0)
        return dun_error(DUN_USAGE, "%s:%u: %s before the '='; `key = value` is needed", r->name, r->line,
                         *name_bytes ? "no key is as long as the text" : "there is no key");
    r->value = equals + 1;
    r->value_bytes = length - *name_bytes - 1;
    return DUN_OK;
}

static int check_bytes(const reader *r, const char *line, size_t length) {
    if (length > DUN_CONFIG_LINE_BYTES)
        return dun_error(DUN_USAGE, "%s:%u: the line has %zu bytes; at most %d are possible", r->name,
                         r->line, length, DUN_CONFIG_LINE_BYTES);
    const char *fault = dun_config_fault(line, length);
    if (fault)
        return dun_error(DUN_USAGE, "%s:%u: the line holds %s; text in UTF-8 is needed", r->name, r->line,
                         fault);
    return DUN_OK;
}

/* What inih is to see of a line: nothing of comments and blank lines, sections whole, keys with a stand-in.
 */
static int give_line(reader *r, char *buffer, size_t size, const char *line, size_t length) {
    int rc;
    size_t name_bytes = 0, skipped = 0;
    buffer[0] = '\0';
    TRY(check_bytes(r, line, length));
    while (skipped < length && is_blank(line[skipped]))
        skipped++;
    if (skipped == length || line[skipped] == ';' || line[skipped] == '#')
        goto out;
    if (skipped)
        TRY(dun_error(DUN_USAGE,
                      "%s:%u: the line starts with a space, but none continues the one before; a "
                      "line without it is needed",
                      r->name, r->line));
    if (line[0] == '[') {
        TRY(check_section(r, line, length));
        length = (size_t)((const char *)memchr(line, ']', length) - line) + 1;
        snprintf(buffer, size, "%.*s", (int)length, line);
    } else {
        TRY(check_assignment(r, &name_bytes, line, length));
        snprintf(buffer, size, "%.*s=@", (int)name_bytes, line);
    }
out:
    return rc;
}

/* inih's ini_reader: one line, or NULL at the end or after a failure. */
static char *next_line(char *buffer, int size, void *user) {
    reader *r = user;
    if (r->rc < 0 || r->at == r->end)
        return NULL;
    const char *line = r->at;
    const char *newline = memchr(line, '\n', (size_t)(r->end - line));
    size_t length = (size_t)((newline ? newline : r->end) - line);
    r->at = newline ? newline + 1 : r->end;
    r->line++;
    if (length > 0 && line[length - 1] == '\r')
        length--;
    r->rc = give_line(r, buffer, (size_t)size, line, length);
    return r->rc < 0 ? NULL : buffer;
}

static int load(dun_config *config, const char *path, const reader *outer);

/* `include = file` of the current line; `file` is relative to the including file's folder. */
static int include(const reader *r, const char *file) {
    int rc = DUN_OK, depth = 0;
    char origin[PATH_MAX], *full = NULL;
    dun_str path = {0};
    struct stat identity = {0};
    if (!file[0])
        TRY(dun_error(DUN_USAGE, "%s:%u: include without a file; a path is needed", r->name, r->line));
    snprintf(origin, sizeof origin, "%s:%u", r->name, r->line);
    TRY(dun_path_expand(&full, file, origin));
    if (full)
        file = full;
    const char *slash = strrchr(r->name, '/');
    if (slash && file[0] != '/')
        TRY(dun_str_add(&path, r->name, (size_t)(slash - r->name) + 1));
    TRY(dun_str_addf(&path, "%s", file));
    bool exists = stat(path.bytes, &identity) == 0;
    for (const reader *at = r; at; at = at->outer) {
        if (exists && at->identity.st_ino == identity.st_ino && at->identity.st_dev == identity.st_dev)
            TRY(dun_error(DUN_USAGE,
                          "%s:%u: include = %s goes in a circle; a file that is not being read "
                          "already is needed",
                          r->name, r->line, file));
        if (++depth > INCLUDE_DEPTH)
            TRY(dun_error(DUN_USAGE, "%s:%u: files include each other deeper than %d; fewer are needed",
                          r->name, r->line, INCLUDE_DEPTH));
    }
    TRY(load(r->config, path.bytes, r));
out:
    dun_free(full);
    dun_str_free(&path);
    return rc;
}

/* One key of the current line. */
static int assign(reader *r, const char *section, const char *name) {
    int rc;
    char value[DUN_CONFIG_LINE_BYTES + 1], full_name[2 * LONGEST_NAME + 16];
    dun_str origin = {0};
    enum dun_config_id id;
    TRY(dun_str_addf(&origin, "%s:%u", r->name, r->line));
    TRY(dun_config_unquote(value, r->value, r->value_bytes, true, origin.bytes));
    if (strcmp(name, "include") == 0) {
        if (section[0])
            TRY(dun_error(DUN_USAGE, "%s: include inside [%s]; it is needed before the first section",
                          origin.bytes, section));
        TRY(include(r, value));
        goto out;
    }
    if (!section[0])
        TRY(dun_error(DUN_USAGE,
                      "%s: %s stands before the first section; a line [section] is needed above it",
                      origin.bytes, name));
    snprintf(full_name, sizeof full_name, "%s.%s", section, name);
    TRY(dun_config_find(&id, full_name, origin.bytes));
    if (r->seen[id])
        TRY(dun_error(DUN_USAGE, "%s: %s is set again, first in line %u; one of the two is needed",
                      origin.bytes, full_name, r->seen[id]));
    r->seen[id] = r->line;
    TRY(dun_config_put(r->config, id, value, origin.bytes));
out:
    dun_str_free(&origin);
    return rc;
}

/* inih's ini_handler. */
static int handle(void *user, const char *section, const char *name, const char *stand_in) {
    reader *r = user;
    (void)stand_in;
    r->rc = assign(r, section, name);
    return r->rc == DUN_OK;
}

static int read_text(reader *r, const char *bytes, size_t length) {
    static const char mark[] = "\xef\xbb\xbf"; /* UTF-8's byte order mark */
    if (length > DUN_CONFIG_FILE_BYTES)
        return dun_error(DUN_USAGE, "%s: has %zu bytes; a config has at most %d", r->name, length,
                         DUN_CONFIG_FILE_BYTES);
    size_t skipped = length >= 3 && memcmp(bytes, mark, 3) == 0 ? 3 : 0;
    r->at = length ? bytes + skipped : "";
    r->end = r->at + (length - skipped);
    int result = ini_parse_stream(next_line, r, handle, r);
    if (r->rc == DUN_OK && result != 0)
        return dun_error(DUN_USAGE, "%s:%d: not understood; [section] or `key = value` is needed", r->name,
                         result);
    return r->rc;
}

static int load(dun_config *config, const char *path, const reader *outer) {
    reader r = {.config = config, .name = path, .outer = outer};
    dun_file file;
    if (dun_file_map(&file, path) < 0)
        return outer ? dun_error(DUN_USAGE,
                                 "%s:%u: the included file cannot be read: %s; a path relative to "
                                 "the including file is needed",
                                 outer->name, outer->line, dun_error_message())
                     : DUN_USAGE;
    stat(path, &r.identity);
    int rc = read_text(&r, (const char *)file.bytes, file.length);
    dun_file_unmap(&file);
    return rc;
}

int dun_config_load(dun_config *config, const char *path) {
    return load(config, path, NULL);
}

int dun_config_parse(dun_config *config, const char *bytes, size_t length, const char *name) {
    reader r = {.config = config, .name = name};
    return read_text(&r, bytes, length);
}
