/* Build-time tool: embed IN.cl OUT.c SYMBOL, or embed --raw OUT.c SYMBOL IN... Writes an OpenCL source with
 * its includes resolved, or files one after another as they are, as a C byte array, so that the program needs
 * no files at run time and the build needs no script language. */
#include "base/err.h"
#include "base/file.h"
#include "base/source.h"

#include <stdio.h>
#include <string.h>

static int add_file(dun_str *text, const char *path) {
    dun_file file = {0};
    int rc = dun_file_map(&file, path);
    if (rc >= 0 && file.length)
        rc = dun_str_add(text, (const char *)file.bytes, file.length);
    dun_file_unmap(&file);
    return rc;
}

static int write_array(const char *path, const char *symbol, const dun_str *text) {
    FILE *out = fopen(path, "w");
    if (!out) {
        fprintf(stderr, "embed: cannot write %s\n", path);
        return 1;
    }
    fprintf(out, "extern const char %s[];\nconst char %s[] = {", symbol, symbol);
    for (size_t i = 0; i < text->length; i++) {
        const unsigned char byte = (unsigned char)text->bytes[i];
        /* a char constant beyond ASCII: whether char has a sign is the compiler's */
        fprintf(out, byte < 0x80 ? "%s%u," : "%s'\\x%x',", i % 24 ? "" : "\n", (unsigned)byte);
    }
    fprintf(out, "0};\n");
    return fclose(out) == 0 ? 0 : 1;
}

int main(int argc, char **argv) {
    dun_str text = {0};
    int raw = argc > 4 && strcmp(argv[1], "--raw") == 0, rc = 0;
    if (argc != 4 && !raw) {
        fprintf(stderr, "usage: embed IN.cl OUT.c SYMBOL | embed --raw OUT.c SYMBOL IN...\n");
        return 2;
    }
    for (int i = 4; raw && i < argc && rc >= 0; i++)
        rc = add_file(&text, argv[i]);
    if (!raw)
        rc = dun_source_read(&text, argv[1]);
    if (rc < 0)
        fprintf(stderr, "embed: %s\n", dun_error_message());
    else
        rc = write_array(argv[2], argv[3], &text);
    dun_str_free(&text);
    return rc < 0 ? 1 : rc;
}
