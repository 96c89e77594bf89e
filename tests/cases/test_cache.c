/* What is kept between runs: an entry comes back as it was kept, whatever several processes do at once; a
 * file that is damaged, cut or another's is ignored; and compiled kernels from it compute the same. */
#include "base/cache.h"

#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "check/check_topics.h"
#include "device_check.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define KIND DUN_CACHE_CHECKS

static char folder[256];

static bool keep(const char *key, const void *bytes, size_t length) {
    char problem[256];
    dun_str text = {0};
    check_ok(dun_str_addf(&text, "%s", key));
    bool kept = dun_cache_keep(problem, sizeof problem, KIND, &text, bytes, length);
    dun_str_free(&text);
    return kept;
}

static bool find(dun_cached *cached, const char *key) {
    dun_str text = {0};
    check_ok(dun_str_addf(&text, "%s", key));
    bool found = dun_cache_find(cached, KIND, &text);
    dun_str_free(&text);
    return found;
}

/* The entry of a key holds these bytes. */
static void expect(const char *key, const void *bytes, size_t length) {
    dun_cached cached;
    assert_true(find(&cached, key));
    assert_int_equal(cached.length, length);
    assert_memory_equal(cached.bytes, bytes, length);
    dun_cached_close(&cached);
}

/* The key's entry is not there; `problem`: what is said about its file. */
static void expect_none(const char *key, const char *problem) {
    dun_cached cached;
    assert_false(find(&cached, key));
    assert_null(cached.bytes);
    if (!strstr(cached.problem, problem) || (!*problem && *cached.problem))
        fail_msg("problem: %s\nexpected: %s", cached.problem, problem);
}

static int note_path(void *self, const dun_cache_entry *entry) {
    snprintf(self, 512, "%s", entry->path);
    return DUN_OK;
}

static int remove_file(void *self, const dun_cache_entry *entry) {
    ++*(int *)self;
    return remove(entry->path) == 0 ? DUN_OK : dun_error(DUN_FAILED, "%s", entry->path);
}

static int clear(void) {
    int n = 0;
    check_ok(dun_cache_each(remove_file, &n));
    return n;
}

/* Puts byte `value` at `at` of the one file there is, or cuts the file to `at` when value is -1. */
static void spoil(size_t at, int value) {
    char path[512] = "";
    check_ok(dun_cache_each(note_path, path));
    if (value < 0) {
        assert_int_equal(truncate(path, (off_t)at), 0);
        return;
    }
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, (long)at, SEEK_SET), 0);
    assert_int_equal(fputc(value, file), value);
    assert_int_equal(fclose(file), 0);
}

static void test_keep(void **state) {
    static const char binary[] = {0, 1, 0, -1, 'x', 0};
    (void)state;
    expect_none("a", "");
    assert_true(keep("a", binary, sizeof binary));
    assert_true(keep("b", "", 0));
    expect("a", binary, sizeof binary);
    expect("b", "", 0);
    expect_none("c", "");
    assert_true(keep("a", "new", 3));
    expect("a", "new", 3);
    assert_int_equal(clear(), 2);
    expect_none("a", "");
}

static void test_damage(void **state) {
    struct stat info;
    char path[512] = "";
    (void)state;
    assert_true(keep("key", "0123456789", 10));
    check_ok(dun_cache_each(note_path, path));
    assert_int_equal(stat(path, &info), 0);
    for (size_t i = 0; i < (size_t)info.st_size; i++) { /* any byte, any end */
        assert_true(keep("key", "0123456789", 10));
        spoil(i, 0xA5);
        expect_none("key", "it");
        assert_true(keep("key", "0123456789", 10));
        spoil(i, -1);
        expect_none("key", i ? "it" : "cut");
    }
    assert_true(keep("key", "0123456789", 10));
    expect("key", "0123456789", 10);
    assert_true(keep("other", "9876543210", 10));
    char other[512] = ""; /* the last in the order of names: the one of the two that it is not */
    check_ok(dun_cache_each(note_path, other));
    if (strcmp(path, other) == 0) {
        assert_int_equal(remove(path), 0);
        check_ok(dun_cache_each(note_path, other));
        assert_int_equal(rename(other, path), 0);
    } else {
        assert_int_equal(rename(other, path), 0);
    }
    expect_none("key", "something else");
    assert_int_equal(remove(path), 0);
    assert_int_equal(mkdir(path, 0777), 0);
    expect_none("key", "cannot be read");
    assert_false(keep("key", "x", 1));
    assert_int_equal(rmdir(path), 0);
    clear();
}

/* Where nothing can be kept: a file where the folder should be, no cache at all. */
static void test_no_folder(void **state) {
    char path[300];
    (void)state;
    snprintf(path, sizeof path, "%s/file", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    setenv("DUNLIN_CACHE", path, 1);
    assert_false(keep("key", "x", 1));
    expect_none("key", "");
    assert_int_equal(clear(), 0);
    setenv("DUNLIN_CACHE", "off", 1);
    assert_false(keep("key", "x", 1));
    expect_none("key", "");
    assert_int_equal(clear(), 0);
    setenv("DUNLIN_CACHE", folder, 1);
    remove(path);
}

static void test_places(void **state) {
    static const struct {
        const char *own, *xdg, *home, *folder;
    } places[] = {
        {"/x/y", "/xdg", "/home/a", "/x/y"},          {"off", "/xdg", "/home/a", NULL},
        {"", "/xdg", "/home/a", "/xdg/dunlin"},       {"", "relative", "/home/a", "/home/a/.cache/dunlin"},
        {"", "", "/home/a", "/home/a/.cache/dunlin"}, {"", "", "", NULL},
    };
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        dun_str text = {0};
        setenv("DUNLIN_CACHE", places[i].own, 1);
        setenv("XDG_CACHE_HOME", places[i].xdg, 1);
        setenv("HOME", places[i].home, 1);
        assert_true(dun_cache_folder(&text) == (places[i].folder != NULL));
        if (places[i].folder)
            assert_string_equal(text.bytes, places[i].folder);
        dun_str_free(&text);
    }
    setenv("DUNLIN_CACHE", folder, 1);
    setenv("XDG_CACHE_HOME", xdg ? xdg : "", 1);
    setenv("HOME", home ? home : "", 1);
}

enum { ROUNDS = 300 };

/* Keeps entries of one key, each of one letter again and again, and looks at what is there. */
static int write_and_read(unsigned seed) {
    static char bytes[50000];
    for (unsigned i = 0; i < ROUNDS; i++) {
        size_t length = 1 + (seed * 7919 + i * 104729) % (sizeof bytes - 1);
        memset(bytes, 'a' + (int)((seed + i) % 26), length);
        if (!keep("shared", bytes, length))
            return 1;
        dun_cached cached;
        if (!find(&cached, "shared")) /* once made, a whole entry is always there */
            return 2;
        for (size_t k = 1; k < cached.length; k++)
            if (cached.bytes[k] != cached.bytes[0])
                return 3;
        dun_cached_close(&cached);
    }
    return 0;
}

static void test_processes(void **state) {
    enum { N = 3 };
    pid_t child[N];
    int status, n = 0;
    (void)state;
    for (unsigned i = 0; i < N; i++) {
        child[i] = fork();
        assert_true(child[i] >= 0);
        if (child[i] == 0)
            _exit(write_and_read(i));
    }
    for (unsigned i = 0; i < N; i++) {
        assert_int_equal(waitpid(child[i], &status, 0), child[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    n = clear();
    assert_int_equal(n, 1); /* no temp file stays */
}

/* The norms' kernels beside the plainest products: two programs, of which so many had to be compiled. */
enum { N_PROGRAMS = 2 };
static void use_programs(dun_device *device, size_t n_compiled) {
    dun_compute compute;
    dun_check c;
    check_ok(dun_compute_create(&compute, device, 64, "naive"));
    dun_check_init(&c, &compute);
    dun_check_run(&c, &dun_check_norm, true);
    if (c.n_failed)
        fail_msg("%s", c.message);
    dun_programs_count count = dun_programs_counted(compute.programs);
    assert_int_equal(count.n_compiled, n_compiled);
    assert_int_equal(count.n_compiled + count.n_cached, N_PROGRAMS);
    dun_compute_free(&compute);
}

static void test_program(void **state) {
    dun_device *device = check_open_device();
    char path[512] = "";
    struct stat info;
    (void)state;
    use_programs(device, N_PROGRAMS);
    use_programs(device, 0);
    check_ok(dun_cache_each(note_path, path));
    assert_int_equal(stat(path, &info), 0);
    spoil((size_t)info.st_size - 1, 0x5A);
    use_programs(device, 1); /* and keeps it anew */
    use_programs(device, 0);
    spoil(100, -1);
    use_programs(device, 1);
    setenv("DUNLIN_CACHE", "off", 1);
    use_programs(device, N_PROGRAMS);
    use_programs(device, N_PROGRAMS);
    setenv("DUNLIN_CACHE", folder, 1);
    use_programs(device, 0);
    assert_int_equal(clear(), N_PROGRAMS);
    dun_device_close(device);
}

/* A whole and fitting file whose program the driver refuses. */
static void test_refused(void **state) {
    dun_device *device = check_open_device();
    char path[512] = "", problem[256];
    dun_cached cached = {0};
    dun_str key = {0};
    (void)state;
    use_programs(device, N_PROGRAMS);
    check_ok(dun_cache_each(note_path, path));
    check_ok(dun_file_map(&cached.file, path));
    uint64_t length;
    memcpy(&length, cached.file.bytes + 8, sizeof length);
    check_ok(dun_str_add(&key, (const char *)cached.file.bytes + 32, (size_t)length));
    dun_cached_close(&cached);
    assert_true(dun_cache_keep(problem, sizeof problem, DUN_CACHE_PROGRAMS, &key, "nonsense", 8));
    const char *platform = dun_device_describe(device)->platform;
    bool reads = strcmp(platform, "Portable Computing Language") != 0; /* which reads none of it */
    use_programs(device, reads);
    use_programs(device, 0);
    dun_str_free(&key);
    clear();
    dun_device_close(device);
}

/* Every failure on the way, with an empty cache and with a full one: the kernels are there all the same, or
 * the build itself failed and says so. */
static void test_faults(void **state) {
    dun_device *device = check_open_device();
    char kernels[300];
    static const char small[] = "__kernel void other(__global int *x) { *x = 1; }\n#pragma topic one\n"
                                "__kernel void one(__global int *x) { *x = 1; }\n"; /* quick to compile */
    static const dun_topic topic = {"one", DUN_CUT_ROWS};
    const dun_tiles tiles = check_tiles_as(device, DUN_DEVICE_CPU, 4, 64);
    (void)state;
    snprintf(kernels, sizeof kernels, "%s/small.cl", folder);
    check_ok(dun_file_write(kernels, small, sizeof small - 1));
    setenv("DUNLIN_KERNELS", kernels, 1);
    for (int full = 0; full < 2; full++)
        for (unsigned long n = 1;; n++) {
            dun_program *program;
            dun_programs *programs;
            size_t blocks = dun_mem_live(), objects = dun_device_live_objects();
            if (!full)
                clear();
            dun_error_clear();
            dun_fault_set(n);
            int rc = dun_programs_create(&programs, device, NULL, &tiles);
            if (rc == DUN_OK)
                rc = dun_programs_topic(&program, programs, &topic);
            unsigned long operations = dun_fault_count();
            dun_fault_set(0);
            if (rc < 0 && !*dun_error_message())
                fail_msg("operation %lu fails without a message", n);
            dun_programs_free(programs);
            assert_int_equal(dun_mem_live(), blocks);
            assert_int_equal(dun_device_live_objects(), objects);
            if (rc == DUN_OK && operations < n) {
                assert_true(n > 5);
                break;
            }
        }
    unsetenv("DUNLIN_KERNELS");
    remove(kernels);
    clear();
    dun_device_close(device);
}

/* Whether PoCL's folder holds anything is looked at once a process: another one puts something there before.
 */
static int fill_driver(void) {
    const char *selector = getenv("DUNLIN_TEST_DEVICE");
    dun_device *device;
    dun_compute compute;
    int status = -1;
    pid_t child = fork();
    if (child == 0)
        _exit(dun_device_open(&device, selector ? selector : "cpu") < 0 ||
              dun_compute_create(&compute, device, 64, "naive") < 0);
    return child > 0 && waitpid(child, &status, 0) == child ? status : -1;
}

static int begin(void **state) {
    const char *parent = getenv("TMPDIR");
    (void)state;
    snprintf(folder, sizeof folder, "%s/dunlin-cache-XXXXXX", parent && *parent ? parent : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    return setenv("DUNLIN_CACHE", folder, 1) == 0 && fill_driver() == 0 && clear() > 0 ? 0 : -1;
}

static int end(void **state) {
    static const char *const kinds[] = {DUN_CACHE_PROGRAMS, DUN_CACHE_CHECKS};
    char path[300];
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, kinds[i]);
        rmdir(path);
    }
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(dun_device_live_objects(), 0);
    assert_int_equal(dun_mem_live(), 0);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keep),    cmocka_unit_test(test_damage),    cmocka_unit_test(test_no_folder),
        cmocka_unit_test(test_places),  cmocka_unit_test(test_processes), cmocka_unit_test(test_program),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
