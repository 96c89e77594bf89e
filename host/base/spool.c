/* A file that is unlinked as soon as it is there. See spool.h. */
#include "base/spool.h"

#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* An open file in a folder, or -1 with errno. */
static int open_in(const char *folder) {
    dun_str name = {0};
    int fd = -1;
    errno = EACCES;
    if (dun_fault_here())
        return -1;
    if (dun_str_addf(&name, "%s/dunlin-spool-XXXXXX", folder) >= 0 && (fd = mkstemp(name.bytes)) >= 0) {
        unlink(name.bytes);
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
    const int why = errno;
    dun_str_free(&name);
    errno = why;
    return fd;
}

static int cannot(const dun_spool *spool, int why) {
    return dun_error(DUN_FAILED, "%s: cannot be written: %s",
                     strcmp(spool->path, "-") == 0 ? "standard output" : spool->path, strerror(why));
}

int dun_spool_open(dun_spool *spool, const char *path) {
    int rc = DUN_OK;
    char *copy = NULL;
    const char *temporary = getenv("TMPDIR");
    *spool = (dun_spool){.path = path, .fd = -1};
    TRY_PTR(copy, dun_strdup(path));
    if (strcmp(path, "-") != 0)
        spool->fd = open_in(dirname(copy));
    if (spool->fd < 0)
        spool->fd = open_in(temporary && *temporary ? temporary : "/tmp");
    if (spool->fd < 0)
        TRY(cannot(spool, errno));
out:
    dun_free(copy);
    if (rc < 0)
        *spool = (dun_spool){0};
    return rc;
}

int dun_spool_add(dun_spool *spool, const void *bytes, size_t length) {
    const int why = dun_write_all(spool->fd, bytes, length);
    if (why)
        return cannot(spool, why);
    spool->bytes += length;
    return DUN_OK;
}

int dun_spool_patch(dun_spool *spool, const void *bytes, size_t length) {
    size_t done = 0;
    while (done < length) {
        const ssize_t n = pwrite(spool->fd, (const char *)bytes + done, length - done, (off_t)done);
        if (n < 0 && errno != EINTR)
            return cannot(spool, errno);
        done += n > 0 ? (size_t)n : 0;
    }
    return DUN_OK;
}

int dun_spool_map(const void **bytes, dun_spool *spool) {
    *bytes = NULL;
    if (spool->bytes == 0)
        return DUN_OK;
    void *mapped = mmap(NULL, spool->bytes, PROT_READ, MAP_SHARED, spool->fd, 0);
    if (mapped == MAP_FAILED)
        return cannot(spool, errno);
    *bytes = spool->mapped = mapped;
    return DUN_OK;
}

void dun_spool_close(dun_spool *spool) {
    if (!spool->path)
        return;
    if (spool->mapped)
        munmap(spool->mapped, spool->bytes);
    close(spool->fd);
    *spool = (dun_spool){0};
}
