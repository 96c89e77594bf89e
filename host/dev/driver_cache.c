/* Judges a driver's folder of compiled programs, by the file system and by the shape of every file. */
#define _GNU_SOURCE /* ST_NOEXEC */
#include "dev/driver_cache.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

/* PoCL takes paths of PATH_MAX bytes, those of kernels below the folder included, and asserts it. */
enum { ROOM_FOR_NAMES = 600, LEAST_FREE = 8 << 20 };

/* Programs whose kernels are looked at; a run has at most half as many. */
enum { MOST_PROGRAMS = 32, NAME_BYTES = 64 };

/* What is being looked at, and what was found. */
typedef struct {
    dun_driver_cache *out;
    char path[PATH_MAX];
    size_t length; /* of path */
    struct program {
        time_t used;
        char name[NAME_BYTES]; /* below the folder */
    } latest[MOST_PROGRAMS];
    size_t folder, n_latest; /* folder: the length of its path */
} walk;

static bool fault(dun_driver_cache *out, const char *what, const char *detail) {
    snprintf(out->fault, sizeof out->fault, "%s%s", what, detail);
    return false;
}

/* The folder, or the nearest one above it that is there. */
static bool nearest(char *path, struct stat *info) {
    while (stat(path, info) != 0) {
        char *slash = strrchr(path, '/');
        if (errno != ENOENT && errno != ENOTDIR)
            return false;
        if (!slash)
            strcpy(path, ".");
        else if (slash == path)
            path[1] = '\0';
        else
            *slash = '\0';
    }
    return true;
}

static bool check_file_system(dun_driver_cache *out, const char *folder) {
    char path[PATH_MAX], free_room[64];
    struct stat info;
    struct statvfs disk;
    if (!*folder)
        return fault(out, "its name is empty", "");
    if (strlen(folder) + ROOM_FOR_NAMES > sizeof path)
        return fault(out, "its name is too long", "");
    strcpy(path, folder);
    if (!nearest(path, &info))
        return fault(out, "", strerror(errno));
    if (!S_ISDIR(info.st_mode))
        return fault(out, path, " is a file, not a folder");
    if (faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) < 0) {
        const char *why = strerror(errno);
        snprintf(out->fault, sizeof out->fault, "%.900s cannot be written: %s", path, why);
        return false;
    }
    if (statvfs(path, &disk) < 0)
        return true;
    if (disk.f_flag & ST_NOEXEC)
        return fault(out, "nothing may be run from its file system (noexec)", "");
    uint64_t left = (uint64_t)disk.f_bavail * (disk.f_frsize ? disk.f_frsize : disk.f_bsize);
    if (disk.f_blocks && (left < LEAST_FREE || (disk.f_files && disk.f_favail == 0))) {
        snprintf(free_room, sizeof free_room, " (%.1f MB free)", (double)left / 1e6);
        return fault(out, "its file system is full", free_room);
    }
    return true;
}

/* LLVM's bitcode is blocks one after another: a word with the block's number, then its length in words. The
 * last one of a program holds its names (STRTAB). */
static bool is_whole_bitcode(int file, uint64_t size) {
    const uint32_t magic = 0xdec04342;
    enum { STRTAB = 23, ID_SHIFT = 2, ID_MASK = 0xff };
    uint32_t word[2] = {0};
    uint64_t at = sizeof *word;
    bool named = false;
    if (pread(file, word, sizeof *word, 0) != sizeof *word)
        return false;
    if (word[0] != magic)
        return false;
    while (at + sizeof word <= size && pread(file, word, sizeof word, (off_t)at) == sizeof word) {
        named |= (word[0] >> ID_SHIFT & ID_MASK) == STRTAB;
        at += sizeof word + 4 * (uint64_t)word[1];
    }
    return named && at == size;
}

/* Linkers put the table of sections last. */
static bool is_whole_library(int file, uint64_t size) {
    Elf64_Ehdr head;
    if (pread(file, &head, sizeof head, 0) != (ssize_t)sizeof head ||
        memcmp(head.e_ident, ELFMAG, SELFMAG) != 0)
        return false;
    if (head.e_ident[EI_CLASS] != ELFCLASS64)
        return true; /* not looked into */
    return head.e_shoff <= size && (uint64_t)head.e_shnum * head.e_shentsize <= size - head.e_shoff;
}

/* PoCL's folders: two letters, a hash (the program), a kernel, a size of work-group. */
static size_t program_length(const walk *w) {
    size_t length = w->folder;
    for (int level = 0; level < 2 && w->path[length]; level++)
        length += 1 + strcspn(w->path + length + 1, "/");
    return length;
}

static bool broken(const walk *w, const char *how) {
    snprintf(w->out->fault, sizeof w->out->fault, "%.500s %s; delete %.*s", w->path, how,
             (int)(program_length(w) < 500 ? program_length(w) : 500), w->path);
    return false;
}

static bool check_file(const walk *w, bool (*is_whole)(int file, uint64_t size)) {
    struct stat info;
    bool sound = true;
    int file = open(w->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0 && errno == EACCES)
        return broken(w, "cannot be read");
    if (file < 0) /* gone meanwhile, or no other file can be opened */
        return true;
    if (fstat(file, &info) == 0 && (info.st_size == 0 || !is_whole(file, (uint64_t)info.st_size)))
        sound = broken(w, info.st_size ? "is damaged or cut short" : "is empty");
    close(file);
    return sound;
}

static bool enter(walk *w, const char *name) {
    if (w->length + strlen(name) + 2 > sizeof w->path)
        return false;
    w->length += (size_t)snprintf(w->path + w->length, sizeof w->path - w->length, "/%s", name);
    return true;
}

static void leave(walk *w, size_t length) {
    w->length = length;
    w->path[length] = '\0';
}

/* Visits what lies in the folder that path names, and stops at the first fault. */
static bool each(walk *w, bool (*visit)(walk *w, const char *name)) {
    const size_t length = w->length;
    bool sound = true;
    struct dirent *entry;
    DIR *dir = opendir(w->path);
    if (!dir && errno == EACCES)
        return broken(w, "cannot be read");
    while (dir && sound && (entry = readdir(dir))) {
        if (entry->d_name[0] == '.' || !enter(w, entry->d_name))
            continue;
        sound = visit(w, entry->d_name);
        leave(w, length);
    }
    if (dir)
        closedir(dir);
    return sound;
}

static bool visit_file(walk *w, const char *name) {
    const char *dot = strrchr(name, '.');
    return !dot || strcmp(dot, ".so") != 0 || check_file(w, is_whole_library);
}

static bool visit_size(walk *w, const char *name) {
    (void)name;
    return each(w, visit_file);
}

static bool visit_kernel(walk *w, const char *name) {
    return strchr(name, '.') || each(w, visit_size);
}

/* Among the latest so far, in place of the one that was used longest ago. */
static void note_program(walk *w, time_t used) {
    struct program *place = &w->latest[w->n_latest];
    if (w->length - w->folder >= NAME_BYTES)
        return;
    if (w->n_latest < MOST_PROGRAMS) {
        w->n_latest++;
    } else {
        place = w->latest;
        for (size_t i = 1; i < MOST_PROGRAMS; i++)
            if (w->latest[i].used < place->used)
                place = &w->latest[i];
        if (used <= place->used)
            return;
    }
    place->used = used;
    strcpy(place->name, w->path + w->folder + 1);
}

static bool visit_program(walk *w, const char *name) {
    const size_t length = w->length;
    struct stat info;
    bool sound = true, known = enter(w, "last_accessed") && stat(w->path, &info) == 0;
    (void)name;
    leave(w, length);
    note_program(w, known ? info.st_mtime : 0);
    w->out->n_programs++;
    if (enter(w, "program.bc"))
        sound = check_file(w, is_whole_bitcode);
    leave(w, length);
    return sound;
}

static bool visit_letters(walk *w, const char *name) {
    return strlen(name) != 2 || each(w, visit_program); /* beside them lies what is not finished */
}

bool dun_driver_cache_is_sound(dun_driver_cache *out, const char *folder) {
    *out = (dun_driver_cache){0};
    if (!check_file_system(out, folder))
        return false;
    walk w = {.out = out, .length = strlen(folder), .folder = strlen(folder)};
    strcpy(w.path, folder);
    bool sound = each(&w, visit_letters);
    for (size_t i = 0; sound && i < w.n_latest; i++) {
        if (enter(&w, w.latest[i].name))
            sound = each(&w, visit_kernel);
        leave(&w, w.folder);
    }
    return sound;
}
