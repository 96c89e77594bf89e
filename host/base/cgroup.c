/* Finds a process's control groups by /proc/self/cgroup and /proc/self/mountinfo. */
#include "base/cgroup.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_BYTES = 4096, LINE_BYTES = 4096 };

void dun_limit_read(dun_limit_file *file, const char *format, ...) {
    char path[PATH_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(path, sizeof path, format, args);
    va_end(args);
    FILE *in = fopen(path, "re");
    size_t length = in ? fread(file->bytes, 1, sizeof file->bytes - 1, in) : 0;
    file->bytes[length] = '\0';
    if (in)
        (void)fclose(in);
}

/* As the kernel writes numbers: no limit is "max", -1, or a number beyond all memory. */
static bool parse(uint64_t *out, const char *text) {
    char *end;
    text += strspn(text, " \t");
    if (strncmp(text, "max", 3) == 0 || (*text == '-' && text[1] >= '0' && text[1] <= '9')) {
        *out = UINT64_MAX;
        return true;
    }
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    *out = errno == ERANGE ? UINT64_MAX : value;
    return true;
}

bool dun_limit_number(uint64_t *out, const char *format, ...) {
    dun_limit_file file;
    char path[PATH_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(path, sizeof path, format, args);
    va_end(args);
    dun_limit_read(&file, "%s", path);
    return parse(out, file.bytes);
}

bool dun_limit_field(uint64_t *out, const dun_limit_file *file, const char *name) {
    size_t length = strlen(name);
    for (const char *line = file->bytes; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, length) == 0)
            return parse(out, line + length);
    }
    return false;
}

uint32_t dun_limit_count(const char *list) {
    uint64_t n = 0;
    while (*list >= '0' && *list <= '9') {
        char *end;
        unsigned long long first = strtoull(list, &end, 10), last = first;
        if (*end == '-')
            last = strtoull(end + 1, &end, 10);
        n += last >= first ? last - first + 1 : 0;
        list = end + (*end == ',');
    }
    return n > UINT32_MAX ? 0 : (uint32_t)n;
}

/* A line without its end; what is longer than the buffer is cut. False: there is none. */
static bool next_line(char *line, FILE *file) {
    if (!fgets(line, LINE_BYTES, file))
        return false;
    size_t length = strlen(line);
    if (length > 0 && line[length - 1] == '\n')
        line[length - 1] = '\0';
    else
        for (int c = 0; c != EOF && c != '\n';)
            c = fgetc(file);
    return true;
}

/* Whether a list separated by commas has a word. */
static bool has_word(const char *list, const char *word) {
    size_t length = strlen(word);
    for (; *list; list += strcspn(list, ","), list += *list == ',')
        if (strncmp(list, word, length) == 0 && (list[length] == ',' || list[length] == '\0'))
            return true;
    return false;
}

/* The group's path in /proc/self/cgroup, lines "NUMBER:CONTROLLERS:PATH"; the unified one has no controllers.
 */
static bool find_group(char *path, const char *root, const char *controller) {
    char name[PATH_BYTES], line[LINE_BYTES];
    bool found = false;
    snprintf(name, sizeof name, "%s/proc/self/cgroup", root);
    FILE *file = fopen(name, "re");
    while (file && !found && next_line(line, file)) {
        char *words = strchr(line, ':'), *end = words ? strchr(words + 1, ':') : NULL;
        if (!end)
            continue;
        *end = '\0';
        found = controller ? has_word(words + 1, controller) : strcmp(line, "0:") == 0;
        if (found)
            snprintf(path, PATH_BYTES, "%s", end + 1);
    }
    if (file)
        (void)fclose(file);
    return found;
}

/* Blanks and the like stand as \040 in mountinfo. */
static void unescape(char *text) {
    char *out = text;
    for (; *text; text++, out++) {
        *out = *text;
        if (text[0] == '\\' && strspn(text + 1, "01234567") >= 3) {
            *out = (char)((text[1] - '0') * 64 + (text[2] - '0') * 8 + text[3] - '0');
            text += 3;
        }
    }
    *out = '\0';
}

/* Takes a line "ID PARENT DEVICE ROOT POINT OPTIONS ... - TYPE SOURCE OPTIONS" apart, if it is the mount of a
 * controller's hierarchy or, for NULL, of the unified one. */
static bool parse_mount(char **mounted, char **point, char *line, const char *controller) {
    char *tail = strstr(line, " - ");
    char type[32] = "", options[1024] = "";
    if (!tail || sscanf(tail + 3, "%31s %*s %1023s", type, options) < 1)
        return false;
    if (controller ? strcmp(type, "cgroup") != 0 || !has_word(options, controller)
                   : strcmp(type, "cgroup2") != 0)
        return false;
    *tail = '\0';
    char *save = NULL, *word = strtok_r(line, " ", &save);
    for (int i = 0; word && i < 3; i++)
        word = strtok_r(NULL, " ", &save);
    *mounted = word;
    *point = strtok_r(NULL, " ", &save);
    if (!*mounted || !*point)
        return false;
    unescape(*mounted);
    unescape(*point);
    return true;
}

/* The folder of the group below the mount point; `top` is the length of the latter. A container may see
 * neither the path of its group nor what the mount shows of it: then the mount point is all there is. */
static void place_group(char *folder, size_t *top, const char *root, const char *mounted, const char *point,
                        const char *group) {
    struct stat info;
    size_t shown = strcmp(mounted, "/") == 0 ? 0 : strlen(mounted);
    bool below = strncmp(group, mounted, shown) == 0 && (group[shown] == '/' || group[shown] == '\0');
    *top = (size_t)snprintf(folder, PATH_BYTES, "%s%s", root, point);
    if (*top >= PATH_BYTES)
        *top = 0;
    if (*top == 0 || !below || strstr(group, "/.."))
        return;
    snprintf(folder + *top, PATH_BYTES - *top, "%s", strcmp(group + shown, "/") == 0 ? "" : group + shown);
    while (strlen(folder) > *top && stat(folder, &info) != 0)
        *strrchr(folder, '/') = '\0';
}

static bool find_folder(char *folder, size_t *top, const char *root, const char *controller) {
    char group[PATH_BYTES], line[LINE_BYTES], name[PATH_BYTES], *mounted, *point;
    bool found = false;
    if (!find_group(group, root, controller))
        return false;
    snprintf(name, sizeof name, "%s/proc/self/mountinfo", root);
    FILE *file = fopen(name, "re");
    while (file && !found && next_line(line, file))
        if (parse_mount(&mounted, &point, line, controller)) {
            place_group(folder, top, root, mounted, point, group);
            found = *top > 0;
        }
    if (file)
        (void)fclose(file);
    return found;
}

void dun_cgroup_each(const char *root, const char *controller, dun_cgroup_visitor *each, void *self) {
    for (int unified = 0; unified < 2; unified++) {
        char folder[PATH_BYTES];
        size_t top;
        if (!find_folder(folder, &top, root, unified ? NULL : controller))
            continue;
        for (;;) {
            each(self, folder, unified);
            char *end = strlen(folder) > top ? strrchr(folder + top, '/') : NULL;
            if (!end)
                break;
            *end = '\0';
        }
    }
}
