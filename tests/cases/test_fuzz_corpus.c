/* Every file of tests/fuzz/corpus through its fuzz target, without libFuzzer: what a fuzzer found once stays
 * found. A broken promise ends the process; here blocks left over are seen besides. */
#include "base/mem.h"
#include "targets.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    const char *name;
    void (*run)(const uint8_t *bytes, size_t length);
} target;

#define X(name) {#name, fuzz_##name},
static const target targets[] = {FUZZ_TARGETS(X)};
#undef X
enum { N_TARGETS = sizeof targets / sizeof *targets };

/* A copy of the file's exact size, so that reading past it shows. */
static uint8_t *read_file(size_t *length, const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        fail_msg("%s cannot be read", path);
    long end = ftell(file);
    assert_true(end >= 0);
    rewind(file);
    *length = (size_t)end;
    uint8_t *bytes = malloc(*length ? *length : 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *length, file), *length);
    fclose(file);
    return bytes;
}

/* Twice: a target may keep something from its first input on, but nothing more after the second. */
static void run_file(const target *t, const char *path) {
    size_t length;
    uint8_t *bytes = read_file(&length, path);
    t->run(bytes, length);
    size_t live = dun_mem_live();
    t->run(bytes, length);
    if (dun_mem_live() != live)
        fail_msg("%s: %zu blocks before, %zu after", path, live, dun_mem_live());
    free(bytes);
}

static void test_target(void **state) {
    const target *t = *state;
    char path[1024];
    size_t n = 0;
    snprintf(path, sizeof path, SOURCE_DIR "/tests/fuzz/corpus/%s", t->name);
    DIR *folder = opendir(path);
    if (!folder)
        fail_msg("%s: there is no such folder", path);
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, SOURCE_DIR "/tests/fuzz/corpus/%s/%s", t->name, entry->d_name);
        run_file(t, path);
        n++;
    }
    closedir(folder);
    if (n < 3)
        fail_msg("%s: %zu files", t->name, n);
    t->run((const uint8_t *)"", 0);
}

int main(void) {
    struct CMUnitTest tests[N_TARGETS];
    for (size_t i = 0; i < N_TARGETS; i++)
        tests[i] = (struct CMUnitTest){targets[i].name, test_target, NULL, NULL,
                                       (void *)(uintptr_t)(const void *)&targets[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
