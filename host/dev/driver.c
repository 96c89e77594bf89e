/* Chooses once, before the first OpenCL call, what drivers find in the environment. */
#include "dev/driver.h"

#include "base/cache.h"
#include "base/err.h"
#include "base/file.h"
#include "base/limits.h"
#include "dev/driver_cache.h"
#include "dev/x86.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How many threads a driver takes, by the variable that it documents. */
static const char *const thread_variables[] = {
    "POCL_MAX_PTHREAD_COUNT", /* PoCL */
    "DPCPP_CPU_NUM_CUS",      /* Intel's CPU runtime */
    "LP_NUM_THREADS",         /* Mesa's llvmpipe */
};

static const char cache_variable[] = "POCL_CACHE_DIR", vendors_variable[] = "OCL_ICD_VENDORS";

/* What PoCL leaves in the environment of its process. */
static const char left_variable[] = "HWLOC_PLUGINS_PATH";

enum { N_THREAD_VARIABLES = sizeof thread_variables / sizeof *thread_variables };

static struct {
    pthread_once_t once;
    atomic_bool told;
    bool usable, filled;
    char place[PATH_MAX];
    char note[2 * PATH_MAX];  /* why another folder than the driver's own is used; or "" */
    char words[2 * PATH_MAX]; /* the last; written before `once` is over */
    atomic_bool dismissed;
    atomic_uint_least64_t passed, variant;
    void (*on_build)(void);
    atomic_bool has_vendors;
    char vendors[PATH_MAX]; /* of the loader */
    pthread_once_t put_back;
    uint32_t most_threads;            /* of a driver; 0: as many as there are processors */
    bool limited[N_THREAD_VARIABLES]; /* the variable was not set before */
    bool had_left;                    /* left_variable was set before */
    bool moved, had_place;            /* so is the folder's; there was one */
    char before[PATH_MAX];            /* that one */
} driver = {.once = PTHREAD_ONCE_INIT, .put_back = PTHREAD_ONCE_INIT};

static void limit_threads(void) {
    const dun_limits_source here = dun_limits_of_process();
    const dun_processor_limit processors = dun_limits_processors(&here);
    uint32_t n = processors.n;
    char text[16];
    if (driver.most_threads && driver.most_threads < n)
        n = driver.most_threads;
    snprintf(text, sizeof text, "%u", n);
    for (size_t i = 0; n < processors.all && i < N_THREAD_VARIABLES; i++)
        driver.limited[i] = !getenv(thread_variables[i]) && setenv(thread_variables[i], text, 0) == 0;
}

void dun_driver_take_threads(uint32_t n) {
    driver.most_threads = n;
}

/* Where PoCL keeps kernels, by its own rules. */
static void find_own(char out[PATH_MAX]) {
    const char *set = getenv(cache_variable), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME"),
               *keeps = getenv("POCL_KERNEL_CACHE");
    const char *folder = keeps && strcmp(keeps, "0") == 0 ? "pocl/uncached" : "pocl/kcache";
    if (set)
        snprintf(out, PATH_MAX, "%s", set);
    else if (xdg && *xdg)
        snprintf(out, PATH_MAX, "%s/%s", xdg, folder);
    else
        snprintf(out, PATH_MAX, "%s%s/%s", home ? home : "/tmp", home ? "/.cache" : "", folder);
}

void dun_driver_move_cache(const char *ending) {
    char own[PATH_MAX], moved[PATH_MAX];
    find_own(own);
    if (snprintf(moved, sizeof moved, "%s%s", own, ending) < (int)sizeof moved)
        (void)setenv(cache_variable, moved, 1);
}

static bool find_below_cache(char out[PATH_MAX]) {
    dun_str folder = {0};
    bool found = dun_cache_folder(&folder) && snprintf(out, PATH_MAX, "%s/pocl", folder.bytes) < PATH_MAX;
    dun_str_free(&folder);
    return found;
}

/* What lies there is code that will be run: nobody else may be able to write it. */
static bool find_temporary(char out[PATH_MAX]) {
    const char *parent = getenv("TMPDIR");
    struct stat info;
    if (snprintf(out, PATH_MAX, "%s/dunlin-%lu", parent && *parent ? parent : "/tmp",
                 (unsigned long)geteuid()) >= PATH_MAX)
        return false;
    (void)mkdir(out, S_IRWXU);
    return lstat(out, &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == geteuid() &&
           (info.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* A folder that can be used, made where it is missing: what may be written need not take a folder, as what
 * /proc shows. */
static bool is_good(dun_driver_cache *found, const char *folder) {
    bool good = dun_driver_cache_is_sound(found, folder);
    if (good && dun_dir_make(folder) < 0) {
        good = false;
        snprintf(found->fault, sizeof found->fault, "%s", dun_error_message());
    }
    dun_error_clear();
    return good;
}

static void stand_in(const char *fault) {
    bool (*const finders[])(char[PATH_MAX]) = {find_below_cache, find_temporary};
    char folder[PATH_MAX], own[PATH_MAX];
    const char *set = getenv(cache_variable);
    dun_driver_cache found;
    driver.had_place = set != NULL;
    snprintf(driver.before, sizeof driver.before, "%s", set ? set : "");
    memcpy(own, driver.place, sizeof own);
    for (size_t i = 0; i < sizeof finders / sizeof *finders && !driver.usable; i++)
        if (finders[i](folder) && is_good(&found, folder) && setenv(cache_variable, folder, 1) == 0) {
            memcpy(driver.place, folder, sizeof folder);
            driver.usable = driver.moved = true;
            driver.filled = found.n_programs > 0;
        }
    snprintf(driver.note, sizeof driver.note,
             "PoCL's folder of compiled kernels, %.1500s, cannot be used: %s; %s%.1500s", own, fault,
             driver.usable
                 ? "meanwhile they are kept in "
                 : "and there is no other: set POCL_CACHE_DIR to a folder that can be written and run from",
             driver.usable ? driver.place : "");
}

static void prepare(void) {
    dun_driver_cache found;
    char tight[160];
    const dun_limits_source here = dun_limits_of_process();
    snprintf(driver.vendors, sizeof driver.vendors, "%s", dun_driver_vendors());
    driver.has_vendors = true;
    limit_threads();
    dun_amx_ask();
    driver.had_left = getenv(left_variable) != NULL;
    find_own(driver.place);
    driver.usable = is_good(&found, driver.place);
    driver.filled = driver.usable && found.n_programs > 0;
    if (!driver.usable)
        stand_in(found.fault);
    dun_limits_tell_address_space(tight, sizeof tight, &here);
    snprintf(
        driver.words, sizeof driver.words,
        "If that was PoCL, it keeps what it compiled in\n    %.3000s\n"
        "What is damaged there ends the process: delete that folder and try again. docs/devices.md tells more.\n"
        "%s%s",
        driver.place, *tight ? tight + 2 : "", *tight ? ".\n" : "");
}

void dun_driver_prepare(void) {
    (void)pthread_once(&driver.once, prepare);
}

static void put_back(void) {
    if (!driver.had_left)
        (void)unsetenv(left_variable);
    for (size_t i = 0; i < N_THREAD_VARIABLES; i++)
        if (driver.limited[i])
            (void)unsetenv(thread_variables[i]);
    if (driver.moved && driver.had_place)
        (void)setenv(cache_variable, driver.before, 1);
    else if (driver.moved)
        (void)unsetenv(cache_variable);
}

void dun_driver_prepared(void) {
    (void)pthread_once(&driver.put_back, put_back);
}

const char *dun_driver_vendors(void) {
    const char *set = driver.has_vendors ? driver.vendors : getenv(vendors_variable);
    return set ? set : "";
}

void dun_driver_tell_cache(void) {
    if (driver.note[0] && driver.usable && !atomic_exchange(&driver.told, true))
        dun_warn("%s", driver.note);
}

const char *dun_driver_cache_place(void) {
    return driver.place;
}

int dun_driver_cache_require(void) {
    return driver.usable ? DUN_OK : dun_error(DUN_BAD_DEVICE, "%s", driver.note);
}

bool dun_driver_cache_filled(void) {
    return driver.filled;
}

void dun_driver_note_passed(uint64_t key) {
    driver.passed = key;
}

bool dun_driver_has_passed(uint64_t key) {
    return driver.passed == key;
}

void dun_driver_note_variant(uint64_t key, bool works) {
    driver.variant = (key & ~(uint64_t)1) | works;
}

bool dun_driver_knows_variant(bool *works, uint64_t key) {
    const uint64_t known = driver.variant;
    *works = known & 1;
    return (known ^ key) >> 1 == 0;
}

void dun_driver_on_work(void (*hear)(void)) {
    driver.on_build = hear;
}

void dun_driver_worked(void) {
    if (driver.on_build)
        driver.on_build();
}

const char *dun_driver_last_words(void) {
    return driver.dismissed ? "" : driver.words;
}

void dun_driver_dismiss(void) {
    driver.dismissed = true;
}
