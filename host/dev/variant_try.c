/* Tries a variant in a child once after every change, and remembers what came of it. */
#include "dev/variant_try.h"

#include "base/cache.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/process.h"
#include "dev/driver.h"
#include "dev/driver_try.h"
#include "dev/gemm.h"
#include "dev/kernel_text.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIMIT_SECONDS = 120, WORD_BYTES = 32 };
static const char works[] = "works";

/* Whole numbers of 9 bits and a sign, which take two parts: products and sums of these are exact in any
 * order. */
static int number_of(uint32_t i) {
    return (int)(i * 2654435761u >> 22) - 512;
}

/* The first part of such a number: its upper 8 bits, ties to even. */
static int high_of(int x) {
    const int size = x < 0 ? -x : x, unit = size >= 512 ? 4 : size >= 256 ? 2 : 1;
    const int rest = size % unit, down = size - rest;
    const int up = 2 * rest > unit || (2 * rest == unit && down / unit % 2);
    return (x < 0 ? -1 : 1) * (down + (up ? unit : 0));
}

static int product_of(int x, int y) {
    return x * y - (x - high_of(x)) * (y - high_of(y));
}

/* A product of that shape; `out` has room for it. */
static int compare(dun_gemm *gemm, dun_device *device, float *values, uint32_t M, uint32_t N, uint32_t K) {
    int rc = DUN_OK;
    const size_t room = ((size_t)M * N + (size_t)M * K + (size_t)N * K) * sizeof(float);
    dun_buffer a = {0}, w = {0}, out = {0};
    dun_matrix matrix = {0};
    TRY(dun_buffer_create(&a, device, room, "numbers to try"));
    TRY(dun_buffer_create(&w, device, room, "numbers to try"));
    TRY(dun_buffer_create(&out, device, room, "numbers to try"));
    for (uint32_t i = 0; i < M * K; i++)
        values[i] = (float)number_of(i);
    TRY(dun_buffer_write(&a, 0, values, (size_t)M * K * sizeof *values));
    for (uint32_t i = 0; i < N * K; i++)
        values[i] = (float)number_of(i + 7);
    TRY(dun_buffer_write(&w, 0, values, (size_t)N * K * sizeof *values));
    TRY(dun_matrix_load(&matrix, gemm, &w, N, K, DUN_FORWARD));
    TRY(dun_gemm_forward(gemm, &out, 0, &a, &matrix, NULL, NULL, M));
    TRY(dun_buffer_read(values, &out, 0, (size_t)M * N * sizeof *values));
    for (uint32_t m = 0; m < M; m++)
        for (uint32_t n = 0; n < N; n++) {
            int want = 0;
            for (uint32_t k = 0; k < K; k++)
                want += product_of(number_of(m * K + k), number_of(n * K + k + 7));
            if (values[m * N + n] != (float)want)
                TRY(dun_error(DUN_BAD_DEVICE, "of a product %u x %u x %u, value (%u, %u) is %g, not %d", M, K,
                              N, m, n, (double)values[m * N + n], want));
        }
out:
    dun_matrix_free(&matrix);
    dun_buffer_free(&out);
    dun_buffer_free(&w);
    dun_buffer_free(&a);
    return rc;
}

int dun_variant_try_here(const char *selector, const char *variant) {
    enum { MOST = 1 << 16 };
    static const uint32_t shapes[][3] = {{1, 1, 1}, {16, 16, 32}, {33, 70, 50}, {70, 33, 64}};
    int rc = DUN_OK;
    dun_device *device = NULL;
    dun_programs *programs = NULL;
    dun_gemm *gemm = NULL;
    float *values = NULL;
    dun_str read = {0};
    const char *text;
    TRY_NEW(values, MOST);
    TRY(dun_kernel_text_find(&text, &read));
    TRY(dun_device_open(&device, selector));
    const dun_tiles tiles = dun_tiles_default(dun_device_describe(device), 64);
    TRY(dun_programs_create(&programs, device, text, &tiles));
    TRY(dun_gemm_create(&gemm, device, programs, &tiles, "naive"));
    TRY(dun_gemm_set_precision(gemm, "split", variant, "tried"));
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        TRY(compare(gemm, device, values, shapes[i][0], shapes[i][1], shapes[i][2]));
out:
    dun_gemm_free(gemm);
    dun_programs_free(programs);
    dun_device_close(device);
    dun_str_free(&read);
    dun_free(values);
    return rc;
}

int dun_variant_try_word(const char *selector, const char *word) {
    dun_driver_trial_here();
    return *word >= '0' && *word <= '9' ? dun_driver_try_here(selector, (unsigned)strtoul(word, NULL, 10))
                                        : dun_variant_try_here(selector, word);
}

static int make_key(dun_str *out, const dun_device_info *info, const char *variant) {
    int rc = DUN_OK;
    char does[64];
    uint64_t kernels;
    TRY(dun_kernel_text_hash(&kernels));
    snprintf(does, sizeof does, "products by %s", variant);
    TRY(dun_driver_key(out, info, does));
    TRY(dun_str_addf(out, "kernels %016llx\n", (unsigned long long)kernels));
out:
    return rc;
}

static void keep(const dun_str *key, const char *answer) {
    char problem[256];
    (void)dun_cache_keep(problem, sizeof problem, DUN_CACHE_DRIVERS, key, answer, strlen(answer));
    dun_driver_note_variant(dun_hash(DUN_HASH_START, key->bytes, key->length), strcmp(answer, works) == 0);
}

/* What is known of it; false: nothing. */
static bool recall(bool *good, dun_str *why, const dun_str *key) {
    dun_cached cached;
    const uint64_t hash = dun_hash(DUN_HASH_START, key->bytes, key->length);
    if (dun_driver_knows_variant(good, hash) && *good)
        return true;
    if (!dun_cache_find(&cached, DUN_CACHE_DRIVERS, key))
        return dun_driver_knows_variant(good, hash);
    *good = cached.length == strlen(works) && memcmp(cached.bytes, works, cached.length) == 0;
    if (!*good)
        (void)dun_str_add(why, (const char *)cached.bytes, cached.length);
    dun_driver_note_variant(hash, *good);
    dun_cached_close(&cached);
    return true;
}

/* What comes from outside, and says nothing of the variant: somebody who ends it, a system without memory. */
static bool was_ended(const dun_process_end *end) {
    static const int signals[] = {SIGHUP, SIGINT, SIGTERM, SIGKILL};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (!end->timed_out && end->signal == signals[i])
            return true;
    return false;
}

/* Appends how it ended, unless it worked. An error: that is not known, and nothing to remember. */
static int ask_child(dun_str *answer, const dun_device_info *info, const char *program, const char *variant) {
    int rc = DUN_OK;
    char selector[WORD_BYTES];
    const char *vendors = dun_driver_vendors();
    const char *argv[] = {program, "try-driver", selector, variant, *vendors ? vendors : NULL, NULL};
    dun_process_end end;
    dun_str printed = {0};
    snprintf(selector, sizeof selector, "%u:%u", info->platform_index, info->device_index);
    TRY(dun_process_run(&end, &printed, argv, DUN_STDERR_WITH_STDOUT, LIMIT_SECONDS));
    if (dun_interrupted())
        TRY(dun_error(DUN_INTERRUPTED, "interrupted"));
    if (was_ended(&end))
        TRY(dun_error(DUN_FAILED, "its process was ended by signal %d", end.signal));
    if (end.status == 0) {
        TRY(dun_str_addf(answer, "%s", works));
    } else {
        TRY(dun_str_addf(answer, "%s, tried in a process of its own: ", variant));
        TRY(dun_process_describe(answer, &end, LIMIT_SECONDS));
        TRY(dun_process_add_words(answer, ": ", printed.bytes ? printed.bytes : "", printed.length));
    }
out:
    dun_str_free(&printed);
    return rc;
}

static int find_out(bool *good, dun_str *why, const dun_device_info *info, const char *variant,
                    const dun_str *key) {
    int rc = DUN_OK, locked = -1;
    dun_str program = {0}, answer = {0};
    if (!dun_driver_find_program(&program)) {
        TRY(dun_str_addf(why, "%s was not tried, for there is no program dunlin to try it in", variant));
        goto out;
    }
    locked = dun_driver_lock();
    if (recall(good, why, key)) /* meanwhile */
        goto out;
    TRY(ask_child(&answer, info, program.bytes, variant));
    keep(key, answer.bytes);
    *good = strcmp(answer.bytes, works) == 0;
    if (!*good)
        TRY(dun_str_addf(why, "%s", answer.bytes));
out:
    if (locked >= 0)
        close(locked);
    dun_str_free(&answer);
    dun_str_free(&program);
    return rc;
}

bool dun_variant_try(dun_str *why, const dun_device_info *info, const char *variant) {
    bool good = false;
    dun_str key = {0};
    if (make_key(&key, info, variant) < 0 ||
        (!recall(&good, why, &key) && find_out(&good, why, info, variant, &key) < 0)) {
        good = false;
        (void)dun_str_addf(why, "%s could not be tried: %s", variant, dun_error_message());
        dun_error_clear();
    }
    dun_str_free(&key);
    return good;
}

void dun_variant_put_aside(const dun_device_info *info, const char *variant, const char *why) {
    dun_str key = {0}, answer = {0};
    if (make_key(&key, info, variant) == DUN_OK &&
        dun_str_addf(&answer, "%s fails the self-test: %s", variant, why) == DUN_OK)
        keep(&key, answer.bytes);
    dun_str_free(&answer);
    dun_str_free(&key);
}
