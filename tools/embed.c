/* Build-time tool: embed IN.cl OUT.c SYMBOL. Resolves `#include "..."` lines (relative to the including
 * file) of an OpenCL source and writes the result as a C byte array, with #line marks so that a build log
 * names the file and line a person edits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *out;
static unsigned long bytes_written;

static void put(const char *text) {
    for (; *text; text++)
        fprintf(out, "%d,%s", (unsigned char)*text, ++bytes_written % 24 ? "" : "\n");
}

static void embed(const char *path, int depth) {
    char line[4096], folder[2048], mark[2100];
    FILE *in = depth < 16 ? fopen(path, "r") : NULL;
    if (!in) {
        fprintf(stderr, "embed: cannot read %s\n", path);
        exit(1);
    }
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path + 1) : 0, path);
    const char *name = slash ? slash + 1 : path;
    snprintf(mark, sizeof mark, "#line 1 \"%s\"\n", name);
    put(mark);
    for (unsigned number = 1; fgets(line, sizeof line, in); number++) {
        char included[1024], child[4096];
        if (sscanf(line, " #include \"%1023[^\"]\"", included) == 1) {
            snprintf(child, sizeof child, "%s%s", folder, included);
            embed(child, depth + 1);
            snprintf(mark, sizeof mark, "#line %u \"%s\"\n", number + 1, name);
            put(mark);
        } else {
            put(line);
        }
    }
    fclose(in);
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: embed IN.cl OUT.c SYMBOL\n");
        return 2;
    }
    out = fopen(argv[2], "w");
    if (!out) {
        fprintf(stderr, "embed: cannot write %s\n", argv[2]);
        return 1;
    }
    fprintf(out, "extern const char %s[];\nconst char %s[] = {\n", argv[3], argv[3]);
    embed(argv[1], 0);
    fprintf(out, "0};\n");
    return fclose(out) == 0 ? 0 : 1;
}
