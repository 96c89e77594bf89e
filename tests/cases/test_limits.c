/* What bounds a process: made-up systems with control groups of both versions, nested, hidden, odd and
 * absent, masks and ulimit; and the system that runs the test. How long a process waited for a processor. */
#include "base/limits.h"

#include "base/file.h"
#include "base/starved.h"
#include "base/str.h"
#include "device_check.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MB(n) ((uint64_t)(n) << 20)
enum { MAX_FILES = 16, PROCESSORS = 8 };

/* A machine of 16 GiB, of which 12 are free, and 8 processors. */
#define MEMINFO "MemTotal:       16777216 kB\nMemFree:  4194304 kB\nMemAvailable:   12582912 kB\n"
#define V1(controller)                                                                                       \
    "32 31 0:29 / /sys/fs/cgroup/" controller " rw,relatime shared:9 - cgroup cgroup rw," controller "\n"
#define V2 "30 23 0:27 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
#define G "/sys/fs/cgroup"
#define NO_LIMIT "9223372036854771712\n"

static const struct {
    const char *name;
    struct {
        const char *path, *text;
    } files[MAX_FILES];
    uint64_t address_space, data, resident; /* 0: none */
    uint32_t mask;                          /* 0: all */
    uint64_t limit, free;
    const char *by;
    uint32_t processors;
    const char *processors_by;
} rows[] = {
    {.name = "no groups", .limit = MB(16384), .free = MB(12288), .by = "the machine", .processors = 8},
    {.name = "unified, its own group",
     .files = {{"/proc/self/cgroup", "0::/app\n"},
               {"/proc/self/mountinfo", V2},
               {G "/app/memory.max", "2147483648\n"},
               {G "/app/memory.high", "max\n"},
               {G "/app/memory.current", "524288000\n"},
               {G "/app/memory.stat", "anon 314572800\nfile 209715200\ninactive_file 104857600\nactive_file "
                                      "104857600\nslab_reclaimable 4096\n"},
               {G "/app/cpu.max", "150000 100000\n"}},
     .limit = MB(2048),
     .free = MB(2048) - MB(300),
     .by = "cgroup",
     .processors = 2,
     .processors_by = "cgroup"},
    {.name = "unified, memory.high is less",
     .files = {{"/proc/self/cgroup", "0::/app\n"},
               {"/proc/self/mountinfo", V2},
               {G "/app/memory.max", "4294967296\n"},
               {G "/app/memory.high", "1073741824\n"},
               {G "/app/memory.current", "0\n"},
               {G "/app/cpu.max", "50000 100000\n"}},
     .limit = MB(1024),
     .free = MB(1024),
     .by = "cgroup",
     .processors = 1,
     .processors_by = "cgroup"},
    {.name = "unified, no limit",
     .files = {{"/proc/self/cgroup", "0::/a.slice/b.scope\n"},
               {"/proc/self/mountinfo", V2},
               {G "/a.slice/b.scope/memory.max", "max\n"},
               {G "/a.slice/b.scope/cpu.max", "max 100000\n"},
               {G "/a.slice/memory.max", "max\n"}},
     .limit = MB(16384),
     .free = MB(12288),
     .by = "the machine",
     .processors = 8},
    {.name = "unified, a parent bounds, and another is nearer to its end",
     .files = {{"/proc/self/cgroup", "0::/a/b/c\n"},
               {"/proc/self/mountinfo", V2},
               {G "/a/b/c/memory.max", "max\n"},
               {G "/a/b/memory.max", "3221225472\n"},
               {G "/a/b/memory.current", "1048576\n"},
               {G "/a/memory.max", "4294967296\n"},
               {G "/a/memory.current", "4190109696\n"},
               {G "/a/cpu.max", "300000 100000\n"},
               {G "/a/b/cpu.max", "max 100000\n"}},
     .limit = MB(3072),
     .free = MB(100),
     .by = "cgroup",
     .processors = 3,
     .processors_by = "cgroup"},
    {.name = "unified, a container's namespace",
     .files = {{"/proc/self/cgroup", "0::/\n"},
               {"/proc/self/mountinfo", V2},
               {G "/memory.max", "536870912\n"},
               {G "/memory.current", "1048576\n"}},
     .limit = MB(512),
     .free = MB(511),
     .by = "cgroup",
     .processors = 8},
    {.name = "unified, a path outside the namespace",
     .files = {{"/proc/self/cgroup", "0::/../../other\n"},
               {"/proc/self/mountinfo", V2},
               {G "/memory.max", "536870912\n"}},
     .limit = MB(512),
     .free = MB(512),
     .by = "cgroup",
     .processors = 8},
    {.name = "version 1",
     .files = {{"/proc/self/cgroup", "4:memory:/box\n3:cpuset:/box\n2:cpu,cpuacct:/box\n1:name=systemd:/x\n"},
               {"/proc/self/mountinfo", V1("memory") V1("cpuset") V1("cpu,cpuacct")},
               {G "/memory/box/memory.limit_in_bytes", "1073741824\n"},
               {G "/memory/box/memory.usage_in_bytes", "734003200\n"},
               {G "/memory/box/memory.stat", "inactive_file 1\ntotal_inactive_file 104857600\n"
                                             "total_active_file 104857600\n"},
               {G "/cpuset/box/cpuset.cpus", "0-2,5\n"},
               {G "/cpu,cpuacct/box/cpu.cfs_quota_us", "600000\n"},
               {G "/cpu,cpuacct/box/cpu.cfs_period_us", "100000\n"}},
     .limit = MB(1024),
     .free = MB(524),
     .by = "cgroup",
     .processors = 4,
     .processors_by = "cgroup"},
    {.name = "version 1, no limits",
     .files = {{"/proc/self/cgroup", "4:memory:/box\n2:cpu:/box\n"},
               {"/proc/self/mountinfo", V1("memory") V1("cpu")},
               {G "/memory/box/memory.limit_in_bytes", NO_LIMIT},
               {G "/memory/box/memory.usage_in_bytes", "734003200\n"},
               {G "/cpu/box/cpu.cfs_quota_us", "-1\n"},
               {G "/cpu/box/cpu.cfs_period_us", "100000\n"}},
     .limit = MB(16384),
     .free = MB(12288),
     .by = "the machine",
     .processors = 8},
    {.name = "version 1, a container that sees the host's path",
     .files = {{"/proc/self/cgroup", "4:memory:/docker/0123abcd\n"},
               {"/proc/self/mountinfo",
                "44 40 0:32 /docker/0123abcd /sys/fs/cgroup/memory ro,nosuid master:14 - "
                "cgroup cgroup rw,memory\n"},
               {G "/memory/memory.limit_in_bytes", "2147483648\n"},
               {G "/memory/memory.usage_in_bytes", "1048576\n"}},
     .limit = MB(2048),
     .free = MB(2047),
     .by = "cgroup",
     .processors = 8},
    {.name = "version 1, a path that is not mounted; a parent that is not seen",
     .files = {{"/proc/self/cgroup", "4:memory:/kubepods/pod1/ab\n"},
               {"/proc/self/mountinfo", V1("memory")},
               {G "/memory/memory.limit_in_bytes", NO_LIMIT},
               {G "/memory/memory.usage_in_bytes", "1048576\n"},
               {G "/memory/memory.stat", "hierarchical_memory_limit 1073741824\n"}},
     .limit = MB(1024),
     .free = MB(1023),
     .by = "cgroup",
     .processors = 8},
    {.name = "hybrid: memory of version 1, the unified hierarchy empty beside it",
     .files = {{"/proc/self/cgroup", "4:memory:/box\n0::/\n"},
               {"/proc/self/mountinfo",
                V1("memory") "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"},
               {G "/memory/box/memory.limit_in_bytes", "1073741824\n"},
               {G "/memory/box/memory.usage_in_bytes", "0\n"},
               {G "/unified/cgroup.procs", "1\n"}},
     .limit = MB(1024),
     .free = MB(1024),
     .by = "cgroup",
     .processors = 8},
    {.name = "a mount point with a blank; a limit above the machine's memory",
     .files = {{"/proc/self/cgroup", "0::/app\n"},
               {"/proc/self/mountinfo", "30 23 0:27 / /my\\040groups rw - cgroup2 none rw\n"},
               {"/my groups/app/memory.max", "109951162777600\n"},
               {"/my groups/app/memory.current", "99999999999999999999999\n"},
               {"/my groups/memory.max", "1073741824\n"},
               {"/my groups/memory.current", "1\n"},
               {"/my groups/app/cpu.max", "99999999999999999999999 100000\n"}},
     .limit = MB(1024),
     .free = 0,
     .by = "cgroup",
     .processors = 8},
    {.name = "files that are no files of numbers",
     .files = {{"/proc/self/cgroup", "garbage\n0:\n:::\n0::/app\n"},
               {"/proc/self/mountinfo", "x\n1 2 3\n - cgroup2\n" V2},
               {G "/app/memory.max", "\n"},
               {G "/app/memory.current", "none\n"},
               {G "/app/cpu.max", "0 0\n"},
               {G "/app/cpuset.cpus.effective", "-,\n"}},
     .limit = MB(16384),
     .free = MB(12288),
     .by = "the machine",
     .processors = 8},
    {.name = "ulimit -v",
     .address_space = MB(4096),
     .limit = MB(4096),
     .free = MB(3096),
     .by = "ulimit -v",
     .processors = 8},
    {.name = "ulimit -d",
     .data = MB(1024),
     .limit = MB(1024),
     .free = MB(824),
     .by = "ulimit -d",
     .processors = 8},
    {.name = "ulimit -m",
     .resident = MB(1024),
     .limit = MB(1024),
     .free = MB(524),
     .by = "ulimit -m",
     .processors = 8},
    {.name = "ulimit within a group",
     .files = {{"/proc/self/cgroup", "0::/app\n"},
               {"/proc/self/mountinfo", V2},
               {G "/app/memory.max", "2147483648\n"},
               {G "/app/memory.current", "0\n"}},
     .address_space = MB(2100),
     .limit = MB(2048),
     .free = MB(1100),
     .by = "cgroup",
     .processors = 8},
    {.name = "a mask",
     .mask = 3,
     .limit = MB(16384),
     .free = MB(12288),
     .by = "the machine",
     .processors = 3,
     .processors_by = "affinity"},
};

static void put(const char *root, const char *path, const char *text) {
    dun_str name = {0};
    check_ok(dun_str_addf(&name, "%s%s", root, path));
    char *end = strrchr(name.bytes, '/');
    *end = '\0';
    check_ok(dun_dir_make(name.bytes));
    *end = '/';
    check_ok(dun_file_write(name.bytes, text, strlen(text)));
    dun_str_free(&name);
}

static void test_systems(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        dun_str root = {0};
        char command[600];
        check_ok(dun_dir_temporary(&root, "limits"));
        put(root.bytes, "/proc/meminfo", MEMINFO);
        put(root.bytes, "/sys/devices/system/cpu/online", "0-7\n");
        char statm[128]; /* 1000 MiB of address space, 500 resident, 200 of data */
        snprintf(statm, sizeof statm, "%ld %ld 9 9 0 %ld 0\n", (1000L << 20) / sysconf(_SC_PAGESIZE),
                 (500L << 20) / sysconf(_SC_PAGESIZE), (200L << 20) / sysconf(_SC_PAGESIZE));
        put(root.bytes, "/proc/self/statm", statm);
        for (size_t f = 0; f < MAX_FILES && rows[i].files[f].path; f++)
            put(root.bytes, rows[i].files[f].path, rows[i].files[f].text);
        const dun_limits_source source = {.root = root.bytes,
                                          .address_space =
                                              rows[i].address_space ? rows[i].address_space : DUN_UNLIMITED,
                                          .data = rows[i].data ? rows[i].data : DUN_UNLIMITED,
                                          .resident = rows[i].resident ? rows[i].resident : DUN_UNLIMITED,
                                          .processors = rows[i].mask ? rows[i].mask : PROCESSORS};
        dun_memory_limit memory = dun_limits_memory(&source);
        dun_processor_limit processors = dun_limits_processors(&source);
        if (memory.limit != rows[i].limit || memory.free != rows[i].free ||
            strcmp(memory.by, rows[i].by) != 0)
            fail_msg("%s: %llu of %llu bytes by %s", rows[i].name, (unsigned long long)memory.free,
                     (unsigned long long)memory.limit, memory.by);
        const char *by = rows[i].processors_by ? rows[i].processors_by : "the machine";
        if (processors.n != rows[i].processors || processors.all != PROCESSORS ||
            strcmp(processors.by, by) != 0)
            fail_msg("%s: %u of %u processors by %s", rows[i].name, processors.n, processors.all,
                     processors.by);
        snprintf(command, sizeof command, "rm -r '%s'", root.bytes);
        assert_int_equal(system(command), 0);
        dun_str_free(&root);
    }
}

/* Nothing can be read: no limit, and a processor. */
static void test_nothing(void **state) {
    (void)state;
    const dun_limits_source source = {"/dev/null", DUN_UNLIMITED, DUN_UNLIMITED, DUN_UNLIMITED, 0};
    dun_memory_limit memory = dun_limits_memory(&source);
    assert_int_equal(memory.limit, 0);
    assert_int_equal(memory.free, 0);
    assert_true(dun_limits_processors(&source).n >= 1);
}

/* What is said: nothing where nothing bounds. */
static void test_words(void **state) {
    (void)state;
    dun_limits_source source = {"/dev/null", DUN_UNLIMITED, DUN_UNLIMITED, DUN_UNLIMITED, 0};
    dun_str text = {0};
    check_ok(dun_limits_describe(&text, &source));
    assert_int_equal(text.length, 0);
    source.resident = 2000000000;
    check_ok(dun_limits_describe(&text, &source));
    assert_string_equal(text.bytes, "2000 MB free of a limit of 2000 MB (ulimit -m)");
    dun_str_free(&text);
}

static void test_here(void **state) {
    (void)state;
    const dun_limits_source source = dun_limits_of_process();
    dun_memory_limit memory = dun_limits_memory(&source);
    dun_processor_limit processors = dun_limits_processors(&source);
    assert_true(memory.limit > 0 && memory.free > 0 && memory.free <= memory.limit);
    assert_true(processors.n >= 1 && processors.n <= processors.all);
}

/* Of the thread that waited longest; nothing where nothing, or something else, is said. */
static void test_starved(void **state) {
    (void)state;
    static const struct {
        const char *threads[3];
        double seconds;
    } threads[] = {
        {{"4000000000 2500000000 17\n", "9 500000000 3\n", "0 0 0\n"}, 2.5},
        {{"1 2 3\n", "7000000000 90000000000 1\n", NULL}, 90},
        {{"", "no numbers\n", "7\n"}, 0},
        {{NULL, NULL, NULL}, 0},
    };
    static const struct {
        double spent, starved, limit;
        bool late;
    } times[] = {
        {119, 0, 120, false},   {121, 0, 120, true},     {121, 2, 120, false},
        {800, 700, 120, false}, {1201, 1190, 120, true}, {21, 0.5, 20, true},
    };
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        dun_str root = {0};
        char command[600], path[32];
        check_ok(dun_dir_temporary(&root, "starved"));
        for (size_t t = 0; t < 3 && threads[i].threads[t]; t++) {
            snprintf(path, sizeof path, "/%zu/schedstat", 100 + t);
            put(root.bytes, path, threads[i].threads[t]);
        }
        const double seconds = dun_starved_threads(root.bytes);
        snprintf(command, sizeof command, "rm -r '%s'", root.bytes);
        assert_int_equal(system(command), 0);
        if (seconds < threads[i].seconds - 1e-6 || seconds > threads[i].seconds + 1e-6)
            fail_msg("row %zu: %g s", i, seconds);
        dun_str_free(&root);
    }
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        if (dun_starved_is_late(times[i].spent, times[i].starved, times[i].limit) != times[i].late)
            fail_msg("row %zu: not as late", i);
    assert_true(dun_starved(getpid()) >= 0 && dun_starved_threads("/dev/null") == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_systems), cmocka_unit_test(test_nothing),
                                       cmocka_unit_test(test_words), cmocka_unit_test(test_here),
                                       cmocka_unit_test(test_starved)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
