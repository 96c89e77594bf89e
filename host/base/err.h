/* The error contract: functions return 0 or a negative status; the message is made once, where the
 * fact is known, and kept for the thread until main.c prints it and turns the status into an exit code. */
#ifndef DUN_ERR_H
#define DUN_ERR_H

enum dun_status {
    DUN_OK = 0,
    DUN_FAILED = -1,     /* exit 1: could not finish (disk full, NaN loss, ...) */
    DUN_USAGE = -2,      /* exit 2: bad command line or config */
    DUN_BAD_INPUT = -3,  /* exit 3: a model, data, prompt or run file is not what it must be */
    DUN_BAD_DEVICE = -4, /* exit 4: no such device, or it failed */
    DUN_INTERRUPTED = -5 /* exit 130: the user pressed Ctrl-C */
};

/* Jumps to the function's single `out:` label when `call` fails; needs a local `int rc`. */
#define TRY(call)                                                                                            \
    do {                                                                                                     \
        rc = (call);                                                                                         \
        if (rc < 0)                                                                                          \
            goto out;                                                                                        \
    } while (0)

/* Records the message of a failure and returns `status`, so that `return dun_error(...)` and
 * `TRY(dun_error(...))` read well. A later call replaces the message. Control characters and bytes that are
 * not UTF-8 become '?', but for DUN_BAD_DEVICE, which may quote a compiler's log. */
int dun_error(enum dun_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The last recorded message; empty if there was none. Valid until the next dun_error* call. */
const char *dun_error_message(void);
void dun_error_clear(void);

/* Process exit code that the documentation promises for a status. */
int dun_exit_code(int status);

/* Tells a fact that need not stop anything: to those who listen in this thread, then to the process. */
void dun_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Hears every warning of this thread until dun_warn_ignore of the same `self`. At most four listen. */
void dun_warn_listen(void (*hear)(void *self, const char *message), void *self);
void dun_warn_ignore(const void *self);

/* What the process does with the warnings of all its threads; NULL, as it is before: nothing. */
void dun_warn_process(void (*hear)(const char *message));

#endif
