/* What drivers read of the environment at the first OpenCL call of a process, and what is settled before it:
 * the threads that they take, and where PoCL keeps what it compiled. */
#ifndef DUN_DRIVER_H
#define DUN_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

/* To be called before every OpenCL call that may be the first; works once a process. Where the process may
 * use fewer processors than the machine has, drivers are told by their own variables, unless those are set.
 * The system is asked for the registers of the processor's matrix unit (x86.h).
 * Where PoCL's folder of compiled kernels cannot be used (driver_cache.h), POCL_CACHE_DIR becomes one below
 * dunlin's cache, else one below $TMPDIR that only this user can write. */
void dun_driver_prepare(void);

/* Before that: this process keeps its kernels in a folder of its own, beside the one it would have, called as
 * that and `ending`: processes that share one have crashed in PoCL. */
void dun_driver_move_cache(const char *ending);

/* Before dun_driver_prepare: drivers of CPUs are to take no more threads than this. */
void dun_driver_take_threads(uint32_t n);

/* To be called once all drivers have been asked for their devices, which is when they read them: the
 * environment is what it was before. */
void dun_driver_prepared(void);

/* Where the loader finds drivers: what OCL_ICD_VENDORS says, or said before the first OpenCL call, when the
 * loader read it;
 * "": nothing. A caller may set it for that call alone, so processes that try a driver are told. */
const char *dun_driver_vendors(void);

/* Tells, once a process, that another folder stands in for PoCL's and why; for when it is known that there is
 * a PoCL.
 */
void dun_driver_tell_cache(void);

/* PoCL's folder, and whether it holds a program; after dun_driver_prepare. */
const char *dun_driver_cache_place(void);
int dun_driver_cache_require(void); /* DUN_BAD_DEVICE: there is none that can be used */
bool dun_driver_cache_filled(void);

/* A driver that passed in this process (driver_try.h), by its key's hash: the last one is remembered. */
void dun_driver_note_passed(uint64_t key);
bool dun_driver_has_passed(uint64_t key);

/* The same of a variant of the products (variant_try.h) that was tried, and whether it works. */
void dun_driver_note_variant(uint64_t key, bool works);
bool dun_driver_knows_variant(bool *works, uint64_t key);

/* Who is called after a driver was first asked for its devices, and after each time that it compiled:
 * compilers put handlers of signals over those of the program. To be set before there are threads. */
void dun_driver_on_work(void (*hear)(void));
void dun_driver_worked(void);

/* What there is to say when the process is ended from inside a driver: whole lines, or "" before the first
 * OpenCL call and after dun_driver_dismiss. May be called in signal handlers. */
const char *dun_driver_last_words(void);
void dun_driver_dismiss(void);

#endif
