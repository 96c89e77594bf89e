/* Signals that stop a job, or have it save, and those that end the process by a driver's fault. A thread
 * waits for them, and only asks for it: compilers inside drivers (LLVM) put handlers of their own over those
 * of the program, but a blocked signal reaches none. */
#include "cmd/signals.h"

#include "base/err.h"
#include "base/fault.h"
#include "base/interrupt.h"
#include "dev/driver.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int stopping[] = {SIGINT, SIGTERM, SIGHUP};
enum { N_STOPPING = sizeof stopping / sizeof *stopping, SHELL_OFFSET = 128 };

static void take(int signal_number, void (*handler)(int)) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(signal_number, &action, NULL);
}

static bool is_ignored(int signal_number) {
    struct sigaction now;
    return sigaction(signal_number, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

static void leave(int signal_number) {
    _exit(SHELL_OFFSET + signal_number);
}

void dun_signals_end_at_once(int signal_number) {
    sigset_t this_one;
    sigemptyset(&this_one);
    sigaddset(&this_one, signal_number);
    take(signal_number, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &this_one, NULL);
    raise(signal_number);
    leave(signal_number);
}

static sigset_t heard_signals(const dun_signal_listener *listener) {
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < listener->n; i++)
        sigaddset(&set, listener->signals[i]);
    return set;
}

static void *wait_for_signals(void *self) {
    const dun_signal_listener *listener = self;
    const sigset_t heard = heard_signals(listener);
    sigset_t seen;
    int which;
    sigemptyset(&seen);
    while (sigwait(&heard, &which) == 0 &&
           listener->hear(listener->self, which, sigismember(&seen, which) == 1))
        sigaddset(&seen, which);
    return NULL;
}

int dun_signals_listen(pthread_t *thread, const dun_signal_listener *listener) {
    const sigset_t heard = heard_signals(listener);
    int code = dun_fault_here() ? EAGAIN : pthread_sigmask(SIG_BLOCK, &heard, NULL);
    if (!code)
        code = pthread_create(thread, NULL, wait_for_signals, (void *)(uintptr_t)listener);
    return code ? dun_error(DUN_FAILED, "signals cannot be waited for: %s", strerror(code)) : DUN_OK;
}

static bool hear_for_jobs(void *unused, int which, bool again) {
    (void)unused;
    if (which == SIGUSR1) {
        dun_save_wish();
        return true;
    }
    if (again)
        dun_signals_end_at_once(which);
    dun_interrupt();
    return true;
}

/* Under nohup. The signal is waited for all the same: LLVM would have it do something again. */
static bool hear_all_but_hangup(void *unused, int which, bool again) {
    return which == SIGHUP || hear_for_jobs(unused, which, again);
}

static void write_words(const char *words) {
    if (write(STDERR_FILENO, words, strlen(words)) < 0)
        return; /* nobody to tell it */
}

/* The signal then does what it does by default, for it is raised again, and this handler is gone. */
static void tell_fault(int signal_number) {
    static const char intro[] = "dunlin: a fault in a driver, or in its own code, ends this process.\n";
    const char *words = dun_driver_last_words();
    if (*words) {
        write_words(intro);
        write_words(words);
    }
    raise(signal_number);
}

/* A compiler inside a driver may call exit(), as LLVM does when a disk is full. */
static void tell_exit(void) {
    static const char intro[] = "dunlin: the OpenCL driver ended this process.\n";
    const char *words = dun_driver_last_words();
    if (!*words)
        return;
    write_words(intro);
    write_words(words);
    _exit(dun_exit_code(DUN_BAD_DEVICE));
}

static void take_fault(int signal_number) {
    struct sigaction action = {.sa_handler = tell_fault, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(signal_number, &action, NULL);
}

/* LLVM's handler puts back the one before it and returns, to be called again with the same fault. But abort()
 * then takes the default. */
static void take_abort_again(void) {
    take_fault(SIGABRT);
}

/* Where others have a handler already, as sanitizers do, theirs tells more. */
static void tell_ends_by_drivers(void) {
    static const int faults[] = {SIGABRT, SIGSEGV, SIGBUS, SIGILL};
    struct sigaction now;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (sigaction(faults[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL)
            take_fault(faults[i]);
    dun_driver_on_work(take_abort_again);
    (void)atexit(tell_exit);
}

void dun_signals_init(void) {
    static const int others[] = {SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM};
    tell_ends_by_drivers();
    if (getpid() != 1)
        return;
    for (size_t i = 0; i < N_STOPPING; i++)
        take(stopping[i], leave);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        take(others[i], leave);
}

int dun_signals_watch(void) {
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
    enum { N = sizeof signals / sizeof *signals };
    static const dun_signal_listener all = {signals, N, hear_for_jobs, NULL},
                                     all_but_hangup = {signals, N, hear_all_but_hangup, NULL};
    int rc;
    pthread_t waiting;
    TRY(dun_signals_listen(&waiting, is_ignored(SIGHUP) ? &all_but_hangup : &all));
    (void)pthread_detach(waiting);
out:
    return rc;
}
