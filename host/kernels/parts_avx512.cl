/* Products of parts by the dot products of bfloat16 pairs of x86 processors with AVX512_BF16 (VDPBF16PS), the variant
 * `avx512_bf16`: 16 sums of two products each, in the time of a float32 fma of 16. The instruction is bytes, for compilers
 * that take the processor for an older one. Eight rows and 32 columns stay in registers 0 to 15, left halves first; 30 and
 * 31 hold a pair of k of the columns, and a pair of a row is broadcast on its way from memory, where the 8 x 16 of a step
 * are all within reach of a displacement of one byte from rax. The odd product of a pair is added first, and what is
 * smaller than a normal float counts as 0. */
#define PARTS_BEGIN
#define PARTS_END

/* Register 8 * half + r += 30 + half times pair p of row r. */
#define AVX_LEFT(r, p) ".byte 0x62,0xf2,0x0e,0x50,0x52,0x40+8*" #r ",16*" #r "+" #p "\n"
#define AVX_RIGHT(r, p) ".byte 0x62,0x72,0x06,0x50,0x52,0x40+8*" #r ",16*" #r "+" #p "\n"
#define AVX_ROWS(X, p) X(0, p) X(1, p) X(2, p) X(3, p) X(4, p) X(5, p) X(6, p) X(7, p)
#define AVX_PAIR(p)                                                                                          \
    "vmovups 64*" #p "(%[b]), %%zmm30\n"                                                                     \
    "vmovups 64*" #p "+1024(%[b]), %%zmm31\n" AVX_ROWS(AVX_LEFT, p) AVX_ROWS(AVX_RIGHT, p)
#define AVX_PAIRS(p, q, r, s) AVX_PAIR(p) AVX_PAIR(q) AVX_PAIR(r) AVX_PAIR(s)

/* Both halves of row r, whose right one is register `right`. */
#define AVX_READ(r, right)                                                                                   \
    "vmovups 128*" #r "(%[c]), %%zmm" #r "\n"                                                                \
    "vmovups 128*" #r "+64(%[c]), %%zmm" #right "\n"
#define AVX_CLEAR(r, right)                                                                                  \
    "vpxorq %%zmm" #r ", %%zmm" #r ", %%zmm" #r "\n"                                                         \
    "vpxorq %%zmm" #right ", %%zmm" #right ", %%zmm" #right "\n"
#define AVX_WRITE(r, right)                                                                                  \
    "vmovups %%zmm" #r ", 128*" #r "(%[c])\n"                                                                \
    "vmovups %%zmm" #right ", 128*" #r "+64(%[c])\n"
#define AVX_SUMS(X) X(0, 8) X(1, 9) X(2, 10) X(3, 11) X(4, 12) X(5, 13) X(6, 14) X(7, 15)

/* As in parts_portable.cl. */
void parts_pass(float *c, __global const uint *a, __global const uint *b, int steps, int a_step, int b_step,
                bool more) {
    ulong rows = (ulong)(size_t)a, columns = (ulong)(size_t)b, left = (ulong)steps;
    __asm__ volatile(AVX_SUMS(AVX_CLEAR) "testl %[more], %[more]\n"
                                         "jz 1f\n" AVX_SUMS(AVX_READ) "1:\n" AVX_PAIRS(0, 1, 2, 3)
                         AVX_PAIRS(4, 5, 6, 7) AVX_PAIRS(8, 9, 10, 11)
                             AVX_PAIRS(12, 13, 14, 15) "addq %[a_step], %[a]\n"
                                                       "addq %[b_step], %[b]\n"
                                                       "decq %[n]\n"
                                                       "jnz 1b\n" AVX_SUMS(AVX_WRITE)
                     : [a] "+a"(rows), [b] "+r"(columns), [n] "+r"(left)
                     : [c] "r"((ulong)(size_t)c), [more] "r"((int)more), [a_step] "r"(4 * (ulong)a_step), [b_step] "r"(4 * (ulong)b_step)
                     : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                       "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm30", "xmm31");
}
