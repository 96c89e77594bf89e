/* Aligned memory from the C library with the advice to use huge pages. */
#define _DEFAULT_SOURCE /* madvise */
#include "dev/pages.h"

#include <stdlib.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

void *dun_pages_alloc(size_t bytes) {
    void *pages = NULL;
    size_t whole = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    if (whole < bytes || posix_memalign(&pages, HUGE_PAGE, whole) != 0)
        return NULL;
#ifdef MADV_HUGEPAGE
    (void)madvise(pages, whole, MADV_HUGEPAGE); /* a hint: without it the memory is as good, only slower */
#endif
    return pages;
}

void dun_pages_free(void *pages) {
    free(pages);
}
