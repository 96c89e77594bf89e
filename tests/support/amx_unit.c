/* Decodes the instruction that raised SIGILL, does it on registers of the thread's own, and goes on behind
 * it. */
#define _GNU_SOURCE /* REG_RIP */
#include "amx_unit.h"

#if defined(__linux__) && defined(__x86_64__)
#    include <math.h>
#    include <signal.h>
#    include <stdatomic.h>
#    include <stdint.h>
#    include <string.h>
#    include <ucontext.h>

enum { TILES = 8, ROWS = 16, ROW_BYTES = 64, CONFIG_BYTES = 64 };

/* Of a thread: what the processor keeps for each. */
static _Thread_local struct {
    bool configured;
    uint8_t rows[TILES];
    uint16_t row_bytes[TILES];
    uint8_t tile[TILES][ROWS][ROW_BYTES];
} unit;

static atomic_size_t counts[AMX_INSTRUCTIONS], misused;
static struct sigaction before;

bool amx_unit_possible(void) {
    return true;
}

static void configure(const uint8_t *at) {
    memset(&unit, 0, sizeof unit);
    unit.configured = at[0] == 1 && at[1] == 0;
    for (int t = 0; t < TILES; t++) {
        memcpy(&unit.row_bytes[t], at + 16 + 2 * t, sizeof(uint16_t));
        unit.rows[t] = at[48 + t];
        unit.configured &= unit.rows[t] <= ROWS && unit.row_bytes[t] <= ROW_BYTES;
    }
    misused += !unit.configured;
}

static void load(int t, const uint8_t *at, ptrdiff_t stride) {
    memset(unit.tile[t], 0, sizeof unit.tile[t]);
    for (int r = 0; r < unit.rows[t]; r++)
        memcpy(unit.tile[t][r], at + r * stride, unit.row_bytes[t]);
}

static void store(int t, uint8_t *at, ptrdiff_t stride) {
    for (int r = 0; r < unit.rows[t]; r++)
        memcpy(at + r * stride, unit.tile[t][r], unit.row_bytes[t]);
}

/* Denormal numbers count as zeros, coming and going. */
static float flushed(float x) {
    return fpclassify(x) == FP_SUBNORMAL ? copysignf(0.0f, x) : x;
}

static float widened(const uint8_t *at) {
    uint16_t bits;
    memcpy(&bits, at, sizeof bits);
    const uint32_t wide = (uint32_t)bits << 16;
    float x;
    memcpy(&x, &wide, sizeof x);
    return flushed(x);
}

/* TDPBF16PS: of each pair the even and the odd numbers make a sum each, then both are added to what is there.
 */
static void dot(int c, int a, int b) {
    for (int m = 0; m < unit.rows[c]; m++)
        for (int n = 0; n < unit.row_bytes[c] / 4; n++) {
            float even = 0.0f, odd = 0.0f, sum;
            for (int k = 0; k < unit.row_bytes[a] / 4; k++) {
                const uint8_t *x = &unit.tile[a][m][4 * k], *y = &unit.tile[b][k][4 * n];
                even = flushed(fmaf(widened(x), widened(y), even));
                odd = flushed(fmaf(widened(x + 2), widened(y + 2), odd));
            }
            memcpy(&sum, &unit.tile[c][m][4 * n], sizeof sum);
            sum = flushed(flushed(sum) + flushed(even + odd));
            memcpy(&unit.tile[c][m][4 * n], &sum, sizeof sum);
        }
}

/* Length of the instruction that was done; 0: it is none of these. */
static int step(const uint8_t *at, uint8_t *rax, ptrdiff_t rcx) {
    enum amx_instruction done;
    const int reg = at[4] >> 3 & 7;
    int length = 5;
    if (at[0] != 0xc4 || at[1] != 0xe2)
        return 0;
    if (at[2] == 0x78 && at[3] == 0x49 && at[4] == 0x00) {
        done = AMX_CONFIGURE;
        configure(rax);
    } else if (at[2] == 0x78 && at[3] == 0x49 && at[4] == 0xc0) {
        done = AMX_RELEASE;
        misused += !unit.configured;
        memset(&unit, 0, sizeof unit);
    } else if (at[2] == 0x7b && at[3] == 0x49 && (at[4] & 0xc7) == 0xc0) {
        done = AMX_ZERO;
        memset(unit.tile[reg], 0, sizeof unit.tile[reg]);
    } else if ((at[2] == 0x7b || at[2] == 0x7a) && at[3] == 0x4b && (at[4] & 0xc7) == 0x04 && at[5] == 0x08) {
        done = at[2] == 0x7b ? AMX_LOAD : AMX_STORE;
        length = 6;
        if (done == AMX_LOAD)
            load(reg, rax, rcx);
        else
            store(reg, rax, rcx);
    } else if ((at[2] & 0x87) == 0x02 && at[3] == 0x5c && at[4] >= 0xc0) {
        done = AMX_DOT;
        dot(reg, at[4] & 7, 15 - (at[2] >> 3 & 15));
    } else {
        return 0;
    }
    if (done != AMX_CONFIGURE && done != AMX_RELEASE)
        misused += !unit.configured || unit.rows[reg] == 0;
    counts[done]++;
    return length;
}

static void handle(int number, siginfo_t *info, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const int length =
        step((const uint8_t *)registers[REG_RIP], (uint8_t *)registers[REG_RAX], registers[REG_RCX]);
    (void)number, (void)info;
    if (length == 0)
        (void)sigaction(SIGILL, &before, NULL); /* it comes again, and is what it would have been */
    registers[REG_RIP] += length;
}

void amx_unit_begin(void) {
    struct sigaction action = {.sa_flags = SA_SIGINFO};
    action.sa_sigaction = handle;
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < AMX_INSTRUCTIONS; i++)
        counts[i] = 0;
    misused = 0;
    (void)sigaction(SIGILL, &action, &before);
}

void amx_unit_end(void) {
    (void)sigaction(SIGILL, &before, NULL);
}

size_t amx_unit_count(enum amx_instruction instruction) {
    return counts[instruction];
}

size_t amx_unit_misused(void) {
    return misused;
}
#else
bool amx_unit_possible(void) {
    return false;
}

void amx_unit_begin(void) {
}

void amx_unit_end(void) {
}

size_t amx_unit_count(enum amx_instruction instruction) {
    return (size_t)instruction * 0;
}

size_t amx_unit_misused(void) {
    return 0;
}
#endif
