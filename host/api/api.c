/* Beginning and end of a call, errors, the log, and the process that called first. */
#define _GNU_SOURCE /* dladdr */
#include "api/api.h"

#include "dev/driver_try.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct {
    pthread_mutex_t lock; /* of the log */
    dunlin_log_fn *log;
    void *user;
    atomic_long process; /* that used devices first; 0: none has */
} api = {.lock = PTHREAD_MUTEX_INITIALIZER};

int dunlin_version(void) {
    return DUNLIN_VERSION;
}

const char *dunlin_error(void) {
    return dun_error_message();
}

const char *dunlin_status_name(int status) {
    static const struct {
        int status;
        const char *name;
    } names[] = {
#define NAME(status) {status, #status}
        NAME(DUNLIN_OK),        NAME(DUNLIN_FAILED),     NAME(DUNLIN_USAGE),
        NAME(DUNLIN_BAD_INPUT), NAME(DUNLIN_BAD_DEVICE), NAME(DUNLIN_INTERRUPTED),
#undef NAME
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].status == status)
            return names[i].name;
    return "unknown status";
}

void dun_api_begin(void) {
    dun_error_clear();
}

dunlin_status dun_api_end(int rc) {
    return (dunlin_status)dun_exit_code(rc);
}

int dun_api_need(const void *argument, const char *name) {
    return argument ? DUN_OK : dun_error(DUN_USAGE, "the argument %s is NULL", name);
}

int dun_api_give(void *buffer, size_t size, size_t *needed, const dun_str *content, bool text) {
    const size_t bytes = content->length + (text ? 1 : 0);
    if (needed)
        *needed = bytes;
    if (!buffer)
        return DUN_OK;
    if (size < bytes)
        return dun_error(DUN_USAGE, "the buffer has %zu bytes; %zu are needed", size, bytes);
    if (content->length)
        memcpy(buffer, content->bytes, content->length);
    if (text)
        ((char *)buffer)[content->length] = '\0';
    return DUN_OK;
}

void dun_api_log(int level, const char *text) {
    pthread_mutex_lock(&api.lock);
    dunlin_log_fn *log = api.log;
    void *user = api.user;
    pthread_mutex_unlock(&api.lock);
    if (log)
        log(level, text, user);
}

static void hear_warning(const char *message) {
    dun_api_log(DUNLIN_LOG_WARNING, message);
}

static void hear_line(void *self, const char *line) {
    (void)self;
    dun_api_log(DUNLIN_LOG_INFO, line);
}

static void hear_detail(void *self, const char *line) {
    (void)self;
    dun_api_log(DUNLIN_LOG_DETAIL, line);
}

const dun_observer dun_api_log_observer = {.say = hear_line, .detail = hear_detail};

dunlin_status dunlin_set_log(dunlin_log_fn *log, void *user) {
    dun_api_begin();
    pthread_mutex_lock(&api.lock);
    api.log = log;
    api.user = user;
    pthread_mutex_unlock(&api.lock);
    dun_warn_process(log ? hear_warning : NULL);
    return DUNLIN_OK;
}

/* Appends FOLDER/NAME of the file that this code is in. */
static int add_beside(dun_str *out, const char *name) {
    Dl_info here;
    const char *slash = dladdr(&api, &here) && here.dli_fname ? strrchr(here.dli_fname, '/') : NULL;
    return slash ? dun_str_addf(out, "%.*s/%s", (int)(slash - here.dli_fname), here.dli_fname, name) : DUN_OK;
}

/* The installed program, where it lies from the library, from one in a wheel or a build folder, or by its
 * full path. */
static void find_probe(void) {
    dun_str path = {0};
    const char *const places[] = {DUN_PROBE_WAY, "dunlin-probe", DUN_PROBE};
    bool found = false;
    for (size_t i = 0; i < sizeof places / sizeof *places && !found; i++) {
        dun_str_clear(&path);
        found = (*places[i] == '/' ? dun_str_addf(&path, "%s", places[i]) : add_beside(&path, places[i])) ==
                    DUN_OK &&
                path.length && access(path.bytes, X_OK) == 0;
    }
    dun_driver_try_with(found ? path.bytes : "");
    dun_str_free(&path);
}

bool dun_api_is_child(void) {
    return api.process && api.process != (long)getpid();
}

int dun_api_use_devices(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    long nobody = 0;
    (void)atomic_compare_exchange_strong(&api.process, &nobody, (long)getpid());
    if (dun_api_is_child())
        return dun_error(
            DUN_BAD_DEVICE,
            "this process was forked from process %ld, which had used OpenCL, whose drivers do not live "
            "through a fork; start it anew (exec, or Python's start method spawn), or fork before the "
            "first call that needs a device",
            (long)api.process);
    (void)pthread_once(&once, find_probe);
    return DUN_OK;
}
