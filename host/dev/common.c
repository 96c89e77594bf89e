/* A file without a name in memory, mapped over what was there. */
#define _GNU_SOURCE /* memfd_create */
#include "dev/common.h"

#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct dun_common {
    int fd;
    atomic_ullong *filled; /* bytes of the file that are whole; shared */
    uint64_t at, mapped;   /* this process's own: where the next one lies, what it has mapped */
};

static size_t whole_pages(size_t bytes) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (bytes + page - 1) / page * page;
}

int dun_common_create(dun_common **out) {
    int rc = DUN_OK;
    dun_common *common;
    TRY_PTR(common, dun_calloc(1, sizeof *common));
    *common = (dun_common){.fd = -1, .filled = MAP_FAILED};
    errno = ENOMEM;
    if (!dun_fault_here()) {
        common->fd = memfd_create("dunlin weights", MFD_CLOEXEC);
        common->filled =
            mmap(NULL, sizeof *common->filled, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    }
    if (common->fd < 0 || common->filled == MAP_FAILED)
        TRY(dun_error(DUN_FAILED, "no memory that processes can share: %s", strerror(errno)));
out:
    if (rc < 0) {
        dun_common_free(common);
        common = NULL;
    }
    *out = common;
    return rc;
}

void dun_common_free(dun_common *common) {
    if (!common)
        return;
    if (common->fd >= 0)
        close(common->fd);
    if (common->filled != MAP_FAILED)
        munmap(common->filled, sizeof *common->filled);
    dun_free(common);
}

void *dun_common_alloc(size_t bytes) {
    void *pages = mmap(NULL, whole_pages(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

void dun_common_release(void *pages, size_t bytes) {
    munmap(pages, whole_pages(bytes));
}

static bool append(const dun_common *common, const char *bytes, size_t n) {
    size_t done = 0;
    if (ftruncate(common->fd, (off_t)(common->at + whole_pages(n))) < 0)
        return false;
    while (done < n) {
        const ssize_t wrote = pwrite(common->fd, bytes + done, n - done, (off_t)(common->at + done));
        if (wrote <= 0 && errno != EINTR)
            return false;
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    atomic_store(common->filled, common->at + whole_pages(n));
    return true;
}

static bool is_same(const dun_common *common, const void *bytes, size_t n) {
    const void *there = mmap(NULL, n, PROT_READ, MAP_SHARED, common->fd, (off_t)common->at);
    if (there == MAP_FAILED)
        return false;
    const bool same = memcmp(there, bytes, n) == 0;
    munmap((void *)(uintptr_t)there, n);
    return same;
}

void dun_common_take(dun_common *common, void *pages, size_t bytes) {
    const uint64_t filled = atomic_load(common->filled), end = common->at + whole_pages(bytes);
    const bool there =
        end <= filled ? is_same(common, pages, bytes) : common->at == filled && append(common, pages, bytes);
    if (there && mmap(pages, whole_pages(bytes), PROT_READ, MAP_SHARED | MAP_FIXED, common->fd,
                      (off_t)common->at) != MAP_FAILED)
        common->mapped += bytes;
    common->at = end;
}

uint64_t dun_common_bytes(const dun_common *common) {
    return common->mapped;
}

bool dun_common_is_filled(const dun_common *common) {
    return atomic_load(common->filled) > 0;
}
