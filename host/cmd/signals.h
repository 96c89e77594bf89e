/* What signals do to this program: Ctrl-C and its kin, of which only the program knows. */
#ifndef DUN_SIGNALS_H
#define DUN_SIGNALS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/* At the start of every command. A process that ends by a fault (SIGABRT, SIGSEGV, ...) or by exit() while
 * drivers are in use says so, and where what they keep may be damaged; the signal then does what it always
 * does, and exit() becomes the status 4. main ends that with dun_driver_dismiss (dev/driver.h).
 *
 * The first process of a container is spared what a signal does by default:
 * Ctrl-C or `docker stop` would do nothing. There the signals that end other processes end this one, with the
 * status that a shell gives those, 128 and the signal. */
void dun_signals_init(void);

/* Who hears of signals: a thread waits for them and calls `hear` with each; `again`: one of its kind came
 * before. False ends the thread. A thread, for compilers inside drivers put handlers of their own over those
 * of the program, but a blocked signal reaches none; and the first process of a container gets no signal that
 * has no handler and is not blocked. */
typedef struct {
    const int *signals; /* [n] */
    size_t n;
    bool (*hear)(void *self, int which, bool again);
    void *self;
} dun_signal_listener;

/* Blocks the signals here and starts the thread; the listener is to be there as long as it. To be called
 * before anything that may start threads. DUN_FAILED: no thread. */
int dun_signals_listen(pthread_t *thread, const dun_signal_listener *listener);

/* Ends the process as the signal would have: who waits for it sees that. The first process of a container
 * survives it, and leaves with 128 and the signal. */
void dun_signals_end_at_once(int signal_number);

/* From now on SIGINT, SIGTERM and SIGHUP (unless it is ignored, as nohup has it) ask jobs to stop
 * (base/interrupt.h); a second one of the same kind ends the process at once. A session that closes sends
 * both SIGHUP and SIGTERM, which is one wish. SIGUSR1 asks trainings to save and go on. To be called once,
 * before anything that may start threads. DUN_FAILED: no thread. */
int dun_signals_watch(void);

#endif
