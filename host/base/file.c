/* Maps files, writes them whole and lastingly, makes folders, and asks for room on the disk. */
#include "base/file.h"

#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"

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

static int write_all(int fd, const char *path, const uint8_t *bytes, size_t length) {
    while (length > 0) {
        errno = ENOSPC;
        ssize_t written = dun_fault_here() ? -1 : write(fd, bytes, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return dun_error(DUN_FAILED, "%s: cannot be written: %s", path, strerror(errno));
        bytes += written;
        length -= (size_t)written;
    }
    errno = EIO;
    if (dun_fault_here() || fsync(fd) < 0)
        return dun_error(DUN_FAILED, "%s: cannot be written: %s", path, strerror(errno));
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

int dun_file_write(const char *path, const void *bytes, size_t length) {
    int rc = DUN_OK, fd = -1;
    char temp[PATH_MAX], folder[PATH_MAX];
    if (snprintf(temp, sizeof temp, "%s.tmp%ld", path, (long)getpid()) >= (int)sizeof temp)
        TRY(dun_error(DUN_FAILED, "%s: the path is too long", path));
    errno = EACCES;
    fd = dun_fault_here() ? -1 : open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        TRY(dun_error(DUN_FAILED, "%s: cannot be written: %s", path, strerror(errno)));
    TRY(write_all(fd, path, bytes, length));
    errno = EACCES;
    if (dun_fault_here() || rename(temp, path) < 0)
        TRY(dun_error(DUN_FAILED, "%s: cannot be replaced: %s", path, strerror(errno)));
    strcpy(folder, temp);
    sync_folder(folder);
out:
    if (fd >= 0) {
        close(fd);
        if (rc < 0)
            unlink(temp);
    }
    return rc;
}

int dun_dir_make(const char *path) {
    int rc = DUN_OK;
    char *copy = NULL;
    TRY_PTR(copy, dun_strdup(path));
    for (char *at = copy + 1; copy[0]; at++) {
        char end = *at;
        if (end != '/' && end != '\0')
            continue;
        *at = '\0';
        if (mkdir(copy, 0777) < 0 && errno != EEXIST)
            TRY(dun_error(DUN_FAILED, "%s: cannot be created: %s", copy, strerror(errno)));
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
