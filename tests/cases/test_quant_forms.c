/* The decoders' other forms on the host: values, fours and runs of a block are what the whole block is. */
#include "base/rng.h"
#include "model/quant.h"
#include "model/quant_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { N_BLOCKS = 67 };

static void expect_bits(const char *name, const char *form, const float *found, const float *wanted,
                        size_t n) {
    if (memcmp(found, wanted, n * sizeof *found) != 0)
        fail_msg("%s%s gives other numbers than decode_%s", form, name, name);
}

/* A block as a whole, and value by value, by fours and by runs: the same bits, and no float beyond those.
 * Blocks end where memory does, for the sanitizers. */
static void test_forms(void **state) {
    (void)state;
    uint64_t draw = 1 << 22;
#define FORMS(name, values, bytes, form, id)                                                                 \
    for (int i = 0; i < N_BLOCKS; i++) {                                                                     \
        uint8_t *block = malloc(bytes);                                                                      \
        float *whole = malloc((values) * sizeof *whole), *part = malloc(32 * sizeof *part);                  \
        float *four = malloc(4 * sizeof *four);                                                              \
        assert_true(block &&whole &&part &&four);                                                            \
        do                                                                                                   \
            for (int j = 0; j < (bytes); j++)                                                                \
                block[j] = (uint8_t)dun_random_u64(1, DUN_STREAM_TEST, draw++);                              \
        while (!dun_quant_finite(id, block, values));                                                        \
        decode_##name(whole, block);                                                                         \
        for (uint j = 0; j < (values); j++)                                                                  \
            expect_bits(#name, "value_", (const float[]){value_##name(block, j)}, whole + j, 1);             \
        for (uint j = 0; j < (values); j += 4) {                                                             \
            four_##name(four, block, j);                                                                     \
            expect_bits(#name, "four_", four, whole + j, 4);                                                 \
        }                                                                                                    \
        for (uint j = 0; j < (values); j += 32) {                                                            \
            run_##name(part, block, j / 32);                                                                 \
            expect_bits(#name, "run_", part, whole + j, 32);                                                 \
        }                                                                                                    \
        free(block);                                                                                         \
        free(whole);                                                                                         \
        free(part);                                                                                          \
        free(four);                                                                                          \
    }
    EACH_BLOCK_FORMAT(FORMS)
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_forms)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
