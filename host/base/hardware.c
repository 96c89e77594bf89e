/* Asks /proc and the marks that containers leave what this process runs on. */
#include "base/hardware.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static FILE *open_below(const char *root, const char *path) {
    char whole[512];
    snprintf(whole, sizeof whole, "%s%s", root, path);
    return fopen(whole, "r");
}

static bool is_there(const char *root, const char *path) {
    char whole[512];
    snprintf(whole, sizeof whole, "%s%s", root, path);
    return access(whole, F_OK) == 0;
}

/* What follows the colon of a line "NAME : value"; NULL: the line has another name. */
static const char *value_of(const char *line, const char *name) {
    const size_t length = strlen(name);
    const char *colon = strchr(line, ':');
    if (strncmp(line, name, length) != 0 || !colon ||
        strspn(line + length, " \t") + length != (size_t)(colon - line))
        return NULL;
    return colon + 1 + strspn(colon + 1, " \t");
}

/* Printable ASCII, a blank for several: makers fill names up. */
static void take_name(char *out, size_t size, const char *text) {
    size_t n = 0;
    for (; *text && *text != '\n' && n + 1 < size; text++) {
        const unsigned char c = (unsigned char)*text;
        const bool blank = !isprint(c) || isspace(c);
        if (!blank)
            out[n++] = (char)c;
        else if (n > 0 && out[n - 1] != ' ')
            out[n++] = ' ';
    }
    while (n > 0 && out[n - 1] == ' ')
        n--;
    out[n] = '\0';
}

static void read_processor(dun_hardware *out, const char *root) {
    char line[8192];
    FILE *file = open_below(root, "/proc/cpuinfo");
    while (file && fgets(line, sizeof line, file)) {
        const char *name = value_of(line, "model name"), *flags = value_of(line, "flags");
        if (name && !*out->processor)
            take_name(out->processor, sizeof out->processor, name);
        if (flags && strstr(flags, " hypervisor"))
            out->virtual_machine = true;
    }
    if (file)
        fclose(file);
}

/* Words that stand in a file when its process is in a container. */
static bool tells_container(const char *root, const char *path, const char *const *words) {
    char line[4096];
    bool found = false;
    FILE *file = open_below(root, path);
    while (file && !found && fgets(line, sizeof line, file))
        for (size_t i = 0; words[i]; i++)
            found |= strstr(line, words[i]) != NULL;
    if (file)
        fclose(file);
    return found;
}

static bool in_container(const char *root) {
    static const char *const groups[] = {"docker", "kubepods", "containerd", "lxc", "libpod", NULL};
    static const char *const mounts[] = {"overlay / ", "fuse-overlayfs / ", NULL};
    return is_there(root, "/.dockerenv") || is_there(root, "/run/.containerenv") ||
           is_there(root, "/run/systemd/container") || tells_container(root, "/proc/1/cgroup", groups) ||
           tells_container(root, "/proc/mounts", mounts);
}

void dun_hardware_read(dun_hardware *out, const char *root) {
    struct utsname names;
    *out = (dun_hardware){.virtual_machine = false};
    const bool known = uname(&names) == 0;
    snprintf(out->system, sizeof out->system, "%.20s %.20s", known ? names.sysname : "?",
             known ? names.machine : "?");
    read_processor(out, root);
    out->virtual_machine |=
        is_there(root, "/sys/hypervisor/type") || is_there(root, "/proc/device-tree/hypervisor");
    out->container = in_container(root);
    if (!*out->processor)
        take_name(out->processor, sizeof out->processor, known ? names.machine : "unknown");
}
