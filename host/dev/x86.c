/* CPUID, XCR0 and arch_prctl, on Linux on x86-64; elsewhere there are no such units. */
#define _GNU_SOURCE /* syscall */
#include "dev/x86.h"

#if defined(__linux__) && defined(__x86_64__)
#    include <cpuid.h>
#    include <sys/syscall.h>
#    include <unistd.h>

/* Of asm/prctl.h and the processor's manual; older headers lack them. */
enum { GET_PERMISSION = 0x1022, ASK_PERMISSION = 0x1023, TILE_DATA = 18 };
enum { OSXSAVE = 1 << 27, AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24, AVX512F = 1 << 16, AVX512_BF16 = 1 << 5 };
enum { TILE_STATE = 3 << 17, VECTOR_STATE = 0xe6 }; /* XCR0: of vectors their parts, and of masks */

static bool has_tiles(void) {
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & AMX_BF16) && (d & AMX_TILE);
}

static bool has_pairs(void) {
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & AVX512F) && a >= 1 &&
           __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & AVX512_BF16);
}

/* Whether the system saves a state when it switches threads: XCR0. */
static bool is_saved(unsigned state) {
    unsigned a, b, c, d, low, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & OSXSAVE))
        return false;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & state) == state;
}

void dun_amx_ask(void) {
    if (has_tiles() && is_saved(TILE_STATE))
        (void)syscall(SYS_arch_prctl, ASK_PERMISSION, TILE_DATA);
}

const char *dun_amx_cannot(const dun_device_info *info) {
    unsigned long given = 0;
    if (info->type != DUN_DEVICE_CPU)
        return "it is no CPU";
    if (!has_tiles())
        return "the processor has no matrix unit for bfloat16 (amx_bf16)";
    if (!is_saved(TILE_STATE))
        return "the system does not save the state of the processor's matrix unit";
    if (syscall(SYS_arch_prctl, GET_PERMISSION, &given) != 0 || !(given >> TILE_DATA & 1))
        return "the system does not give the registers of the processor's matrix unit";
    return NULL;
}

const char *dun_avx512_cannot(const dun_device_info *info) {
    return info->type != DUN_DEVICE_CPU ? "it is no CPU"
           : !has_pairs()               ? "the processor has no dot products of bfloat16 (avx512_bf16)"
           : !is_saved(VECTOR_STATE)    ? "the system does not save the processor's vectors of 512 bits"
                                        : NULL;
}
#else
void dun_amx_ask(void) {
}

const char *dun_amx_cannot(const dun_device_info *info) {
    return info->type == DUN_DEVICE_CPU ? "the processor has no matrix unit that is known" : "it is no CPU";
}

const char *dun_avx512_cannot(const dun_device_info *info) {
    return info->type == DUN_DEVICE_CPU ? "the processor has no dot products that are known" : "it is no CPU";
}
#endif
