/* The matrix unit of x86 processors (AMX): whether this processor has one, and the system's leave to use it.
 */
#ifndef DUN_AMX_H
#define DUN_AMX_H

#include "dev/device.h"

/* Asks the system for the unit's registers, once a process and before there are threads of drivers. */
void dun_amx_ask(void);

/* NULL when kernels of the device can use the unit, else why not. */
const char *dun_amx_cannot(const dun_device_info *info);

#endif
