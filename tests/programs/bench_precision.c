/* How fast products of parts are beside float32: split and half by every variant with instructions of its
 * own, by the portable one where there is none, at 160 and 768 rows, forward and backward, in turns, each
 * repetition through several weights so that none waits in a cache. Prints float32's GFLOP/s, and how many
 * times as fast each other form is, by the median of the processors' time, which says more than the clock
 * where others use them too; last the geometric mean of each form. By hand:
 *
 *     bench_precision [ROUNDS [ROWS COLUMNS]...]   rounds in turns, 5; shapes of weights, those of
 * SmolLM2-135M
 */
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "dev/compute.h"
#include "dev/parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_ROUNDS = 99, MAX_SHAPES = 16, MAX_FORMS = 8, WEIGHTS = 12, MOST_M = 768 };
static const uint32_t usual[][2] = {{576, 576}, {384, 576}, {3072, 576}, {576, 1536}};

typedef struct {
    char name[40];
    dun_gemm *gemm;
    dun_matrix w[WEIGHTS];
    double log_ratio;
} form;

typedef struct {
    dun_device *device;
    dun_compute compute;
    form forms[MAX_FORMS];  /* float32 first */
    size_t n_forms, n_rows; /* rows printed */
    int rounds;
    dun_buffer x, y;
} scene;

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int add_form(scene *s, const char *precision, const char *variant) {
    int rc = DUN_OK;
    form *f = &s->forms[s->n_forms];
    TRY(dun_gemm_create(&f->gemm, s->device, s->compute.programs, &s->compute.tiles, "auto"));
    s->n_forms++;
    TRY(dun_gemm_set_precision(f->gemm, precision, variant, "measured"));
    snprintf(f->name, sizeof f->name, "%s", dun_gemm_precision(f->gemm));
out:
    return rc;
}

static int add_forms(scene *s) {
    static const char *const precisions[] = {"half", "split"};
    int rc = DUN_OK;
    TRY(add_form(s, "f32", ""));
    for (size_t i = 0; i < sizeof precisions / sizeof *precisions; i++) {
        const size_t before = s->n_forms;
        for (const dun_variant *const *v = dun_variants; *v && s->n_forms < MAX_FORMS; v++)
            if (!(*v)->cannot(dun_device_describe(s->device)) && ((*v)->instructions || s->n_forms == before))
                TRY(add_form(s, precisions[i], (*v)->name));
    }
out:
    return rc;
}

/* Every weight once. */
static int multiply(scene *s, form *f, bool backward, uint32_t M) {
    int rc = DUN_OK;
    for (size_t i = 0; i < WEIGHTS; i++)
        TRY(backward ? dun_gemm_backward(f->gemm, &s->y, &s->x, &f->w[i], false, M)
                     : dun_gemm_forward(f->gemm, &s->y, 0, &s->x, &f->w[i], NULL, NULL, M));
    TRY(dun_device_finish(s->device));
out:
    return rc;
}

static int compare(scene *s, uint32_t rows, uint32_t columns, bool backward, uint32_t M) {
    int rc = DUN_OK;
    static double busy[MAX_FORMS][MAX_ROUNDS], clocks[MAX_ROUNDS];
    const double flops = 2e-9 * M * rows * columns * WEIGHTS;
    for (int round = -1; round < s->rounds; round++) /* the first does not count */
        for (size_t i = 0; i < s->n_forms; i++) {
            const clock_t before = clock();
            const double begun = dun_clock_seconds();
            TRY(multiply(s, &s->forms[i], backward, M));
            if (round < 0)
                continue;
            busy[i][round] = (double)(clock() - before) / CLOCKS_PER_SEC;
            if (i == 0)
                clocks[round] = dun_clock_seconds() - begun;
        }
    qsort(clocks, (size_t)s->rounds, sizeof *clocks, by_value);
    for (size_t i = 0; i < s->n_forms; i++)
        qsort(busy[i], (size_t)s->rounds, sizeof **busy, by_value);
    const double f32 = busy[0][s->rounds / 2];
    printf("(%u, %u) %-8s %4u rows  f32 %6.1f GFLOP/s, %6.1f a processor;", rows, columns,
           backward ? "backward" : "forward", M, flops / clocks[s->rounds / 2], flops / f32);
    for (size_t i = 1; i < s->n_forms; i++) {
        const double ratio = f32 / busy[i][s->rounds / 2];
        printf(" %s %.2f", s->forms[i].name, ratio);
        s->forms[i].log_ratio += log(ratio);
    }
    s->n_rows++;
    printf("\n");
    fflush(stdout);
out:
    return rc;
}

static int run_shape(scene *s, uint32_t rows, uint32_t columns) {
    int rc = DUN_OK;
    const size_t n = (size_t)rows * columns;
    dun_buffer staging = {0};
    float *values = NULL;
    TRY_NEW(values, n);
    for (size_t i = 0; i < n; i++)
        values[i] = (float)dun_random_normal(1, DUN_STREAM_TEST, i);
    TRY(dun_buffer_create(&staging, s->device, n * sizeof *values, "staging"));
    TRY(dun_buffer_write(&staging, 0, values, n * sizeof *values));
    for (size_t i = 0; i < s->n_forms; i++)
        for (size_t k = 0; k < WEIGHTS; k++)
            TRY(dun_matrix_load(&s->forms[i].w[k], s->forms[i].gemm, &staging, rows, columns,
                                DUN_FORWARD | DUN_BACKWARD));
    for (uint32_t M = 160; M <= MOST_M; M += MOST_M - 160)
        for (int backward = 0; backward < 2; backward++)
            TRY(compare(s, rows, columns, backward, M));
out:
    (void)dun_device_finish(s->device);
    for (size_t i = 0; i < s->n_forms; i++)
        for (size_t k = 0; k < WEIGHTS; k++)
            dun_matrix_free(&s->forms[i].w[k]);
    dun_buffer_free(&staging);
    dun_free(values);
    return rc;
}

/* Activations, and room for what any of the shapes gives. */
static int make_buffers(scene *s, uint32_t widest) {
    int rc = DUN_OK;
    const size_t n = (size_t)MOST_M * widest;
    float *x = NULL;
    TRY_NEW(x, n);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)dun_random_normal(2, DUN_STREAM_TEST, i);
    TRY(dun_buffer_create(&s->x, s->device, n * sizeof *x, "x"));
    TRY(dun_buffer_write(&s->x, 0, x, n * sizeof *x));
    TRY(dun_buffer_create(&s->y, s->device, n * sizeof *x, "y"));
out:
    dun_free(x);
    return rc;
}

int main(int argc, char **argv) {
    int rc = DUN_OK;
    const char *selector = getenv("DUNLIN_TEST_DEVICE");
    const dun_wish wish = {.head_dim = 64, .gemm = "auto"};
    scene s = {.rounds = argc > 1 ? atoi(argv[1]) : 5};
    uint32_t shapes[MAX_SHAPES][2], widest = 0;
    size_t n_shapes = argc > 3 ? (size_t)(argc - 2) / 2 : sizeof usual / sizeof *usual;
    if (s.rounds < 1 || s.rounds > MAX_ROUNDS || n_shapes > MAX_SHAPES || (argc > 2 && argc % 2))
        TRY(dun_error(DUN_USAGE, "bench_precision [ROUNDS to 99 [ROWS COLUMNS]... to 16 of them]"));
    for (size_t i = 0; i < n_shapes; i++)
        for (size_t k = 0; k < 2; k++) {
            shapes[i][k] = argc > 3 ? (uint32_t)atoi(argv[2 + 2 * i + k]) : usual[i][k];
            widest = shapes[i][k] > widest ? shapes[i][k] : widest;
        }
    TRY(dun_device_open(&s.device, selector ? selector : "cpu"));
    TRY(dun_compute_create_wish(&s.compute, s.device, NULL, &wish));
    TRY(add_forms(&s));
    TRY(make_buffers(&s, widest));
    printf("%s, weights (rows, columns)\n", dun_device_describe(s.device)->name);
    for (size_t i = 0; i < n_shapes; i++)
        TRY(run_shape(&s, shapes[i][0], shapes[i][1]));
    printf("geometric means:");
    for (size_t i = 1; i < s.n_forms; i++)
        printf(" %s %.2f", s.forms[i].name, exp(s.forms[i].log_ratio / (double)s.n_rows));
    printf("\n");
out:
    if (rc < 0)
        fprintf(stderr, "bench_precision: %s\n", dun_error_message());
    dun_buffer_free(&s.x);
    dun_buffer_free(&s.y);
    for (size_t i = 0; i < s.n_forms; i++)
        dun_gemm_free(s.forms[i].gemm);
    dun_compute_free(&s.compute);
    dun_device_close(s.device);
    return rc < 0;
}
