/* What signals do to this program: Ctrl-C and its kin, of which only the program knows. */
#ifndef DUN_SIGNALS_H
#define DUN_SIGNALS_H

/* At the start of every command. A process that ends by a fault (SIGABRT, SIGSEGV, ...) or by exit() while
 * drivers are in use says so, and where what they keep may be damaged; the signal then does what it always
 * does, and exit() becomes the status 4. main ends that with dun_driver_dismiss (dev/driver.h).
 *
 * The first process of a container is spared what a signal does by default:
 * Ctrl-C or `docker stop` would do nothing. There the signals that end other processes end this one, with the
 * status that a shell gives those, 128 and the signal. */
void dun_signals_init(void);

/* From now on SIGINT, SIGTERM and SIGHUP (unless it is ignored, as nohup has it) ask jobs to stop
 * (base/interrupt.h); a second one of the same kind ends the process at once. A session that closes sends
 * both SIGHUP and SIGTERM, which is one wish. SIGUSR1 asks trainings to save and go on. To be called once,
 * before anything that may start threads. DUN_FAILED: no thread. */
int dun_signals_watch(void);

#endif
