/* Aligned memory from the C library with the advice to use huge pages; and code that is not needed. */
#define _DEFAULT_SOURCE /* madvise */
#include "dev/pages.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

#ifdef MADV_DONTNEED
/* Libraries that are compilers, by a part of their name. */
static const char *const compilers[] = {"libLLVM", "libclang", "common_clang"};

/* Whether a line of /proc/self/smaps begins what it says of a mapping. */
static bool is_mapping(uintptr_t *at, size_t *bytes, const char *line) {
    unsigned long long begin, end;
    if (sscanf(line, "%llx-%llx ", &begin, &end) != 2)
        return false;
    *at = (uintptr_t)begin;
    *bytes = (size_t)(end - begin);
    return true;
}

static bool is_compiler_code(const char *mapping) {
    bool named = false;
    for (size_t i = 0; i < sizeof compilers / sizeof *compilers; i++)
        named |= strstr(mapping, compilers[i]) != NULL;
    return named && strstr(mapping, " r-xp ");
}

void dun_pages_let_go_of_compilers(void) {
    char line[512];
    uintptr_t at = 0;
    size_t bytes = 0;
    bool code = false;
    unsigned long dirty;
    FILE *maps = fopen("/proc/self/smaps", "re");
    while (maps && fgets(line, sizeof line, maps)) {
        if (is_mapping(&at, &bytes, line))
            code = is_compiler_code(line);
        /* what was written to, as a debugger's marks, is the process's own and would be lost */
        else if (code && sscanf(line, "Private_Dirty: %lu", &dirty) == 1 && dirty == 0)
            (void)madvise((void *)at, bytes, MADV_DONTNEED);
    }
    if (maps)
        fclose(maps);
}
#else
void dun_pages_let_go_of_compilers(void) {
}
#endif
