/* Asks the system what bounds this process: /proc, the control groups, rlimits, the mask of processors. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "base/limits.h"

#include "base/cgroup.h"
#include "base/err.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static const char machine[] = "the machine", cgroup[] = "cgroup";

static uint64_t soft_limit(int which) {
    struct rlimit limit;
    bool known = getrlimit((__rlimit_resource_t)which, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
    return known ? limit.rlim_cur : DUN_UNLIMITED;
}

dun_limits_source dun_limits_of_process(void) {
    cpu_set_t mask;
    bool known = sched_getaffinity(0, sizeof mask, &mask) == 0; /* fails beyond 1024 processors: not known */
    return (dun_limits_source){.root = "",
                               .address_space = soft_limit(RLIMIT_AS),
                               .data = soft_limit(RLIMIT_DATA),
                               .resident = soft_limit(RLIMIT_RSS),
                               .processors = known ? (uint32_t)CPU_COUNT(&mask) : 0};
}

/* A bound of `limit` bytes of which `used` cannot be had again. */
static void bound(dun_memory_limit *out, const char *by, uint64_t limit, uint64_t used) {
    uint64_t left = limit > used ? limit - used : 0;
    if (limit == DUN_UNLIMITED || limit == 0)
        return;
    if (!out->limit || limit < out->limit) {
        out->limit = limit;
        out->by = by;
    }
    if (!out->free_by || left < out->free) {
        out->free = left;
        out->free_by = by;
        out->free_limit = limit;
    }
}

static void bound_by_machine(dun_memory_limit *out, const char *root) {
    dun_limit_file file;
    uint64_t total, left;
    dun_limit_read(&file, "%s/proc/meminfo", root);
    if (!dun_limit_field(&total, &file, "MemTotal:") || total == 0)
        return;
    if (!dun_limit_field(&left, &file, "MemAvailable:") && !dun_limit_field(&left, &file, "MemFree:"))
        left = total;
    left = left < total ? left : total;
    bound(out, machine, total * 1024, (total - left) * 1024);
}

/* /proc/self/statm counts pages: of the address space, resident, shared, code, 0, data and stacks. */
static void bound_by_ulimit(dun_memory_limit *out, const dun_limits_source *source) {
    dun_limit_file file;
    unsigned long long all = 0, resident = 0, data = 0;
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    dun_limit_read(&file, "%s/proc/self/statm", source->root);
    if (sscanf(file.bytes, "%llu %llu %*u %*u %*u %llu", &all, &resident, &data) != 3)
        all = resident = data = 0;
    bound(out, "ulimit -v", source->address_space, all * page);
    bound(out, "ulimit -d", source->data, data * page);
    bound(out, "ulimit -m", source->resident, resident * page);
}

/* Pages of files are given back when memory is short; those of tmpfs count as anonymous. */
static void bound_by_group(void *self, const char *folder, bool unified) {
    dun_limit_file file;
    uint64_t limit = DUN_UNLIMITED, high, used = 0, kept;
    const char *const *names = unified
                                   ? (const char *const[]){"memory.max", "memory.current"}
                                   : (const char *const[]){"memory.limit_in_bytes", "memory.usage_in_bytes"};
    const char *const *fields = unified ? (const char *const[]){"inactive_file ", "active_file "}
                                        : (const char *const[]){"total_inactive_file ", "total_active_file "};
    if (dun_limit_number(&high, "%s/%s", folder, names[0]))
        limit = high;
    if (unified && dun_limit_number(&high, "%s/%s", folder, "memory.high") && high < limit)
        limit = high;
    (void)dun_limit_number(&used, "%s/%s", folder, names[1]);
    dun_limit_read(&file, "%s/memory.stat", folder);
    for (size_t i = 0; i < 2; i++)
        if (dun_limit_field(&kept, &file, fields[i]))
            used = used > kept ? used - kept : 0;
    bound(self, cgroup, limit, used);
    if (!unified &&
        dun_limit_field(&limit, &file, "hierarchical_memory_limit ")) /* groups that are not seen */
        bound(self, cgroup, limit, used);
}

dun_memory_limit dun_limits_memory(const dun_limits_source *source) {
    dun_memory_limit out = {.by = machine};
    bound_by_machine(&out, source->root);
    dun_cgroup_each(source->root, "memory", bound_by_group, &out);
    bound_by_ulimit(&out, source);
    return out;
}

static void bound_processors(dun_processor_limit *out, const char *by, uint64_t n) {
    if (n > 0 && n < out->n) {
        out->n = (uint32_t)n;
        out->by = by;
    }
}

/* A share of 1.5 processors keeps two threads busy. */
static void bound_by_quota(void *self, const char *folder, bool unified) {
    uint64_t quota = 0, period = 0;
    bool known;
    if (unified) {
        dun_limit_file file;
        unsigned long long q, p;
        dun_limit_read(&file, "%s/cpu.max", folder);
        known = sscanf(file.bytes, "%llu %llu", &q, &p) == 2;
        quota = known ? q : 0;
        period = known ? p : 0;
    } else {
        known = dun_limit_number(&quota, "%s/cpu.cfs_quota_us", folder) &&
                dun_limit_number(&period, "%s/cpu.cfs_period_us", folder);
    }
    if (known && quota > 0 && quota != DUN_UNLIMITED && period > 0)
        bound_processors(self, cgroup, quota / period + (quota % period > 0));
}

static void bound_by_set(void *self, const char *folder, bool unified) {
    static const char *const names[] = {"cpuset.cpus.effective", "cpuset.effective_cpus", "cpuset.cpus"};
    dun_limit_file file;
    (void)unified;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        dun_limit_read(&file, "%s/%s", folder, names[i]);
        if (dun_limit_count(file.bytes) > 0) {
            bound_processors(self, cgroup, dun_limit_count(file.bytes));
            return;
        }
    }
}

dun_processor_limit dun_limits_processors(const dun_limits_source *source) {
    dun_limit_file file;
    dun_limit_read(&file, "%s/sys/devices/system/cpu/online", source->root);
    uint64_t all = dun_limit_count(file.bytes);
    long online = all ? (long)all : sysconf(_SC_NPROCESSORS_ONLN);
    dun_processor_limit out = {.by = machine};
    out.all = out.n = online > 0 ? (uint32_t)online : 1;
    bound_processors(&out, "affinity", source->processors);
    dun_cgroup_each(source->root, "cpuset", bound_by_set, &out);
    dun_cgroup_each(source->root, "cpu", bound_by_quota, &out);
    return out;
}

/* Which of `all` things, in order, begin a share: those of the i-th of n are from share_begin(i) up to that
 * of i + 1. */
static uint32_t share_begin(uint32_t all, uint32_t i, uint32_t n) {
    return (uint32_t)((uint64_t)all * i / n);
}

static void keep_to(uint32_t i, uint32_t n) {
    cpu_set_t mask, kept;
    CPU_ZERO(&kept);
    if (sched_getaffinity(0, sizeof mask, &mask) < 0)
        return;
    const uint32_t all = (uint32_t)CPU_COUNT(&mask);
    uint32_t begin = share_begin(all, i, n), end = share_begin(all, i + 1, n), at = 0;
    if (begin == end) {
        begin = i % all;
        end = begin + 1;
    }
    for (uint32_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &mask)) {
            if (at >= begin && at < end)
                CPU_SET(cpu, &kept);
            at++;
        }
    (void)sched_setaffinity(0, sizeof kept, &kept); /* it computes with as many threads all the same */
}

uint32_t dun_limits_take_share(uint32_t i, uint32_t n) {
    const dun_limits_source here = dun_limits_of_process();
    const uint32_t all = dun_limits_processors(&here).n;
    const uint32_t share = share_begin(all, i + 1, n) - share_begin(all, i, n);
    keep_to(i, n);
    return share > 0 ? share : 1;
}

int dun_limits_describe(dun_str *out, const dun_limits_source *source) {
    int rc = DUN_OK;
    const dun_memory_limit memory = dun_limits_memory(source);
    const dun_processor_limit processors = dun_limits_processors(source);
    bool bound = memory.by != machine;
    if (bound)
        TRY(dun_str_addf(out, "%.0f MB free of a limit of %.0f MB (%s)", (double)memory.free / 1e6,
                         (double)memory.free_limit / 1e6, memory.free_by));
    if (processors.n < processors.all)
        TRY(dun_str_addf(out, "%s%u of %u processors (%s)", bound ? "; " : "", processors.n, processors.all,
                         processors.by));
out:
    return rc;
}

void dun_limits_tell_address_space(char *out, size_t size, const dun_limits_source *source) {
    out[0] = '\0';
    if (source->address_space != DUN_UNLIMITED)
        snprintf(out, size,
                 "; ulimit -v allows %.0f MB of address space, which may be too little for it: ulimit -v "
                 "unlimited",
                 (double)source->address_space / 1e6);
}
