/* What stands between a driver and the process: the program that tries it, for those that use these rooms as
 * well, and the look at PoCL's folder. */
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/process.h"
#include "dev/driver_cache.h"
#include "dev/driver_try.h"
#include "device_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[4096]; /* a new one for the whole test */

static int make_folder(void **state) {
    dun_str path = {0};
    (void)state;
    if (dun_dir_temporary(&path, "test") < 0 || path.length >= sizeof folder)
        return -1;
    strcpy(folder, path.bytes);
    dun_str_free(&path);
    return 0;
}

static int remove_folder(void **state) {
    const char *argv[] = {"/bin/rm", "-rf", folder, NULL};
    dun_process_end end;
    dun_str output = {0};
    (void)state;
    int rc = dun_process_run(&end, &output, argv, DUN_STDERR_HERE, 60);
    dun_str_free(&output);
    return rc;
}

/* Below the folder, its own folders made. */
static void put(const char *name, const void *bytes, size_t length, mode_t mode) {
    dun_str path = {0};
    check_ok(dun_str_addf(&path, "%s/%s", folder, name));
    *strrchr(path.bytes, '/') = '\0';
    check_ok(dun_dir_make(path.bytes));
    path.bytes[strlen(path.bytes)] = '/';
    check_ok(dun_file_write(path.bytes, bytes, length));
    assert_int_equal(chmod(path.bytes, mode), 0);
    dun_str_free(&path);
}

static void put_script(const char *name, const char *text) {
    put(name, text, strlen(text), 0755);
}

/* Which program is found: DUNLIN_PROGRAM, then beside this one (there is none), then on PATH. */
static void test_find(void **state) {
    static const struct {
        const char *set, *path; /* %: the folder; NULL: not set */
        const char *found;      /* NULL: nothing */
    } cases[] = {
        {"/some/where", NULL, "/some/where"},
        {"/some/where", "%/one", "/some/where"},
        {"", "%/one", "%/one/dunlin"},
        {NULL, "%/one", "%/one/dunlin"},
        {NULL, "/nowhere:%/none:%/two", "%/two/dunlin"},
        {NULL, "%/folder:%/plain:%/two:%/one", "%/two/dunlin"}, /* neither a folder nor what cannot be run */
        {NULL, "%/none", NULL},
        {NULL, "", NULL},
        {NULL, NULL, NULL},
    };
    (void)state;
    const char *kept = getenv("PATH");
    char *path = dun_strdup(kept ? kept : "");
    put_script("one/dunlin", "#!/bin/sh\n");
    put_script("two/dunlin", "#!/bin/sh\n");
    put("plain/dunlin", "", 0, 0644);
    put("folder/dunlin/file", "", 0, 0644);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dun_str found = {0}, wanted = {0}, set = {0};
        for (const char *at = cases[i].path; at && *at; at++)
            check_ok(*at == '%' ? dun_str_addf(&set, "%s", folder) : dun_str_add(&set, at, 1));
        for (const char *at = cases[i].found; at && *at; at++)
            check_ok(*at == '%' ? dun_str_addf(&wanted, "%s", folder) : dun_str_add(&wanted, at, 1));
        assert_int_equal(
            cases[i].set ? setenv("DUNLIN_PROGRAM", cases[i].set, 1) : unsetenv("DUNLIN_PROGRAM"), 0);
        assert_int_equal(cases[i].path ? setenv("PATH", set.length ? set.bytes : "", 1) : unsetenv("PATH"),
                         0);
        bool is_found = dun_process_dunlin(&found);
        if (is_found != (cases[i].found != NULL) || (is_found && strcmp(found.bytes, wanted.bytes) != 0))
            fail_msg("row %zu: %s", i, is_found ? found.bytes : "nothing is found");
        dun_str_free(&found);
        dun_str_free(&wanted);
        dun_str_free(&set);
    }
    unsetenv("DUNLIN_PROGRAM");
    setenv("PATH", path, 1);
    dun_free(path);
}

/* As a program called dunlin whose file is deleted while it runs: it can be started all the same. */
static int tell_deleted(const char *program) {
    dun_str path = {0};
    const bool found = unlink(program) == 0 && dun_process_dunlin(&path);
    printf("%s", found ? path.bytes : "");
    dun_str_free(&path);
    return 0;
}

static void test_deleted(void **state) {
    (void)state;
    dun_str self = {0}, copy = {0}, output = {0};
    dun_process_end end;
    check_ok(dun_process_self(&self));
    check_ok(dun_str_addf(&copy, "%s/own/dunlin", folder));
    put_script("own/dunlin", "");
    const char *copies[] = {"/bin/cp", self.bytes, copy.bytes, NULL};
    const char *argv[] = {copy.bytes, "deleted", NULL};
    check_ok(dun_process_run(&end, &output, copies, DUN_STDERR_HERE, 60));
    assert_int_equal(end.status, 0);
    check_ok(dun_process_run(&end, &output, argv, DUN_STDERR_HERE, 60));
    assert_string_equal(output.bytes ? output.bytes : "", "/proc/self/exe");
    dun_str_free(&self);
    dun_str_free(&copy);
    dun_str_free(&output);
}

/* What comes of a device by what the program does, and that nothing is tried without one. */
static void test_try(void **state) {
    static const struct {
        const char *script; /* NULL: no such program */
        int rc;
        const char *said;
    } cases[] = {
        {"echo 'dunlin: unknown command \"try-driver\"' >&2; exit 2", DUN_OK, NULL}, /* an older one */
        {"exit 2", DUN_BAD_DEVICE, "(exit code 2), without a word\n"},
        {"echo out; echo err >&2; exit 4", DUN_BAD_DEVICE,
         "(exit code 4), which printed\n    out\n    err\n"},
        {"exit 1", DUN_BAD_DEVICE, "(exit code 1), without a word\n"},
        {"kill -ABRT $$", DUN_BAD_DEVICE, "(killed by signal 6), without a word\n"},
        {"i=0; while [ $i -lt 4000 ]; do echo line $i; i=$((i + 1)); done; exit 1", DUN_BAD_DEVICE,
         "    line 3999\n"},
        {NULL, DUN_FAILED, "/no/such/program: cannot be started"},
        /* Where the loader found drivers when it read it. From here on it has passed. */
        {"test \"$1\" = try-driver -a \"$4\" = \"$VENDORS\" -a -z \"$OCL_ICD_VENDORS\"", DUN_OK, NULL},
    };
    (void)state;
    const char *kept = getenv("DUNLIN_CACHE");
    char *cache = kept ? dun_strdup(kept) : NULL;
    setenv("DUNLIN_CACHE", "off", 1);
    setenv("OCL_ICD_VENDORS", "/etc/OpenCL/vendors", 0);
    setenv("VENDORS", getenv("OCL_ICD_VENDORS"), 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dun_device *device = check_open_device();
        unsetenv("OCL_ICD_VENDORS");
        dun_str path = {0}, script = {0};
        check_ok(dun_str_addf(&path, cases[i].script ? "%s/try/dunlin" : "/no/such/program", folder));
        check_ok(dun_str_addf(&script, "#!/bin/sh\n%s\n", cases[i].script ? cases[i].script : ""));
        if (cases[i].script)
            put_script("try/dunlin", script.bytes);
        setenv("DUNLIN_PROGRAM", path.bytes, 1);
        int rc = dun_driver_try(device);
        if (rc != cases[i].rc || (rc < 0 && !strstr(dun_error_message(), cases[i].said)))
            fail_msg("row %zu: %d, %s", i, rc, dun_error_message());
        if (rc == DUN_BAD_DEVICE) { /* once is enough */
            put_script("try/dunlin", "#!/bin/sh\nexit 0\n");
            dun_error_clear();
            assert_int_equal(dun_driver_try(device), DUN_BAD_DEVICE);
            assert_non_null(strstr(dun_error_message(), cases[i].said));
        }
        dun_str_free(&path);
        dun_str_free(&script);
        dun_device_close(device);
    }
    dun_device *device = check_open_device();
    put_script("try/dunlin", "#!/bin/sh\nexit 1\n");
    check_ok(dun_driver_try(device));
    setenv("OCL_OF_ANOTHER_TRIAL", "1", 1); /* it has not passed with that */
    dun_driver_trial_here();
    check_ok(dun_driver_try(device)); /* but this process is a trial now */
    unsetenv("OCL_OF_ANOTHER_TRIAL");
    dun_device_close(device);
    unsetenv("DUNLIN_PROGRAM");
    assert_int_equal(cache ? setenv("DUNLIN_CACHE", cache, 1) : unsetenv("DUNLIN_CACHE"), 0);
    dun_free(cache);
    assert_int_equal(dun_mem_live(), 0);
}

/* A block of bitcode: its head, how many words follow, those. */
#define BLOCK(id, words) (id) << 2 | 1, (words)
#define MAGIC 0xdec04342u
enum { MODULE = 8, STRTAB = 23 };

static void test_bitcode(void **state) {
    static const struct {
        uint32_t words[12];
        size_t bytes;
        const char *fault; /* NULL: whole */
    } cases[] = {
        {{MAGIC, BLOCK(MODULE, 1), 0, BLOCK(STRTAB, 2), 0, 0}, 32, NULL},
        {{MAGIC, BLOCK(MODULE, 0), BLOCK(STRTAB, 0)}, 20, NULL},
        {{MAGIC, BLOCK(STRTAB, 1), 7, BLOCK(MODULE, 0)}, 24, NULL},
        {{0}, 0, "program.bc is empty; delete "},
        {{MAGIC}, 4, "program.bc is damaged or cut short; delete "},
        {{MAGIC}, 3, "damaged or cut short"},
        {{MAGIC, BLOCK(MODULE, 1), 0}, 16, "damaged or cut short"}, /* it ends before its names */
        {{MAGIC, BLOCK(MODULE, 1), 0, BLOCK(STRTAB, 2), 0, 0}, 31, "damaged or cut short"},
        {{MAGIC, BLOCK(MODULE, 1), 0, BLOCK(STRTAB, 2), 0, 0}, 28, "damaged or cut short"},
        {{MAGIC, BLOCK(MODULE, 1), 0, BLOCK(STRTAB, 2), 0, 0}, 36, "damaged or cut short"},
        {{MAGIC, BLOCK(MODULE, UINT32_MAX), 0, BLOCK(STRTAB, 2), 0, 0}, 32, "damaged or cut short"},
        {{MAGIC + 1, BLOCK(MODULE, 0), BLOCK(STRTAB, 0)}, 20, "damaged or cut short"},
        {{0}, 48, "damaged or cut short"},
    };
    dun_driver_cache found;
    dun_str path = {0};
    (void)state;
    check_ok(dun_str_addf(&path, "%s/pocl", folder));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put("pocl/AB/HASH/program.bc", cases[i].words, cases[i].bytes, 0644);
        put("pocl/tempfile", "", 0, 0644);
        bool sound = dun_driver_cache_is_sound(&found, path.bytes);
        if (sound != !cases[i].fault || (!sound && !strstr(found.fault, cases[i].fault)) ||
            found.n_programs != 1)
            fail_msg("row %zu: %s, %u programs", i, sound ? "sound" : found.fault, found.n_programs);
    }
    dun_str_free(&path);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_find), cmocka_unit_test(test_deleted),
                                       cmocka_unit_test(test_try), cmocka_unit_test(test_bitcode)};
    if (argc == 2 && strcmp(argv[1], "deleted") == 0)
        return tell_deleted(argv[0]);
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
