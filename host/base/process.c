/* Starting other processes and waiting for them, with their output in files or through a pipe. */
#define _GNU_SOURCE /* pipe2 */
#include "base/process.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/starved.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int dun_process_self(dun_str *out) {
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0)
        return dun_error(DUN_FAILED, "the path of the running program is not known: /proc/self/exe: %s",
                         strerror(errno));
    return dun_str_add(out, path, (size_t)n);
}

/* FOLDER/NAME, when it can be run; an empty folder is the one we are in. */
static bool add_runnable(dun_str *out, const char *folder, size_t length, const char *name) {
    const size_t before = out->length;
    if (dun_str_addf(out, "%.*s/%s", length ? (int)length : 1, length ? folder : ".", name) < 0)
        return false;
    if (access(out->bytes + before, X_OK) == 0 && !dun_dir_exists(out->bytes + before))
        return true;
    out->length = before;
    out->bytes[before] = '\0';
    return false;
}

bool dun_process_find(dun_str *out, const char *name) {
    const char *path = getenv("PATH");
    while (path) {
        size_t length = strcspn(path, ":");
        if (add_runnable(out, path, length, name))
            return true;
        path = path[length] ? path + length + 1 : NULL;
    }
    return false;
}

/* What can be started of this program: its file, or, where that was replaced or deleted since, what the
 * system keeps of it. */
static const char *startable(const char *self) {
    return access(self, X_OK) == 0 ? self : "/proc/self/exe";
}

/* /proc/self/exe says "dunlin (deleted)" where that was. */
static bool is_dunlin(const char *name) {
    return strcmp(name, "dunlin") == 0 || strcmp(name, "dunlin (deleted)") == 0;
}

bool dun_process_dunlin(dun_str *out) {
    static const char name[] = "dunlin";
    const char *set = getenv("DUNLIN_PROGRAM");
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (set && *set)
        return dun_str_addf(out, "%s", set) == DUN_OK;
    self[n > 0 ? n : 0] = '\0';
    const char *slash = strrchr(self, '/');
    if (slash && is_dunlin(slash + 1))
        return dun_str_addf(out, "%s", startable(self)) == DUN_OK;
    return (slash && add_runnable(out, self, (size_t)(slash - self), name)) || dun_process_find(out, name);
}

/* Field 22 of /proc/PID/stat. The name of the program, field 2, may hold anything, in brackets. */
uint64_t dun_process_began(pid_t process) {
    char path[40], line[1024];
    uint64_t began = 0;
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)process);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, line, sizeof line - 1);
    if (fd >= 0)
        close(fd);
    line[n > 0 ? n : 0] = '\0';
    const char *at = strrchr(line, ')');
    if (!at || at[1] != ' ' || at[2] == 'Z' || at[2] == 'X') /* dead, its end only not asked for yet */
        return 0;
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at && sscanf(at, "%" SCNu64, &began) == 1 ? began : 0;
}

/* Where a process's stdout and stderr go: to a file by its path, or to an open one; neither: where ours do.
 */
typedef struct {
    const char *out_path, *err_path;
    int out_fd;         /* when there is no out_path */
    bool err_as_stdout; /* when there is no err_path */
} streams;

static int add_file(posix_spawn_file_actions_t *actions, int fd, const char *path) {
    return path ? posix_spawn_file_actions_addopen(actions, fd, path, O_WRONLY | O_CREAT | O_TRUNC, 0666) : 0;
}

/* Starts it with no signal blocked, whatever this thread has blocked. */
static int spawn_open(pid_t *process, const char *program, const char *const *argv,
                      const posix_spawn_file_actions_t *actions) {
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    int code = posix_spawnattr_init(&attributes);
    if (code)
        return code;
    code = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    if (!code)
        code = posix_spawnattr_setsigmask(&attributes, &none);
    if (!code)
        code = posix_spawn(process, program, actions, &attributes, (char *const *)argv, environ);
    posix_spawnattr_destroy(&attributes);
    return code;
}

static int spawn(pid_t *process, const char *program, const char *const *argv, const streams *to) {
    posix_spawn_file_actions_t actions;
    int code = dun_fault_here() ? EAGAIN : posix_spawn_file_actions_init(&actions);
    if (code)
        return dun_error(DUN_FAILED, "%s: cannot be started: %s", program, strerror(code));
    code = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!code)
        code = to->out_path ? add_file(&actions, STDOUT_FILENO, to->out_path)
                            : posix_spawn_file_actions_adddup2(&actions, to->out_fd, STDOUT_FILENO);
    if (!code)
        code = to->err_as_stdout ? posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
                                 : add_file(&actions, STDERR_FILENO, to->err_path);
    if (!code)
        code = spawn_open(process, program, argv, &actions);
    posix_spawn_file_actions_destroy(&actions);
    return code ? dun_error(DUN_FAILED, "%s: cannot be started: %s", program, strerror(code)) : DUN_OK;
}

int dun_process_start(pid_t *process, const char *const *argv, const char *out_path, const char *err_path) {
    int rc;
    dun_str self = {0};
    TRY(dun_process_self(&self));
    TRY(spawn(process, startable(self.bytes), argv, &(streams){.out_path = out_path, .err_path = err_path}));
out:
    dun_str_free(&self);
    return rc;
}

void dun_process_end_with_parent(void) {
    const pid_t parent = getppid();
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it was gone before: then what its end would have sent */
        (void)kill(getpid(), SIGKILL);
}

static void note_status(dun_process_end *end, int status) {
    if (WIFEXITED(status))
        end->status = WEXITSTATUS(status);
    else if (WIFSIGNALED(status))
        end->signal = WTERMSIG(status);
}

/* Its limit in seconds of the clock, or of those in which it was not kept from the processors. */
static bool is_late(pid_t process, double begun, double limit_s, bool by_clock) {
    const double spent = dun_clock_seconds() - begun;
    return spent > limit_s && (by_clock || dun_starved_is_late(spent, dun_starved(process), limit_s));
}

static int wait_until(dun_process_end *end, pid_t process, double limit_s, bool by_clock,
                      const dun_process_watch *watch) {
    const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
    double begun = dun_clock_seconds();
    bool asked = false;
    int status = 0;
    pid_t ended;
    *end = (dun_process_end){.status = -1};
    while ((ended = waitpid(process, &status, WNOHANG)) == 0) {
        if (dun_interrupted() && !asked) {
            kill(process, SIGTERM);
            asked = true;
        }
        if (!end->timed_out && is_late(process, begun, limit_s, by_clock)) {
            kill(process, SIGKILL);
            end->timed_out = true;
        }
        if (watch)
            watch->look(watch->self);
        nanosleep(&pause, NULL);
    }
    end->seconds = dun_clock_seconds() - begun;
    if (ended < 0)
        return dun_error(DUN_FAILED, "a process is lost: %s", strerror(errno));
    note_status(end, status);
    return DUN_OK;
}

int dun_process_wait(dun_process_end *end, pid_t process, double limit_s) {
    return wait_until(end, process, limit_s, false, NULL);
}

int dun_process_wait_watching(dun_process_end *end, pid_t process, double limit_s,
                              const dun_process_watch *watch) {
    return wait_until(end, process, limit_s, true, watch);
}

/* Reads until the other end is closed, the time is over, or nobody wants what comes any more. */
static int collect(dun_str *output, bool *timed_out, int fd, pid_t process, double begun, double limit_s) {
    enum { LOOK_MS = 200 };
    const size_t most = output->length + DUN_PROCESS_OUTPUT_BYTES;
    char bytes[4096];
    for (;;) {
        const double left = begun + limit_s - dun_clock_seconds();
        const bool soon = left > 0 && left * 1000 < LOOK_MS;
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        int ready = poll(&wait, 1, soon ? (int)(left * 1000) + 1 : LOOK_MS);
        *timed_out = ready <= 0 && is_late(process, begun, limit_s, false);
        if (*timed_out || dun_interrupted())
            return DUN_OK;
        if (ready <= 0)
            continue;
        ssize_t n = read(fd, bytes, sizeof bytes);
        if (n == 0 || (n < 0 && errno != EINTR))
            return DUN_OK;
        if (n > 0 && output->length + (size_t)n <= most) {
            int rc = dun_str_add(output, bytes, (size_t)n);
            if (rc < 0)
                return rc;
        }
    }
}

int dun_process_run(dun_process_end *end, dun_str *output, const char *const *argv,
                    enum dun_process_stderr err, double limit_s) {
    int rc = DUN_OK, fds[2] = {-1, -1}, status = 0;
    pid_t process = -1;
    double begun = dun_clock_seconds();
    *end = (dun_process_end){.status = -1};
    if (pipe2(fds, O_CLOEXEC) < 0) /* at once: another thread may start a process, too */
        TRY(dun_error(DUN_FAILED, "%s: cannot be started: %s", argv[0], strerror(errno)));
    TRY(spawn(&process, argv[0], argv,
              &(streams){.out_fd = fds[1],
                         .err_path = err == DUN_STDERR_NOWHERE ? "/dev/null" : NULL,
                         .err_as_stdout = err == DUN_STDERR_WITH_STDOUT}));
    close(fds[1]);
    fds[1] = -1;
    rc = collect(output, &end->timed_out, fds[0], process, begun, limit_s);
    if (rc < 0 || end->timed_out || dun_interrupted())
        (void)kill(process, SIGKILL);
    while (waitpid(process, &status, 0) < 0 && errno == EINTR)
        ;
    note_status(end, status);
    end->seconds = dun_clock_seconds() - begun;
out:
    if (fds[0] >= 0)
        close(fds[0]);
    if (fds[1] >= 0)
        close(fds[1]);
    return rc;
}

int dun_process_describe(dun_str *out, const dun_process_end *end, double limit_s) {
    if (end->timed_out)
        return dun_str_addf(out, "no answer in %.0f s", limit_s);
    if (end->signal)
        return dun_str_addf(out, "killed by signal %d", end->signal);
    return dun_str_addf(out, "exit code %d", end->status);
}

/* From the last line that begins with "dunlin: ", whatever follows it; without one the last three. */
static const char *find_words(const char *printed, const char *end) {
    enum { LINES = 3 };
    static const char sign[] = "dunlin: ";
    const char *own = NULL, *last[LINES] = {printed, printed, printed};
    for (const char *line = printed, *next; line < end; line = next) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        next = stop ? stop + 1 : end;
        if (end - line >= (ptrdiff_t)sizeof sign && memcmp(line, sign, sizeof sign - 1) == 0)
            own = line + sizeof sign - 1;
        if (next - line < 2) /* a blank one */
            continue;
        memmove(last, last + 1, sizeof last - sizeof *last);
        last[LINES - 1] = line;
    }
    return own ? own : last[0];
}

int dun_process_add_words(dun_str *out, const char *before, const char *printed, size_t length) {
    enum { MOST = 600 };
    int rc = DUN_OK;
    const char *end = printed + length;
    const size_t most = out->length + MOST;
    for (const char *line = length ? find_words(printed, end) : end; line < end && out->length < most;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line)), *next = stop ? stop + 1 : end;
        for (stop = stop ? stop : end; line < stop && strchr(" \t\r", *line); line++)
            ;
        if (line < stop) {
            const size_t n = (size_t)(stop - line), room = most - out->length;
            TRY(dun_str_addf(out, "%s", before));
            TRY(dun_utf8_repair(out, line, n < room ? n : room));
            before = "; ";
        }
        line = next;
    }
out:
    return rc;
}
