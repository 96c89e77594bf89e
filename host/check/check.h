/* Checks of device kernels: tensors with canaries behind them, and comparisons with double references that a
 * NaN cannot pass. A `check` collects the cases of one compiled program; its first failure is kept as text,
 * so that a caller can both demand success and, for a broken kernel, failure. */
#ifndef DUN_CHECK_H
#define DUN_CHECK_H

#include "nn/kernels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CHECK_CANARY_WORDS = 64, CHECK_TENSORS = 48, CHECK_BLOCKS = 256, CHECK_OWNED = 8, CHECK_BINS = 7 };

/* A buffer under test: n words of data, then canary words of all ones, which are a NaN too. */
typedef struct {
    dun_buffer buffer;
    const char *name;
    size_t n;
    uint32_t *before; /* (n + CHECK_CANARY_WORDS) words before the kernel ran */
    bool constant;    /* the kernel must not change it */
} check_tensor;

typedef struct {
    dun_compute *compute;
    dun_gemm *gemm; /* of the products; compute's own unless a test sets another */
    bool launched[DUN_N_KERNELS];
    size_t n_cases, n_compared, n_failed;
    double worst; /* largest error met, as a part of its tolerance */
    size_t
        histogram[CHECK_BINS]; /* of comparisons: error 0; below 1, 3, 10, 30, 100 % of the tolerance; more */
    char message[700];         /* the first failure */
    char name[160];            /* of the running case */
    uint64_t draws;
    check_tensor tensors[CHECK_TENSORS];
    size_t n_tensors;
    void *blocks[CHECK_BLOCKS];
    size_t n_blocks;
    struct {
        void *object;
        void (*release)(void *);
    } owned[CHECK_OWNED];
    size_t n_owned;
    jmp_buf *leave; /* where a case ends that cannot go on; NULL: it cannot end early, and aborts */
} check;

void check_init(check *c, dun_compute *compute);

/* A case: named for messages; its random numbers depend on its index alone. check_end looks at every canary
 * and every constant, and frees what the case made. */
void check_begin(check *c, size_t index, const char *format, ...) __attribute__((format(printf, 3, 4)));
void check_end(check *c);

/* A whole case, of which `run` is all but check_end; it ends early where it cannot go on. */
void check_run_case(check *c, void (*run)(check *c, size_t index), size_t index);

/* Ends the running case as failed when rc is an error (memory, or the driver). */
void check_try(check *c, int rc);

/* A zeroed object of the case; check_end releases it, whatever happens before. */
void *check_own(check *c, size_t size, void (*release)(void *));

void check_fail(check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Memory until check_end, zeroed. */
double *check_doubles(check *c, size_t n);
int32_t *check_ints(check *c, size_t n);

/* Normal numbers times scale, each exactly a float. */
double *check_random(check *c, size_t n, double scale);

/* What a kernel only reads; what it must write in full (full of NaN before); what it reads and writes. */
check_tensor *check_input(check *c, const char *name, const double *values, size_t n);
check_tensor *check_input_ints(check *c, const char *name, const int32_t *values, size_t n);
check_tensor *check_output(check *c, const char *name, size_t n);
check_tensor *check_in_out(check *c, const char *name, const double *values, size_t n);

/* Declares that no later kernel changes a tensor that an earlier one wrote. */
void check_freeze(check *c, check_tensor *tensor);

/* The floats a tensor holds now. */
double *check_read(check *c, const check_tensor *tensor);

void check_launch(check *c, enum dun_kernel_id id, dun_range range, const dun_arg *args, size_t n_args);
#define CHECK_LAUNCH(c, id, range, ...)                                                                      \
    check_launch((c), DUN_K_##id, (range), (const dun_arg[]){__VA_ARGS__},                                   \
                 sizeof((const dun_arg[]){__VA_ARGS__}) / sizeof(dun_arg))
#define CHECK_ROWS(c, n) dun_rows((c)->compute, (size_t)(n))
#define CHECK_ITEMS(c, n) dun_items((c)->compute, (size_t)(n))
#define CHECK_ATTENTION(c, n) dun_attention_items((c)->compute, (size_t)(n))

/* || got - want ||_2 <= tolerance * (|| want ||_2 + floor * sqrt(n)), and no element further off than 30
 * times that share of the largest. A NaN in `want` means: this element must have kept its bits. */
void check_close(check *c, const check_tensor *tensor, const double *want, double tolerance);
void check_close_floor(check *c, const check_tensor *tensor, const double *want, double tolerance,
                       double floor);

/* Every float finite, and zero or normal. */
void check_tame(check *c, const check_tensor *tensor);

/* || got - want ||_2 / || want ||_2; infinite when a NaN is in it. */
double check_relative_error(const double *got, const double *want, size_t n);

#endif
