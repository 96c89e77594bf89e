/* How fast products on weights in the form of their file are beside the same weights as float32: every stored
 * format, 160 and 768 rows, forward and backward, in turns. Prints medians in GFLOP/s, their ratio, and that
 * of the processor's time, which says more where others use it too; exit 1 where outputs of the two forms
 * differ by more than rounding. By hand:
 *
 *     bench_stored [ROUNDS [ROWS COLUMNS [FORMAT...]]]   rounds in turns, 9; the weight's shape, (1536, 768)
 */
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "dev/compute.h"
#include "model/quant.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_ROUNDS = 99, MOST_M = 768, FORMS = 2 }; /* float32, stored */

static const uint32_t formats[] = {
#define STORED(name, id, ...) id,
#define NAMED(name, id, instead)
#include "model/quant.def"
};
enum { N_FORMATS = sizeof formats / sizeof *formats };

typedef struct {
    dun_device *device;
    dun_compute compute;
    uint32_t rows, columns;
    int rounds;
    dun_buffer x, y[FORMS];
} scene;

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* One product, waited for. */
static int product(scene *s, int form, const dun_matrix *w, bool backward, uint32_t M) {
    int rc = DUN_OK;
    TRY(backward ? dun_gemm_backward(s->compute.gemm, &s->y[form], &s->x, w, false, M)
                 : dun_gemm_forward(s->compute.gemm, &s->y[form], 0, &s->x, w, NULL, NULL, M));
    TRY(dun_device_finish(s->device));
out:
    return rc;
}

/* The largest difference of the two outputs, relative to the largest output. */
static int distance(double *out, scene *s, size_t n) {
    int rc = DUN_OK;
    float *found[FORMS] = {NULL};
    double most = 0, apart = 0;
    for (int form = 0; form < FORMS; form++) {
        TRY_NEW(found[form], n);
        TRY(dun_buffer_read(found[form], &s->y[form], 0, n * sizeof(float)));
    }
    for (size_t i = 0; i < n; i++) {
        most = fmax(most, fabs((double)found[0][i]));
        apart = fmax(apart, fabs((double)found[0][i] - (double)found[1][i]));
    }
    *out = apart / most;
out:
    dun_free(found[0]);
    dun_free(found[1]);
    return rc;
}

static int compare(double *apart, scene *s, const char *name, const dun_matrix w[FORMS], bool backward,
                   uint32_t M) {
    int rc = DUN_OK;
    double seconds[FORMS][MAX_ROUNDS], busy[FORMS][MAX_ROUNDS], median[FORMS];
    enum { WARM = 1 };
    for (int round = -WARM; round < s->rounds; round++)
        for (int form = 0; form < FORMS; form++) {
            const clock_t busy_before = clock();
            const double begun = dun_clock_seconds();
            TRY(product(s, form, &w[form], backward, M));
            if (round < 0)
                continue;
            seconds[form][round] = dun_clock_seconds() - begun;
            busy[form][round] = (double)(clock() - busy_before);
        }
    for (int form = 0; form < FORMS; form++) {
        qsort(seconds[form], (size_t)s->rounds, sizeof(double), by_value);
        qsort(busy[form], (size_t)s->rounds, sizeof(double), by_value);
        median[form] = seconds[form][s->rounds / 2];
    }
    TRY(distance(apart, s, (size_t)M * (backward ? s->columns : s->rows)));
    double flops = 2e-9 * M * s->rows * s->columns;
    printf("%-7s %-8s %4u rows  f32 %7.1f  stored %7.1f GFLOP/s  ratio %.3f (busy %.3f)  apart %.1e\n", name,
           backward ? "backward" : "forward", M, flops / median[0], flops / median[1], median[0] / median[1],
           busy[0][s->rounds / 2] / busy[1][s->rounds / 2], *apart);
out:
    return rc;
}

/* Random blocks whose numbers are finite, and the floats they mean. */
static int make_weight(uint8_t *blocks, float *values, const dun_quant_type *type, size_t n) {
    size_t n_blocks = n / type->block_values;
    for (size_t i = 0; i < n_blocks * type->block_bytes; i++)
        blocks[i] = (uint8_t)dun_random_u64(1, DUN_STREAM_TEST, i);
    for (size_t i = 0; i < n_blocks; i++) {
        uint8_t *block = blocks + i * type->block_bytes;
        for (size_t j = 1; j < type->block_bytes; j++)
            block[j] &= 0x3b; /* no exponent is all ones */
    }
    dun_quant_to_f32(values, type->id, blocks, n);
    return dun_quant_finite(type->id, blocks, n) ? DUN_OK
                                                 : dun_error(DUN_FAILED, "%s: not finite", type->name);
}

static int load(dun_matrix w[FORMS], scene *s, const dun_quant_type *type, const uint8_t *blocks,
                const float *values) {
    int rc = DUN_OK;
    size_t n = (size_t)s->rows * s->columns;
    dun_buffer staging = {0};
    dun_stored_rows slots[DUN_MATRIX_SLOTS] = {
        {.rows = s->rows,
         .row_bytes = s->columns / type->block_values * type->block_bytes,
         .format = type->id,
         .scale = 1.0f}};
    TRY(dun_buffer_create(&staging, s->device, n * sizeof(float), "staging"));
    TRY(dun_buffer_write(&staging, 0, values, n * sizeof(float)));
    TRY(dun_matrix_load(&w[0], s->compute.gemm, &staging, s->rows, s->columns, DUN_FORWARD | DUN_BACKWARD));
    TRY(dun_buffer_create_over(&slots[0].buffer, s->device, blocks, (size_t)s->rows * slots[0].row_bytes,
                               "stored rows"));
    TRY(dun_matrix_append_stored(&w[1], s->compute.gemm, slots, s->columns));
    TRY(dun_device_finish(s->device));
out:
    dun_buffer_free(&staging);
    return rc;
}

static int run_format(double *worst, scene *s, uint32_t id) {
    int rc = DUN_OK;
    const dun_quant_type *type = dun_quant_find(id);
    size_t n = (size_t)s->rows * s->columns;
    uint8_t *blocks = NULL;
    float *values = NULL;
    dun_matrix w[FORMS] = {{0}};
    TRY_NEW(blocks, n / type->block_values * type->block_bytes);
    TRY_NEW(values, n);
    TRY(make_weight(blocks, values, type, n));
    TRY(load(w, s, type, blocks, values));
    for (int backward = 0; backward < 2; backward++)
        for (uint32_t M = 160; M <= MOST_M; M += MOST_M - 160) {
            double apart;
            TRY(compare(&apart, s, type->name, w, backward, M));
            *worst = fmax(*worst, apart);
        }
out:
    dun_matrix_free(&w[0]);
    dun_matrix_free(&w[1]);
    dun_free(blocks);
    dun_free(values);
    return rc;
}

/* Whether a format is among those named; all are where none is. */
static bool wanted(int argc, char **argv, const char *name) {
    bool found = argc <= 4;
    for (int i = 4; i < argc; i++)
        found |= strcmp(argv[i], name) == 0;
    return found;
}

int main(int argc, char **argv) {
    int rc = DUN_OK;
    const char *selector = getenv("DUNLIN_TEST_DEVICE"), *gemm = getenv("DUNLIN_DEVICE_GEMM");
    const dun_wish wish = {
        .head_dim = 64, .gemm = gemm ? gemm : "auto", .tiles = getenv("DUNLIN_DEVICE_TILES")};
    scene s = {.rows = argc > 3 ? (uint32_t)atoi(argv[2]) : 1536,
               .columns = argc > 3 ? (uint32_t)atoi(argv[3]) : 768,
               .rounds = argc > 1 ? atoi(argv[1]) : 9};
    double worst = 0;
    const uint32_t wide = s.rows > s.columns ? s.rows : s.columns;
    float *x = NULL;
    if (s.rounds < 1 || s.rounds > MAX_ROUNDS || s.rows == 0 || s.columns == 0 || s.columns % 256)
        TRY(dun_error(DUN_USAGE,
                      "bench_stored [ROUNDS to 99 [ROWS COLUMNS, a multiple of 256, [FORMAT...]]]"));
    TRY(dun_device_open(&s.device, selector ? selector : "cpu"));
    TRY(dun_compute_create_wish(&s.compute, s.device, NULL, &wish));
    TRY_NEW(x, (size_t)MOST_M * wide);
    for (size_t i = 0; i < (size_t)MOST_M * wide; i++)
        x[i] = (float)dun_random_normal(2, DUN_STREAM_TEST, i);
    TRY(dun_buffer_create(&s.x, s.device, (size_t)MOST_M * wide * sizeof *x, "x"));
    TRY(dun_buffer_write(&s.x, 0, x, (size_t)MOST_M * wide * sizeof *x));
    for (int form = 0; form < FORMS; form++)
        TRY(dun_buffer_create(&s.y[form], s.device, (size_t)MOST_M * wide * sizeof *x, "y"));
    printf("%s, GEMM %s, weight (%u, %u)\n", dun_device_describe(s.device)->name,
           dun_gemm_name(s.compute.gemm), s.rows, s.columns);
    for (size_t f = 0; f < N_FORMATS; f++)
        if (wanted(argc, argv, dun_quant_find(formats[f])->name))
            TRY(run_format(&worst, &s, formats[f]));
    if (!(worst <= 1e-5))
        TRY(dun_error(DUN_FAILED, "outputs are %.1e apart", worst));
out:
    if (rc < 0)
        fprintf(stderr, "bench_stored: %s\n", dun_error_message());
    dun_free(x);
    dun_buffer_free(&s.x);
    for (int form = 0; form < FORMS; form++)
        dun_buffer_free(&s.y[form]);
    dun_compute_free(&s.compute);
    dun_device_close(s.device);
    return rc < 0;
}
