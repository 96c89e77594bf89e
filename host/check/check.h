/* Checks of device kernels: tensors with canaries behind them, and comparisons with double references that a
 * NaN cannot pass. A check collects the cases of one compiled program; its first failure is kept as text,
 * so that a caller can both demand success and, for a broken kernel, failure. */
#ifndef DUN_CHECK_H
#define DUN_CHECK_H

#include "learn/kernels.h"
#include "nn/kernels.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DUN_CHECK_CANARY_WORDS = 64,
    DUN_CHECK_TENSORS = 48,
    DUN_CHECK_BLOCKS = 256,
    DUN_CHECK_OWNED = 8,
    DUN_CHECK_BINS = 7
};

/* A buffer under test: n words of data, then canary words of all ones, which are a NaN too. */
typedef struct {
    dun_buffer buffer;
    const char *name;
    size_t n;
    uint32_t *before; /* (n + DUN_CHECK_CANARY_WORDS) words before the kernel ran */
    bool constant;    /* the kernel must not change it */
} dun_check_tensor;

typedef struct {
    dun_compute *compute;
    dun_gemm *gemm; /* of the products; compute's own unless a test sets another */
    size_t n_cases, n_compared, n_failed;
    double worst;                     /* largest error met, as a part of its tolerance */
    size_t histogram[DUN_CHECK_BINS]; /* of comparisons: error 0; below 1, 3, 10, 30, 100 % of the tolerance;
                                         more */
    char message[700];                /* the first failure */
    char name[160];                   /* of the running case */
    uint64_t draws;
    dun_check_tensor tensors[DUN_CHECK_TENSORS];
    size_t n_tensors;
    void *blocks[DUN_CHECK_BLOCKS];
    size_t n_blocks;
    struct {
        void *object;
        void (*release)(void *);
    } owned[DUN_CHECK_OWNED];
    size_t n_owned;
    bool stopped;             /* the running case met an error (memory, or the driver) and goes no further */
    dun_check_tensor nothing; /* stands for the tensors of a stopped case */
} dun_check;

void dun_check_init(dun_check *c, dun_compute *compute);

/* A case: named for messages; its random numbers depend on its index alone. dun_check_end looks at every
 * canary and every constant, and frees what the case made. */
void dun_check_begin(dun_check *c, size_t index, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void dun_check_end(dun_check *c);

/* A whole case, of which `run` is all but dun_check_end. */
void dun_check_run_case(dun_check *c, void (*run)(dun_check *c, size_t index), size_t index);

/* What stops the running case as failed when it is an error (memory, or the driver). From then on, until the
 * case is over, every function here does nothing: memory is NULL, which a case asks `stopped` for before it
 * touches any; tensors are an empty one; and no `call` is made. */
#define DUN_CHECK_TRY(c, call) ((c)->stopped ? (void)0 : dun_check_stop_at((c), (call)))
void dun_check_stop_at(dun_check *c, int rc);

/* A zeroed object of the case; dun_check_end releases it, whatever happens before. NULL: stopped. */
void *dun_check_own(dun_check *c, size_t size, void (*release)(void *));

void dun_check_fail(dun_check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Memory until dun_check_end, zeroed. NULL: stopped. */
double *dun_check_doubles(dun_check *c, size_t n);
int32_t *dun_check_ints(dun_check *c, size_t n);

/* Normal numbers times scale, each exactly a float. */
double *dun_check_random(dun_check *c, size_t n, double scale);

/* What a kernel only reads; what it must write in full (full of NaN before); what it reads and writes. */
dun_check_tensor *dun_check_input(dun_check *c, const char *name, const double *values, size_t n);
dun_check_tensor *dun_check_input_ints(dun_check *c, const char *name, const int32_t *values, size_t n);
dun_check_tensor *dun_check_output(dun_check *c, const char *name, size_t n);
dun_check_tensor *dun_check_in_out(dun_check *c, const char *name, const double *values, size_t n);

/* Declares that no later kernel changes a tensor that an earlier one wrote. */
void dun_check_freeze(dun_check *c, dun_check_tensor *tensor);

/* The floats a tensor holds now. NULL: stopped. */
double *dun_check_read(dun_check *c, const dun_check_tensor *tensor);

/* Launches a kernel of a list, or of the room nn or learn; builds its topic if need be. */
void dun_check_launch(dun_check *c, const dun_kernel_list *list, size_t id, dun_range range,
                      const dun_arg *args, size_t n_args);
#define DUN_CHECK_LAUNCH(c, room, id, range, ...)                                                            \
    ((c)->stopped                                                                                            \
         ? (void)0                                                                                           \
         : dun_check_launch((c), &dun_##room##_kernels, DUN_K_##id, (range), (const dun_arg[]){__VA_ARGS__}, \
                            sizeof((const dun_arg[]){__VA_ARGS__}) / sizeof(dun_arg)))
#define DUN_CHECK_ROWS(c, n) dun_rows((c)->compute, (size_t)(n))
#define DUN_CHECK_ITEMS(c, n) dun_items((c)->compute, (size_t)(n))

/* || got - want ||_2 <= tolerance * (|| want ||_2 + floor * sqrt(n)), and no element further off than 30
 * times that share of the largest. A NaN in `want` means: this element must have kept its bits. */
void dun_check_close(dun_check *c, const dun_check_tensor *tensor, const double *want, double tolerance);
void dun_check_close_floor(dun_check *c, const dun_check_tensor *tensor, const double *want, double tolerance,
                           double floor);

/* Every float finite, and zero or normal. */
void dun_check_tame(dun_check *c, const dun_check_tensor *tensor);

/* || got - want ||_2 / || want ||_2; infinite when a NaN is in it. */
double dun_check_relative_error(const double *got, const double *want, size_t n);

#endif
