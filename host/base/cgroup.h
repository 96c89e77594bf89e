/* The control groups of this process, of either version, from its own up to the uppermost that is mounted;
 * and small files of numbers as the kernel writes them. Private to limits.c. */
#ifndef DUN_CGROUP_H
#define DUN_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Calls `each` with the folder of every group that a controller ("memory", "cpu", "cpuset") may bound, in the
 * hierarchy of its own and in the unified one. `root` stands in front of every path. */
typedef void dun_cgroup_visitor(void *self, const char *folder, bool unified);
void dun_cgroup_each(const char *root, const char *controller, dun_cgroup_visitor *each, void *self);

/* The first bytes of a file; empty: it cannot be read. */
typedef struct {
    char bytes[8192];
} dun_limit_file;
void dun_limit_read(dun_limit_file *file, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The number that a file holds; "max", a negative or one beyond 64 bits is UINT64_MAX. False: there is none.
 */
bool dun_limit_number(uint64_t *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The number behind a name that begins a line. */
bool dun_limit_field(uint64_t *out, const dun_limit_file *file, const char *name);

/* How many a list as "0-3,8" names; 0: it is none. */
uint32_t dun_limit_count(const char *list);

#endif
