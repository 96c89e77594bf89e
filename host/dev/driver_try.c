/* Tries a driver in a child once after every change, and remembers that it passed. */
#include "dev/driver_try.h"

#include "base/cache.h"
#include "base/hash.h"
#include "base/interrupt.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/process.h"
#include "dev/buffer.h"
#include "dev/driver.h"
#include "dev/icd_files.h"
#include "dev/opencl.h"
#include "dev/program.h"
#include "dev/quirks.h"

#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

enum { FORMAT = 1, LIMIT_SECONDS = 120, NUMBER_BITS = 20, ITEMS = 16 };

static const char kernel_text[] = "__kernel void try(__global float *out) {\n"
                                  "    const int i = (int)get_global_id(0);\n"
                                  "    out[i] = (float)(i + NUMBER);\n"
                                  "}\n";

/* Who tries instead of dunlin, and whether this process is such a trial itself. */
static struct {
    atomic_bool set, told, is_trial;
    char path[PATH_MAX];
} other;

void dun_driver_try_with(const char *program) {
    if (!other.set)
        snprintf(other.path, sizeof other.path, "%s", program);
    other.set = true;
}

bool dun_driver_find_program(dun_str *out) {
    if (!other.set)
        return dun_process_dunlin(out);
    if (*other.path)
        return dun_str_addf(out, "%s", other.path) == DUN_OK;
    if (!atomic_exchange(&other.told, true))
        dun_warn(
            "the program dunlin-probe is not installed beside the library: drivers are not tried before they "
            "compile in this process");
    return false;
}

void dun_driver_trial_here(void) {
    other.is_trial = true;
}

int dun_driver_try_here(const char *selector, unsigned number) {
    int rc = DUN_OK;
    char defines[32];
    dun_device *device = NULL;
    dun_program *program = NULL;
    dun_kernel *kernel = NULL;
    dun_buffer out = {0};
    float values[ITEMS] = {0};
    snprintf(defines, sizeof defines, "-DNUMBER=%u", number);
    TRY(dun_device_open(&device, selector));
    TRY(dun_program_build_text(&program, device, kernel_text, defines));
    TRY(dun_kernel_create(&kernel, program, "try"));
    TRY(dun_buffer_create(&out, device, sizeof values, "a small kernel's result"));
    TRY(DUN_LAUNCH(kernel, ((dun_range){{1, 1}, ITEMS}), DUN_BUF(out)));
    TRY(dun_buffer_read(values, &out, 0, sizeof values));
    for (unsigned i = 0; i < ITEMS; i++)
        if (values[i] != (float)(i + number))
            TRY(dun_error(DUN_BAD_DEVICE, "a small kernel gives %g, not %u", (double)values[i], i + number));
out:
    dun_buffer_free(&out);
    dun_kernel_free(kernel);
    dun_program_free(program);
    dun_device_close(device);
    return rc;
}

/* Variables that drivers and what they call look at. */
static bool is_drivers(const char *variable) {
    static const char *const begins[] = {"POCL_",  "OCL_", "OPENCL_",  "CL_",     "LD_",
                                         "DPCPP_", "LP_",  "RUSTICL_", "MESA_",   "CUDA_",
                                         "ROCR_",  "HSA_", "GPU_",     "ONEAPI_", "NEO"};
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
        if (strncmp(variable, begins[i], strlen(begins[i])) == 0)
            return true;
    return false;
}

static int add_file(dun_str *key, const char *what, const char *path) {
    struct stat info;
    if (stat(path, &info) != 0)
        return dun_str_addf(key, "%s %s: none\n", what, path);
    return dun_str_addf(key, "%s %s: %lld bytes of %lld.%09ld\n", what, path, (long long)info.st_size,
                        (long long)info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
}

static int add_linker(dun_str *key) {
    int rc = DUN_OK;
    dun_str path = {0};
    TRY(add_file(key, "linker", dun_process_find(&path, "ld") ? path.bytes : ""));
out:
    dun_str_free(&path);
    return rc;
}

/* Libraries without a folder are found by the system: its list changes with every package that brings some.
 */
static int add_icds(dun_str *key) {
    int rc = DUN_OK;
    dun_icd_files icds = {0};
    TRY(dun_icd_files_find(&icds));
    for (size_t i = 0; i < icds.n; i++) {
        TRY(add_file(key, "driver", icds.files[i].path));
        if (icds.files[i].line && icds.files[i].line[0] == '/')
            TRY(add_file(key, "library", icds.files[i].line));
    }
    TRY(add_file(key, "libraries", "/etc/ld.so.cache"));
out:
    dun_icd_files_free(&icds);
    return rc;
}

int dun_driver_key(dun_str *out, const dun_device_info *info, const char *does) {
    int rc = DUN_OK;
    uint64_t variables = 0; /* a sum: their order means nothing */
    for (char **variable = environ; *variable; variable++)
        if (is_drivers(*variable))
            variables += dun_hash(DUN_HASH_START, *variable, strlen(*variable));
    TRY(dun_str_addf(out, "%s, driver %s: %s\nplatform %s, %s\nversion %s\ndunlin %s, test %d\n", info->name,
                     info->driver, does, info->platform, info->platform_version, info->version, DUN_VERSION,
                     FORMAT));
    TRY(dun_str_addf(out, "user %lu\nkept in %s\nvariables %016llx\n", (unsigned long)geteuid(),
                     dun_driver_cache_place(), (unsigned long long)variables));
    TRY(add_linker(out));
    TRY(add_icds(out));
out:
    return rc;
}

/* Of processes that begin at once, one tries: drivers have crashed that build the same in two. -1: there is
 * no cache to lock. */
int dun_driver_lock(void) {
    dun_str path = {0};
    int file = -1;
    if (dun_cache_folder(&path) && dun_dir_make(path.bytes) == DUN_OK &&
        dun_str_addf(&path, "/.driver-lock") == DUN_OK)
        file = open(path.bytes, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file >= 0)
        (void)flock(file, LOCK_EX);
    dun_error_clear();
    dun_str_free(&path);
    return file;
}

static bool is_known(const dun_str *key) {
    dun_cached cached;
    bool known = dun_cache_find(&cached, DUN_CACHE_DRIVERS, key);
    dun_cached_close(&cached);
    return known;
}

/* The last lines of what it printed, each moved to the right. */
static int add_output(dun_str *out, const dun_str *printed) {
    enum { SHOWN = 1500 };
    int rc = DUN_OK;
    const char *at = printed->length > SHOWN ? printed->bytes + printed->length - SHOWN : printed->bytes;
    TRY(dun_str_addf(out, printed->length ? "), which printed\n" : "), without a word\n"));
    for (; at && *at; at += at[strcspn(at, "\n")] ? strcspn(at, "\n") + 1 : strcspn(at, "\n"))
        TRY(dun_str_addf(out, "    %.*s\n", (int)strcspn(at, "\n"), at));
out:
    return rc;
}

/* What there is to look at, for the driver that ends processes. */
static int add_hints(dun_str *out, const dun_device_info *info) {
    int rc = DUN_OK;
    dun_str linker = {0};
    const char *path = getenv("PATH");
    char tight[160];
    const dun_limits_source here = dun_limits_of_process();
    dun_limits_tell_address_space(tight, sizeof tight, &here);
    if (*tight)
        TRY(dun_str_addf(out, "%s.\n", tight + 2));
    if (!dun_quirk_of(info, DUN_QUIRK_CACHES_ITSELF))
        goto out;
    if (!dun_process_find(&linker, "ld"))
        TRY(dun_str_addf(
            out, "It needs a linker: PATH (%.300s) has no program ld; install binutils, or set PATH.\n",
            !path   ? "not set"
            : *path ? path
                    : "empty"));
    TRY(dun_str_addf(out, "It keeps what it compiled in %s", dun_driver_cache_place()));
    TRY(dun_str_addf(out, "; delete that folder when what it holds may be damaged. "));
out:
    dun_str_free(&linker);
    return rc;
}

static int refuse(dun_device *device, const dun_process_end *end, const dun_str *printed) {
    int rc = DUN_OK;
    dun_str text = {0};
    TRY(dun_str_addf(
        &text, "%s, driver %s (%s), cannot build kernels: a small one was tried in a process of its own (",
        device->info.name, device->info.driver, device->info.platform));
    TRY(dun_process_describe(&text, end, LIMIT_SECONDS));
    TRY(add_output(&text, printed));
    TRY(add_hints(&text, &device->info));
    TRY(dun_str_addf(&text, "docs/devices.md tells more"));
    device->refused = dun_strdup(text.bytes);
    TRY(dun_error(DUN_BAD_DEVICE, "%s", text.bytes));
out:
    dun_str_free(&text);
    return rc;
}

/* One that knows no such command, and says that. */
static bool is_older(const dun_process_end *end, const dun_str *printed) {
    return end->status == dun_exit_code(DUN_USAGE) && printed->bytes &&
           strstr(printed->bytes, "unknown command");
}

static int try_child(dun_device *device, const char *program, const dun_str *key) {
    int rc = DUN_OK;
    char selector[32], number[16];
    const char *vendors = dun_driver_vendors();
    const char *argv[] = {program, "try-driver", selector, number, *vendors ? vendors : NULL, NULL};
    char problem[256];
    dun_process_end end;
    dun_str printed = {0};
    snprintf(selector, sizeof selector, "%u:%u", device->info.platform_index, device->info.device_index);
    snprintf(number, sizeof number, "%llu",
             (unsigned long long)dun_hash(DUN_HASH_START, key->bytes, key->length) % (1 << NUMBER_BITS));
    TRY(dun_process_run(&end, &printed, argv, DUN_STDERR_WITH_STDOUT, LIMIT_SECONDS));
    if (dun_interrupted())
        TRY(dun_error(DUN_INTERRUPTED, "interrupted"));
    if (is_older(&end, &printed)) {
        dun_warn("%s is an older dunlin, which tries no drivers: this one compiles here untried", program);
        goto out;
    }
    if (end.status != 0)
        TRY(refuse(device, &end, &printed));
    (void)dun_cache_keep(problem, sizeof problem, DUN_CACHE_DRIVERS, key, "", 0);
    dun_driver_note_passed(dun_hash(DUN_HASH_START, key->bytes, key->length));
out:
    dun_str_free(&printed);
    return rc;
}

int dun_driver_try(dun_device *device) {
    int rc = DUN_OK, locked = -1;
    dun_str key = {0}, program = {0};
    if (other.is_trial)
        goto out;
    if (device->refused)
        TRY(dun_error(DUN_BAD_DEVICE, "%s", device->refused));
    if (dun_quirk_of(&device->info, DUN_QUIRK_CACHES_ITSELF) && (rc = dun_driver_cache_require()) < 0) {
        device->refused = dun_strdup(dun_error_message());
        goto out;
    }
    if (!dun_driver_find_program(&program))
        goto out;
    TRY(dun_driver_key(&key, &device->info, "builds kernels"));
    if (dun_driver_has_passed(dun_hash(DUN_HASH_START, key.bytes, key.length)) || is_known(&key))
        goto out;
    locked = dun_driver_lock();
    if (!is_known(&key)) /* nor meanwhile */
        TRY(try_child(device, program.bytes, &key));
out:
    if (locked >= 0)
        close(locked);
    dun_str_free(&program);
    dun_str_free(&key);
    return rc;
}
