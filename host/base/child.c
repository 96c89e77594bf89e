/* See child.h. */
#include "base/child.h"

#include "base/clock.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int spawn(pid_t *pid, const char *const *argv, int out_fd, bool quiet) {
    posix_spawn_file_actions_t actions;
    int code = posix_spawn_file_actions_init(&actions);
    if (code)
        return dun_error(DUN_FAILED, "%s: cannot be started: %s", argv[0], strerror(code));
    code = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!code)
        code = posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
    if (!code && quiet)
        code = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (!code)
        code = posix_spawn(pid, argv[0], &actions, NULL, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return code ? dun_error(DUN_FAILED, "%s: cannot be started: %s", argv[0], strerror(code)) : DUN_OK;
}

/* Reads until the other end is closed or the time is over. */
static int collect(dun_child *out, int fd, double end) {
    char bytes[4096];
    for (;;) {
        double left = end - dun_clock_seconds();
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        int ready = left > 0 ? poll(&wait, 1, left > 1 ? 1000 : (int)(left * 1000) + 1) : -1;
        if (left <= 0) {
            out->timed_out = true;
            return DUN_OK;
        }
        if (ready <= 0)
            continue;
        ssize_t n = read(fd, bytes, sizeof bytes);
        if (n == 0 || (n < 0 && errno != EINTR))
            return DUN_OK;
        if (n > 0 && out->output.length + (size_t)n <= DUN_CHILD_OUTPUT_BYTES) {
            int rc = dun_str_add(&out->output, bytes, (size_t)n);
            if (rc < 0)
                return rc;
        }
    }
}

int dun_child_run(dun_child *out, const char *const *argv, bool quiet, double limit_s) {
    int rc = DUN_OK, fds[2] = {-1, -1}, status = 0;
    pid_t pid = -1;
    double begun = dun_clock_seconds();
    *out = (dun_child){.exit_code = -1};
    if (pipe(fds) < 0)
        TRY(dun_error(DUN_FAILED, "%s: cannot be started: %s", argv[0], strerror(errno)));
    (void)fcntl(fds[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(fds[1], F_SETFD, FD_CLOEXEC);
    TRY(spawn(&pid, argv, fds[1], quiet));
    close(fds[1]);
    fds[1] = -1;
    rc = collect(out, fds[0], begun + limit_s);
    if (rc < 0 || out->timed_out)
        (void)kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status))
        out->exit_code = WEXITSTATUS(status);
    if (WIFSIGNALED(status))
        out->signal = WTERMSIG(status);
    out->seconds = dun_clock_seconds() - begun;
out:
    if (fds[0] >= 0)
        close(fds[0]);
    if (fds[1] >= 0)
        close(fds[1]);
    if (rc < 0)
        dun_str_free(&out->output);
    return rc;
}

int dun_child_describe(dun_str *out, const dun_child *child, double limit_s) {
    if (child->timed_out)
        return dun_str_addf(out, "no answer in %.0f s", limit_s);
    if (child->signal)
        return dun_str_addf(out, "killed by signal %d", child->signal);
    return dun_str_addf(out, "exit code %d", child->exit_code);
}

int dun_child_self(dun_str *out) {
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0)
        return dun_error(DUN_FAILED, "the path of the running program is not known: /proc/self/exe: %s",
                         strerror(errno));
    return dun_str_add(out, path, (size_t)n);
}
