/* Products of parts by the matrix unit of x86 processors (AMX), the variant `amx`: 16 x 16 sums of 32 products each in
 * 16 cycles. The instructions are bytes, for compilers that take the processor for an older one; addresses go through
 * rax, distances of rows through rcx. Two by two tiles of sums are kept in registers 0 to 3; 4 and 5 hold tiles of a, 6
 * and 7 of b: 8 loads for 12 products of tiles in split, 4 for 4 in half. A pair of k is summed first of all, even and odd
 * ones apart.
 * Who launches it has asked the system for the unit's registers (host/dev/x86.h). */
#define AMX_CONFIGURE(at) __asm__ volatile(".byte 0xc4,0xe2,0x78,0x49,0x00" : : "a"(at) : "memory");
#define AMX_RELEASE() __asm__ volatile(".byte 0xc4,0xe2,0x78,0x49,0xc0" : : : "memory");
#define AMX_ZERO(t) __asm__ volatile(".byte 0xc4,0xe2,0x7b,0x49,0xc0+8*" #t : : : "memory");
#define AMX_LOAD(t, at, stride)                                                                              \
    __asm__ volatile(".byte 0xc4,0xe2,0x7b,0x4b,0x04+8*" #t ",0x08"                                          \
                     :                                                                                       \
                     : "a"((ulong)(size_t)(at)), "c"((ulong)(stride))                                        \
                     : "memory");
#define AMX_STORE(t, at, stride)                                                                             \
    __asm__ volatile(".byte 0xc4,0xe2,0x7a,0x4b,0x04+8*" #t ",0x08"                                          \
                     :                                                                                       \
                     : "a"((ulong)(size_t)(at)), "c"((ulong)(stride))                                        \
                     : "memory");
#define AMX_DOT(c, a, b)                                                                                     \
    __asm__ volatile(".byte 0xc4,0xe2,(15-" #b ")*8+2,0x5c,0xc0+8*" #c "+" #a : : : "memory");
#define AMX_FOUR()                                                                                           \
    AMX_DOT(0, 4, 6)                                                                                         \
    AMX_DOT(1, 4, 7)                                                                                         \
    AMX_DOT(2, 5, 6)                                                                                         \
    AMX_DOT(3, 5, 7)

/* All eight registers have 16 rows of 64 bytes. */
#define PARTS_BEGIN                                                                                          \
    uchar shape[64];                                                                                         \
    for (int i = 0; i < 64; i++)                                                                             \
        shape[i] = i == 0 ? 1 : i >= 16 && i < 32 ? (i % 2 ? 0 : 64) : i >= 48 && i < 56 ? 16 : 0;           \
    AMX_CONFIGURE((ulong)(size_t)shape)
#define PARTS_END AMX_RELEASE()

/* As in parts_portable.cl. */
void parts_tile(float *c, __global const ushort *a, size_t next, __global const ushort *b, int steps, int n_parts,
                bool exact) {
    AMX_ZERO(0)
    AMX_ZERO(1)
    AMX_ZERO(2)
    AMX_ZERO(3)
    for (int s = 0; s < steps; s++) {
        AMX_LOAD(6, b, 64)
        AMX_LOAD(7, b + PARTS_B / 2, 64)
        if (n_parts > 1) {
            AMX_LOAD(4, a + PARTS_A, 64)
            AMX_LOAD(5, a + PARTS_A + next, 64)
            AMX_FOUR()
        }
        AMX_LOAD(4, a, 64)
        AMX_LOAD(5, a + next, 64)
        AMX_FOUR()
        if (!exact) {
            AMX_LOAD(6, b + PARTS_B, 64)
            AMX_LOAD(7, b + PARTS_B + PARTS_B / 2, 64)
            AMX_FOUR()
        }
        a += n_parts * PARTS_A;
        b += n_parts * PARTS_B;
    }
    AMX_STORE(0, c, 128)
    AMX_STORE(1, c + 16, 128)
    AMX_STORE(2, c + 16 * 32, 128)
    AMX_STORE(3, c + 16 * 32 + 16, 128)
}
