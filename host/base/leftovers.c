/* Names of unfinished files, and who may be asked whether they are still written. */
#include "base/leftovers.h"

#include "base/clock.h"
#include "base/machine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OLD_S = 600 };

bool dun_leftover_name(char *out, size_t size, const char *path) {
    return snprintf(out, size, "%s.tmp%ld-%08" PRIx32, path, (long)getpid(), dun_machine_tag()) < (int)size;
}

/* Takes a name apart; *tagged: it has a tag. False: it is none of these. */
static bool read_name(size_t *stem, long *pid, bool *tagged, uint32_t *tag, const char *name) {
    const char *at = NULL;
    for (const char *next = name; (next = strstr(next, ".tmp")); next++)
        at = next;
    int end = 0;
    if (!at || at == name || !at[4] || !strchr("123456789", at[4]) || sscanf(at, ".tmp%ld%n", pid, &end) != 1)
        return false;
    *stem = (size_t)(at - name);
    at += end;
    *tagged = *at == '-' && strspn(at + 1, "0123456789abcdef") == 8 && !at[9];
    return *tagged ? sscanf(at + 1, "%" SCNx32, tag) == 1 : !*at;
}

/* A process of this machine, other than this one, which may have had the number before. */
static bool is_no_more(long pid) {
    return pid != getpid() && kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

static bool is_left(int folder, const char *entry, const char *name, pid_t gone) {
    size_t stem = 0;
    long pid = 0;
    bool tagged = false;
    uint32_t tag = 0;
    struct stat info;
    if (!read_name(&stem, &pid, &tagged, &tag, entry) ||
        (name && (strlen(name) != stem || memcmp(name, entry, stem) != 0)) ||
        fstatat(folder, entry, &info, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(info.st_mode))
        return false;
    if (pid == gone)
        return true;
    const bool ours = tagged && tag == dun_machine_tag();
    if (ours && pid != getpid())
        return is_no_more(pid);
    return dun_clock_now() - (double)info.st_mtim.tv_sec > OLD_S;
}

void dun_leftovers_clear(const char *folder, const char *name, pid_t gone) {
    const struct dirent *entry;
    DIR *dir = opendir(*folder ? folder : ".");
    while (dir && (entry = readdir(dir)))
        if (is_left(dirfd(dir), entry->d_name, name, gone))
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
}
