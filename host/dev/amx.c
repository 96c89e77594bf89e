/* CPUID, XCR0 and arch_prctl, on Linux on x86-64; elsewhere there is no such unit. */
#define _GNU_SOURCE /* syscall */
#include "dev/amx.h"

#if defined(__linux__) && defined(__x86_64__)
#    include <cpuid.h>
#    include <sys/syscall.h>
#    include <unistd.h>

/* Of asm/prctl.h and the processor's manual; older headers lack them. */
enum { GET_PERMISSION = 0x1022, ASK_PERMISSION = 0x1023, TILE_DATA = 18 };
enum { OSXSAVE = 1 << 27, AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24, TILE_STATE = 3 << 17 };

static bool has_unit(void) {
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & AMX_BF16) && (d & AMX_TILE);
}

/* Whether the system saves the unit's state when it switches threads: XCR0. */
static bool is_saved(void) {
    unsigned a, b, c, d, low, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & OSXSAVE))
        return false;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & TILE_STATE) == TILE_STATE;
}

void dun_amx_ask(void) {
    if (has_unit() && is_saved())
        (void)syscall(SYS_arch_prctl, ASK_PERMISSION, TILE_DATA);
}

const char *dun_amx_cannot(const dun_device_info *info) {
    unsigned long given = 0;
    if (info->type != DUN_DEVICE_CPU)
        return "it is no CPU";
    if (!has_unit())
        return "the processor has no matrix unit for bfloat16 (amx_bf16)";
    if (!is_saved())
        return "the system does not save the state of the processor's matrix unit";
    if (syscall(SYS_arch_prctl, GET_PERMISSION, &given) != 0 || !(given >> TILE_DATA & 1))
        return "the system does not give the registers of the processor's matrix unit";
    return NULL;
}
#else
void dun_amx_ask(void) {
}

const char *dun_amx_cannot(const dun_device_info *info) {
    return info->type == DUN_DEVICE_CPU ? "the processor has no matrix unit that is known" : "it is no CPU";
}
#endif
