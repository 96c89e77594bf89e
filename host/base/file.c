/* Maps files, writes them whole and lastingly, makes folders, and asks for room on the disk. */
#include "base/file.h"

#include "base/err.h"
#include "base/fault.h"
#include "base/leftovers.h"
#include "base/mem.h"
#include "base/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

int dun_file_map(dun_file *file, const char *path) {
    int rc = DUN_OK;
    *file = (dun_file){0};
    struct stat info;
    /* O_NONBLOCK: opening a FIFO nobody writes to must be refused, not waited for. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &info) < 0)
        TRY(dun_error(DUN_BAD_INPUT, "%s: %s", path, strerror(errno)));
    if (!S_ISREG(info.st_mode))
        TRY(dun_error(DUN_BAD_INPUT, "%s: %s; a regular file is needed", path,
                      S_ISDIR(info.st_mode) ? "is a folder" : "is a FIFO or device"));
    if (info.st_size == 0)
        goto out;
    void *bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        TRY(dun_error(DUN_BAD_INPUT, "%s: cannot be mapped: %s", path, strerror(errno)));
    file->bytes = bytes;
    file->length = (size_t)info.st_size;
out:
    if (fd >= 0)
        close(fd);
    return rc;
}

void dun_file_unmap(dun_file *file) {
    if (file->bytes)
        munmap((void *)(uintptr_t)file->bytes, file->length);
    *file = (dun_file){0};
}

/* What stands at a path, and how the bytes get there. */
typedef struct {
    const char *path;
    char real[PATH_MAX]; /* behind all links: the name that is replaced */
    char temp[PATH_MAX]; /* beside it; "" until it is there */
    struct stat old;     /* st_mode 0: there is nothing yet */
    int fd;
} target;

static int cannot(const target *t, int why) {
    return dun_error(DUN_FAILED, "%s: cannot be written: %s", t->path, strerror(why));
}

/* Walks links to the last name, which need not exist. */
static int follow_links(target *t) {
    enum { MOST_LINKS = 40 };
    char next[PATH_MAX], folder[PATH_MAX];
    if (strlen(t->path) >= sizeof t->real)
        return cannot(t, ENAMETOOLONG);
    strcpy(t->real, t->path);
    for (int i = 0; i < MOST_LINKS; i++) {
        ssize_t n = readlink(t->real, next, sizeof next - 1);
        if (n < 0)
            return DUN_OK; /* no link, or nothing */
        next[n] = '\0';
        strcpy(folder, t->real);
        int length = next[0] == '/' ? snprintf(t->real, sizeof t->real, "%s", next)
                                    : snprintf(t->real, sizeof t->real, "%s/%s", dirname(folder), next);
        if (length >= (int)sizeof t->real)
            return cannot(t, ENAMETOOLONG);
    }
    return cannot(t, ELOOP);
}

static bool is_same(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* STDOUT_FILENO or STDERR_FILENO when that goes to the file, else -1. */
static int own_output(const target *t) {
    struct stat info;
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
        if (fstat(fd, &info) == 0 && is_same(&info, &t->old))
            return fd;
    return -1;
}

/* May the name be given to another file? Not that of a device or a FIFO, nor of a file that our own output
 * goes to, as /dev/stdout names it, nor of one that is known by no name any more. */
static bool is_replaced(const target *t) {
    struct stat info;
    if (!t->old.st_mode)
        return true;
    if (!S_ISREG(t->old.st_mode) || own_output(t) >= 0)
        return false;
    /* Without a link in between it is known by this name, though others may put a new file there meanwhile.
     */
    return strcmp(t->real, t->path) == 0 || (stat(t->real, &info) == 0 && is_same(&info, &t->old));
}

static int inspect(target *t) {
    int rc = DUN_OK;
    TRY(follow_links(t));
    if (stat(t->path, &t->old) < 0) {
        t->old.st_mode = 0;
        if (errno != ENOENT)
            TRY(cannot(t, errno));
    } else if (S_ISDIR(t->old.st_mode)) {
        TRY(cannot(t, EISDIR));
    } else if (faccessat(AT_FDCWD, t->path, W_OK, AT_EACCESS) < 0) {
        TRY(cannot(t, errno));
    }
out:
    return rc;
}

static int sync_file(const target *t) {
    errno = EIO;
    if (!dun_fault_here() && (fsync(t->fd) == 0 || errno == EINVAL || errno == EROFS || errno == ENOTSUP))
        return DUN_OK; /* what cannot be synced, as a device, need not be */
    return cannot(t, errno);
}

/* Through the file itself; where our own output goes, it goes on behind what that has. */
static int write_through(target *t, const void *bytes, size_t length) {
    int rc = DUN_OK;
    const int own = own_output(t);
    errno = EACCES;
    if (!dun_fault_here())
        t->fd = own >= 0 ? fcntl(own, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)
                         : open(t->path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOCTTY);
    if (t->fd < 0)
        TRY(cannot(t, errno));
    const int why = dun_write_all(t->fd, bytes, length);
    if (why == EPIPE && own == STDOUT_FILENO) { /* nobody is there whom a message could help */
        dun_error_clear();
        TRY(DUN_FAILED);
    }
    if (why)
        TRY(cannot(t, why));
    TRY(sync_file(t));
out:
    return rc;
}

/* A file of ours keeps the mode and, where that is allowed, the owner of the one in whose place it comes. */
static void keep_owner(const target *t) {
    if (!t->old.st_mode)
        return;
    if (t->old.st_uid != geteuid() || t->old.st_gid != getegid())
        (void)!fchown(t->fd, t->old.st_uid, t->old.st_gid);
    (void)fchmod(t->fd, t->old.st_mode & 0777);
}

/* Those beside the file. */
static void clear_leftovers(const char *path) {
    char copy[PATH_MAX];
    const char *slash = strrchr(path, '/');
    strcpy(copy, path);
    dun_leftovers_clear(dirname(copy), slash ? slash + 1 : path, 0);
}

static int make_temp(target *t) {
    char name[PATH_MAX];
    if (!dun_leftover_name(name, sizeof name, t->real))
        return cannot(t, ENAMETOOLONG);
    (void)unlink(name); /* of a process that was killed and had the same number */
    clear_leftovers(t->real);
    errno = EACCES;
    t->fd = dun_fault_here() ? -1 : open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (t->fd < 0)
        return cannot(t, errno);
    strcpy(t->temp, name);
    keep_owner(t);
    return DUN_OK;
}

/* A rename lasts only once the folder itself is on disk. Some file systems refuse to sync a folder;
 * the data are complete by then, so that is not a failure. */
static void sync_folder(char *path) {
    int fd = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!fsync(fd);
        close(fd);
    }
}

static int close_checked(target *t) {
    int fd = t->fd;
    t->fd = -1;
    errno = EIO;
    return close(fd) < 0 || dun_fault_here() ? cannot(t, errno) : DUN_OK;
}

/* The bytes under the name beside it, on the disk. */
static int fill_temp(target *t, const void *bytes, size_t length) {
    int rc = DUN_OK;
    TRY(make_temp(t));
    const int why = dun_write_all(t->fd, bytes, length);
    if (why)
        TRY(cannot(t, why));
    TRY(sync_file(t));
    TRY(close_checked(t));
out:
    return rc;
}

static int replace(target *t, const void *bytes, size_t length) {
    int rc = DUN_OK;
    TRY(fill_temp(t, bytes, length));
    errno = EACCES;
    if (dun_fault_here() || rename(t->temp, t->real) < 0) {
        if (errno != EBUSY) /* the name is where a single file is mounted, and cannot go */
            TRY(dun_error(DUN_FAILED, "%s: cannot be replaced: %s", t->path, strerror(errno)));
        TRY(write_through(t, bytes, length));
        goto out;
    }
    sync_folder(t->temp);
    t->temp[0] = '\0';
out:
    return rc;
}

int dun_file_write(const char *path, const void *bytes, size_t length) {
    int rc = DUN_OK;
    target t = {.path = path, .fd = -1};
    TRY(inspect(&t));
    TRY(is_replaced(&t) ? replace(&t, bytes, length) : write_through(&t, bytes, length));
    if (t.fd >= 0)
        TRY(close_checked(&t));
out:
    if (t.fd >= 0)
        close(t.fd);
    if (t.temp[0])
        unlink(t.temp);
    return rc;
}

int dun_file_write_new(bool *made, const char *path, const void *bytes, size_t length) {
    int rc = DUN_OK;
    char folder[PATH_MAX];
    target t = {.path = path, .fd = -1};
    *made = false;
    if (strlen(path) >= sizeof t.real)
        TRY(cannot(&t, ENAMETOOLONG));
    strcpy(t.real, path);
    TRY(fill_temp(&t, bytes, length));
    errno = EACCES;
    *made = !dun_fault_here() && link(t.temp, t.real) == 0;
    if (!*made && errno != EEXIST)
        TRY(cannot(&t, errno));
    strcpy(folder, t.real);
    sync_folder(folder);
out:
    if (t.fd >= 0)
        close(t.fd);
    if (t.temp[0])
        unlink(t.temp);
    return rc;
}

int dun_dir_make_new(size_t *there, const char *path) {
    int rc = DUN_OK;
    char *copy = NULL;
    bool made = false;
    *there = 0;
    TRY_PTR(copy, dun_strdup(path));
    for (char *at = copy + 1; copy[0]; at++) {
        char end = *at;
        if (end != '/' && end != '\0')
            continue;
        *at = '\0';
        const bool new = mkdir(copy, 0777) == 0;
        if (!new &&errno != EEXIST)
            TRY(dun_error(DUN_FAILED, "%s: cannot be created: %s", copy, strerror(errno)));
        made |= new;
        if (!made)
            *there = (size_t)(at - copy);
        *at = end;
        if (end == '\0')
            break;
    }
    struct stat info;
    if (stat(path, &info) < 0 || !S_ISDIR(info.st_mode))
        TRY(dun_error(DUN_FAILED, "%s: is not a folder", path));
out:
    dun_free(copy);
    return rc;
}

int dun_dir_make(const char *path) {
    size_t there;
    return dun_dir_make_new(&there, path);
}

void dun_dir_remove_new(const char *path, size_t there) {
    char copy[PATH_MAX];
    size_t length = strlen(path);
    if (length >= sizeof copy)
        return;
    strcpy(copy, path);
    for (;;) {
        while (length > there && copy[length - 1] == '/')
            copy[--length] = '\0';
        if (length <= there || rmdir(copy) < 0)
            return;
        while (length > there && copy[length - 1] != '/')
            copy[--length] = '\0';
    }
}

int dun_dir_claim(bool *made, size_t *there, const char *path) {
    int rc = DUN_OK;
    char *copy = NULL;
    TRY_PTR(copy, dun_strdup(path));
    TRY(dun_dir_make_new(there, dirname(copy)));
    *made = mkdir(path, 0777) == 0;
    if (!*made && errno != EEXIST)
        TRY(dun_error(DUN_FAILED, "%s: cannot be created: %s", path, strerror(errno)));
out:
    dun_free(copy);
    return rc;
}

bool dun_dir_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

int dun_disk_require(const char *folder, uint64_t bytes) {
    struct statvfs disk;
    bool full = dun_fault_here();
    if (statvfs(folder, &disk) < 0 || disk.f_blocks == 0)
        return DUN_OK;
    uint64_t block = disk.f_frsize ? disk.f_frsize : disk.f_bsize;
    uint64_t free_bytes = (uint64_t)disk.f_bavail * block;
    if (!full && bytes <= free_bytes)
        return DUN_OK;
    return dun_error(
        DUN_FAILED,
        "%s: its disk has %.1f MB free and about %.1f MB are needed; make room, or write elsewhere", folder,
        (double)free_bytes / 1e6, (double)bytes / 1e6);
}

int dun_dir_temporary(dun_str *out, const char *purpose) {
    int rc = DUN_OK;
    const char *parent = getenv("TMPDIR");
    size_t before = out->length;
    TRY(dun_str_addf(out, "%s/dunlin-%s-XXXXXX", parent && *parent ? parent : "/tmp", purpose));
    if (dun_fault_here() || !mkdtemp(out->bytes + before))
        TRY(dun_error(DUN_FAILED, "%s: no temporary folder can be made there: %s", out->bytes + before,
                      strerror(errno)));
out:
    return rc;
}
