/* What x86 processors have for products of bfloat16: the matrix unit (AMX), dot products of pairs
 * (AVX512_BF16); whether this processor has them, and the system's leave to use them. */
#ifndef DUN_X86_H
#define DUN_X86_H

#include "dev/device.h"

/* Asks the system for the matrix unit's registers, once a process and before there are threads of drivers. */
void dun_amx_ask(void);

/* NULL when kernels of the device can use the one or the other, else why not. */
const char *dun_amx_cannot(const dun_device_info *info);
const char *dun_avx512_cannot(const dun_device_info *info);

#endif
