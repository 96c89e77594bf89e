/* A text compiled for one device with one set of defines, and its kernels. */
#ifndef DUN_PROGRAM_H
#define DUN_PROGRAM_H

#include "base/str.h"
#include "dev/device.h"

typedef struct dun_program dun_program;

/* Compiles the text of a topic of kernels.cl with `defines` ("-DHEAD_DIM=64 ..."), or takes it from the cache
 * (cache.h) when the same was compiled before. Before it compiles, it tells the device's watch unless *told,
 * which is then set. DUN_BAD_DEVICE carries device, defines and the end of the build log. */
int dun_program_build(dun_program **out, dun_device *device, const char *topic, const char *text,
                      const char *defines, bool *told);

/* The same, always compiled. */
int dun_program_build_text(dun_program **out, dun_device *device, const char *text, const char *defines);
void dun_program_free(dun_program *program);

/* Where a program came from, how long that took, and why it cannot be kept for the next time, or "". */
typedef struct {
    bool from_cache;
    double seconds;
    char problem[256];
} dun_program_origin;
const dun_program_origin *dun_program_origin_of(const dun_program *program);

/* One kernel of a program. */
typedef struct dun_kernel dun_kernel;
int dun_kernel_create(dun_kernel **out, dun_program *program, const char *name);
void dun_kernel_free(dun_kernel *kernel);

/* DUN_BAD_DEVICE, saying so, when the driver cannot launch the built kernel in work-groups of that many
 * items, or it takes more local memory than there is. */
int dun_kernel_check(const dun_kernel *kernel, size_t group);

/* Whether it was ever launched. */
bool dun_kernel_was_launched(const dun_kernel *kernel);

/* What goes into one kernel argument. */
typedef struct {
    enum { DUN_ARG_BUFFER, DUN_ARG_INT, DUN_ARG_FLOAT, DUN_ARG_OFFSET, DUN_ARG_LOCAL } kind;
    const void *mem;
    int32_t i;
    float f;
    uint64_t offset; /* of DUN_ARG_LOCAL: bytes */
} dun_arg;

#define DUN_BUF(buffer) ((dun_arg){.kind = DUN_ARG_BUFFER, .mem = (buffer).mem})
#define DUN_INT(value) ((dun_arg){.kind = DUN_ARG_INT, .i = (int32_t)(value)})
#define DUN_FLOAT(value) ((dun_arg){.kind = DUN_ARG_FLOAT, .f = (float)(value)})
#define DUN_LOCAL(bytes) ((dun_arg){.kind = DUN_ARG_LOCAL, .offset = (bytes)})
#define DUN_OFFSET(value) ((dun_arg){.kind = DUN_ARG_OFFSET, .offset = (uint64_t)(value)})

/* Work-groups in two dimensions of `group` items each along the first. */
typedef struct {
    size_t groups[2];
    size_t group;
} dun_range;

/* Enqueues a kernel; arguments in the kernel's order. Nothing is launched for an empty range. */
int dun_launch(dun_kernel *kernel, dun_range range, const dun_arg *args, size_t n_args);
#define DUN_LAUNCH(kernel, range, ...)                                                                       \
    dun_launch((kernel), (range), (const dun_arg[]){__VA_ARGS__},                                            \
               sizeof((const dun_arg[]){__VA_ARGS__}) / sizeof(dun_arg))

#endif
