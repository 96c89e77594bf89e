/* Build-time tool: embed IN.cl OUT.c SYMBOL. Writes an OpenCL source with its includes resolved as a C byte
 * array, so that the program needs no files at run time and the build needs no script language. */
#include "err.h"
#include "source.h"

#include <stdio.h>

int main(int argc, char **argv) {
    dun_text text = {0};
    if (argc != 4) {
        fprintf(stderr, "usage: embed IN.cl OUT.c SYMBOL\n");
        return 2;
    }
    if (dun_source_read(&text, argv[1]) < 0) {
        fprintf(stderr, "embed: %s\n", dun_error_message());
        return 1;
    }
    FILE *out = fopen(argv[2], "w");
    if (!out) {
        fprintf(stderr, "embed: cannot write %s\n", argv[2]);
        return 1;
    }
    fprintf(out, "extern const char %s[];\nconst char %s[] = {", argv[3], argv[3]);
    for (size_t i = 0; i < text.length; i++)
        fprintf(out, "%s%d,", i % 24 ? "" : "\n", (signed char)text.bytes[i]);
    fprintf(out, "0};\n");
    dun_text_free(&text);
    return fclose(out) == 0 ? 0 : 1;
}
