/* Which machine this is, as far as numbers of processes go: the running kernel, and the space of numbers in
 * it that this process sees. Containers of one machine share the kernel, each with numbers of its own; a
 * host's name tells neither, for several may bear it. */
#ifndef DUN_MACHINE_H
#define DUN_MACHINE_H

#include <stdint.h>

enum { DUN_BOOT_BYTES = 64, DUN_PIDS_BYTES = 64 };

void dun_machine_boot(char boot[DUN_BOOT_BYTES]); /* of the kernel since it was started; "": not known */
void dun_machine_pids(char pids[DUN_PIDS_BYTES]); /* of the space of numbers; "": not known */
uint32_t dun_machine_tag(void);                   /* a number for both */

/* Seconds since the kernel was started, asleep ones counted. */
double dun_machine_up(void);

#endif
