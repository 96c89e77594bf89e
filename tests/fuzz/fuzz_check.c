/* What the fuzz targets share; see targets.h. */
#include "base/err.h"
#include "base/utf8.h"
#include "targets.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void fuzz_expect(bool kept, const char *promise, const char *file, int line) {
    if (kept)
        return;
    fprintf(stderr, "%s:%d: broken: %s\n  last message: %s\n", file, line, promise, dun_error_message());
    abort();
}

bool fuzz_accepted(int rc, int refusal, int other_refusal) {
    if (rc >= 0)
        return true;
    const char *message = dun_error_message();
    FUZZ_EXPECT(rc == refusal || rc == other_refusal);
    FUZZ_EXPECT(message[0] != '\0');
    FUZZ_EXPECT(dun_utf8_valid(message, strlen(message)) == strlen(message));
    for (const char *at = message; *at; at++)
        FUZZ_EXPECT((unsigned char)*at >= ' ' && *at != 0x7f);
    return false;
}

static char folder[] = "/tmp/dunlin-fuzz-XXXXXX";

static void remove_folder(void) {
    char path[sizeof folder + NAME_MAX + 2];
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.')
            unlink(path);
    }
    if (dir)
        closedir(dir);
    rmdir(folder);
}

const char *fuzz_folder(void) {
    static bool made;
    if (!made) {
        FUZZ_EXPECT(mkdtemp(folder));
        atexit(remove_folder);
        made = true;
    }
    return folder;
}

const char *fuzz_file(const char *name, const uint8_t *bytes, size_t length) {
    static char path[sizeof folder + NAME_MAX + 2];
    snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    FILE *file = fopen(path, "wb");
    FUZZ_EXPECT(file);
    if (length)
        FUZZ_EXPECT(fwrite(bytes, 1, length, file) == length);
    FUZZ_EXPECT(fclose(file) == 0);
    return path;
}
