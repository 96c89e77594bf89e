/* Small kernels that do one thing as fast as a device can: multiply and add, read, copy, nothing. */
#include "bench/roof.h"

#include "base/err.h"
#include "dev/buffer.h"
#include "dev/kernel_text.h"

#include <stdio.h>

const char *const dun_roof_names[DUN_ROOF_PRECISIONS] = {[DUN_ROOF_F32] = "f32", [DUN_ROOF_F16] = "f16"};

/* Sums that do not wait for each other (ROOF_CHAINS), and launches in a row. */
enum { CHAINS = 12, LAUNCHES = 200 };

typedef struct {
    const dun_compute *compute;
    dun_program *program;
    dun_kernel *kernel;
    dun_buffer in, out;
    dun_range range;
    size_t items, n_launches;
    int loops, each, apart;
} roof_job;

static int run_fma(void *self) {
    roof_job *job = self;
    return DUN_LAUNCH(job->kernel, job->range, DUN_BUF(job->out), DUN_FLOAT(0.5), DUN_FLOAT(0.5),
                      DUN_INT(job->loops));
}

static int run_pass(void *self) {
    roof_job *job = self;
    return DUN_LAUNCH(job->kernel, job->range, DUN_BUF(job->out), DUN_BUF(job->in), DUN_INT(job->each),
                      DUN_INT(job->apart));
}

static int run_nothing(void *self) {
    int rc = DUN_OK;
    roof_job *job = self;
    for (size_t i = 0; i < job->n_launches; i++)
        TRY(DUN_LAUNCH(job->kernel, job->range, DUN_BUF(job->out), DUN_INT(0)));
out:
    return rc;
}

/* Builds the kernels for a precision, so that all of the above have theirs. */
static int build(roof_job *job, enum dun_roof_precision precision) {
    int rc = DUN_OK;
    dun_str read = {0}, topic = {0}, defines = {0};
    const char *text;
    dun_program_free(job->program);
    job->program = NULL;
    TRY(dun_kernel_text_find(&text, &read));
    TRY(dun_kernel_text_topic(&topic, text, "roof"));
    TRY(dun_str_addf(&defines, "-DROOF_HALF=%d -DVW=%u -DROOF_CHAINS=%d", precision == DUN_ROOF_F16,
                     job->compute->tiles.vector, CHAINS));
    TRY(dun_program_build_text(&job->program, job->compute->device, topic.bytes, defines.bytes));
out:
    dun_str_free(&defines);
    dun_str_free(&topic);
    dun_str_free(&read);
    return rc;
}

/* Seconds of the best repetition; the first does not count. */
static int best(double *seconds, roof_job *job, const char *kernel, int (*work)(void *self)) {
    int rc = DUN_OK;
    static const dun_bench_patience patience = {5, 40, 0.2};
    dun_bench_seconds measured;
    TRY(dun_kernel_create(&job->kernel, job->program, kernel));
    TRY(work(job));
    TRY(dun_bench_repeat(&measured, job->compute->device, &patience, work, job));
    *seconds = measured.best;
out:
    dun_kernel_free(job->kernel);
    job->kernel = NULL;
    return rc;
}

/* Items that keep all of the device busy: some that take long for each unit of a CPU, many for each of a GPU,
 * so that a launch takes milliseconds but no display driver ends it. */
static void spread(roof_job *job) {
    const dun_device_info *info = dun_device_describe(job->compute->device);
    const bool cpu = info->type == DUN_DEVICE_CPU;
    const size_t units = info->compute_units ? info->compute_units : 1, group = cpu ? 1 : 64;
    job->apart = !cpu;
    job->range = (dun_range){{units * 32, 1}, group};
    job->loops = cpu ? 1 << 17 : 1 << 14;
    job->items = job->range.groups[0] * group;
}

/* Two buffers of the same size, whole vectors in fours for each item. */
static int create_buffers(roof_job *job) {
    int rc = DUN_OK;
    enum { MOST_BYTES = 128 << 20 };
    dun_device *device = job->compute->device;
    const dun_device_info *info = dun_device_describe(device);
    const size_t vector_bytes = job->compute->tiles.vector * sizeof(float), item_bytes = 4 * vector_bytes;
    uint64_t used = dun_buffer_live_bytes(), left = info->memory_bytes > used ? info->memory_bytes - used : 0;
    uint64_t bytes = left / 4 < MOST_BYTES ? left / 4 : MOST_BYTES;
    bytes = bytes < info->largest_buffer_bytes ? bytes : info->largest_buffer_bytes;
    uint64_t fours = bytes / (job->items * item_bytes);
    job->each = (int)(4 * (fours ? fours : 1));
    const size_t size = job->items * (size_t)job->each * vector_bytes;
    TRY(dun_buffer_create_matrix(&job->in, device, size, "a measurement of memory"));
    TRY(dun_buffer_create_matrix(&job->out, device, size, "a measurement of memory"));
    TRY(dun_buffer_fill(&job->in, 0));
    TRY(dun_buffer_fill(&job->out, 0));
out:
    return rc;
}

static int measure_arithmetic(dun_roof *out, roof_job *job) {
    int rc = DUN_OK;
    const bool has_half = dun_device_describe(job->compute->device)->fp16;
    for (unsigned p = DUN_ROOF_PRECISIONS; p-- > 0;) { /* f32 last: its program then serves memory */
        double seconds;
        if (p == DUN_ROOF_F16 && !has_half)
            continue;
        TRY(build(job, (enum dun_roof_precision)p));
        TRY(best(&seconds, job, "roof_fma", run_fma));
        out->flops[p] = 2.0 * CHAINS * job->loops * job->compute->tiles.vector * (double)job->items / seconds;
    }
out:
    return rc;
}

int dun_roof_measure(dun_roof *out, const dun_compute *compute) {
    int rc = DUN_OK;
    roof_job job = {.compute = compute};
    double seconds;
    *out = (dun_roof){0};
    spread(&job);
    TRY(create_buffers(&job));
    TRY(measure_arithmetic(out, &job));
    TRY(best(&seconds, &job, "roof_read", run_pass));
    out->read = (double)job.in.bytes / seconds;
    TRY(best(&seconds, &job, "roof_copy", run_pass));
    out->copy = 2.0 * (double)job.in.bytes / seconds;
    job.range.groups[0] = 1;
    job.n_launches = LAUNCHES;
    TRY(best(&seconds, &job, "roof_nothing", run_nothing));
    out->launch = seconds / LAUNCHES;
    job.n_launches = 1;
    TRY(best(&out->wait, &job, "roof_nothing", run_nothing));
out:
    dun_program_free(job.program);
    dun_buffer_free(&job.in);
    dun_buffer_free(&job.out);
    return rc;
}

dun_roof_parts dun_roof_parts_of(const dun_roof *roof, const dun_roof_work *work, double seconds) {
    return (dun_roof_parts){.arithmetic = work->flops / roof->flops[DUN_ROOF_F32] / seconds,
                            .memory = work->bytes / roof->read / seconds,
                            .launches = (double)work->launches * roof->launch / seconds};
}
