/* See process.h. */
#include "base/process.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void redirect(const char *path, int fd) {
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (file < 0 || dup2(file, fd) < 0)
        _exit(127);
    if (file != fd)
        close(file);
}

int dun_process_start(pid_t *child, char *const *argv, const char *out_path, const char *err_path) {
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0)
        return dun_error(DUN_FAILED, "the path of the program cannot be found: %s", strerror(errno));
    self[length] = '\0';
    errno = EAGAIN;
    *child = dun_fault_here() ? -1 : fork();
    if (*child < 0)
        return dun_error(DUN_FAILED, "no process could be started: %s", strerror(errno));
    if (*child == 0) {
        redirect("/dev/null", STDIN_FILENO);
        redirect(out_path, STDOUT_FILENO);
        redirect(err_path, STDERR_FILENO);
        execv(self, argv);
        _exit(127);
    }
    return DUN_OK;
}

int dun_process_wait(dun_process_end *end, pid_t child, double limit_s) {
    const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
    double begun = dun_clock_seconds();
    bool asked = false;
    int status = 0;
    pid_t ended;
    *end = (dun_process_end){.status = -1};
    while ((ended = waitpid(child, &status, WNOHANG)) == 0) {
        if (dun_interrupted() && !asked) {
            kill(child, SIGTERM);
            asked = true;
        }
        if (!end->timed_out && dun_clock_seconds() - begun > limit_s) {
            kill(child, SIGKILL);
            end->timed_out = true;
        }
        nanosleep(&pause, NULL);
    }
    end->seconds = dun_clock_seconds() - begun;
    if (ended < 0)
        return dun_error(DUN_FAILED, "a process is lost: %s", strerror(errno));
    if (WIFEXITED(status))
        end->status = WEXITSTATUS(status);
    else if (WIFSIGNALED(status))
        end->signal = WTERMSIG(status);
    return DUN_OK;
}
