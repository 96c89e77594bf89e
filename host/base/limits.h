/* What this process may use of its machine's memory and processors: control groups of both versions, all
 * groups above its own included, the mask of its threads and `ulimit` bound it below what the machine has. */
#ifndef DUN_LIMITS_H
#define DUN_LIMITS_H

#include "base/str.h"

#include <stdint.h>

#define DUN_UNLIMITED UINT64_MAX

/* Where limits are read. */
typedef struct {
    const char *root;       /* in front of /proc and of every mount point; "": the system's own */
    uint64_t address_space; /* ulimit -v, bytes; DUN_UNLIMITED: none */
    uint64_t data;          /* ulimit -d */
    uint64_t resident;      /* ulimit -m */
    uint32_t processors;    /* in the mask of the process; 0: not known */
} dun_limits_source;
dun_limits_source dun_limits_of_process(void);

/* What is least, and who says so: "the machine", "cgroup", "ulimit -v". */
typedef struct {
    uint64_t limit; /* bytes; 0: not known */
    uint64_t free;  /* of it now, what is kept of files counted as free; 0 where the system does not say */
    const char *by; /* who sets the limit */
    const char *free_by; /* who has so little left: another group may be nearer to its end */
    uint64_t free_limit; /* that one's limit */
} dun_memory_limit;
typedef struct {
    uint32_t n;     /* processors, at least 1 */
    uint32_t all;   /* of the machine */
    const char *by; /* "the machine", "affinity", "cgroup" */
} dun_processor_limit;

/* What to say beside a library that would not load: "; ulimit -v allows 307 MB of address space, which may be
 * too little for it: ulimit -v unlimited"; "" where there is no such limit. */
void dun_limits_tell_address_space(char *out, size_t size, const dun_limits_source *source);

/* Never fail: what cannot be read is no limit. */
dun_memory_limit dun_limits_memory(const dun_limits_source *source);
dun_processor_limit dun_limits_processors(const dun_limits_source *source);

/* From now on this process, with the threads that it will start, keeps to the processors that are the i-th of
 * n shares of those it may use; with more shares than processors several have the same one. Returns how many
 * threads may compute: no more than its share of what a control group allows. Where masks cannot be set, 1 at
 * least and the share of their number. */
uint32_t dun_limits_take_share(uint32_t i, uint32_t n);

/* Appends "1900 MB free of a limit of 2147 MB (cgroup); 2 of 8 processors (affinity)": what bounds the
 * process below its machine; nothing when nothing does. */
int dun_limits_describe(dun_str *out, const dun_limits_source *source);

#endif
