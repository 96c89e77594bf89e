/* CLBlast as a GEMM provider: tuned for GPUs of every vendor. Weights stay row-major. */
#include "dev/gemm_provider.h"
#include "dev/opencl.h"

#include <clblast_c.h>
#include <pthread.h>
#include <string.h>

static struct {
    pthread_once_t once;
    __typeof__(CLBlastSgemm) *product;
} library = {.once = PTHREAD_ONCE_INIT};

/* It is loaded when it is first asked for, as the OpenCL loader is, to which it is bound. */
static void load(void) {
    void *function = dun_cl_load() < 0 ? NULL : dun_cl_function("libclblast.so.1", "CLBlastSgemm");
    memcpy(&library.product, &function, sizeof function);
}

static const char *cannot_run(const dun_device_info *info) {
    if (info->max_group_size < 64)
        return "its tiles need work-groups of at least 64 items";
    (void)pthread_once(&library.once, load);
    return library.product ? NULL : "libclblast.so.1 cannot be loaded; the package libclblast1 has it";
}

/* add into out, which CLBlast adds to in place. */
static int copy_rows(const dun_product *p) {
    int rc = DUN_OK;
    bool whole = p->N == p->ldo;
    size_t row = p->N * sizeof(float), stride = p->ldo * sizeof(float);
    for (uint32_t i = 0; i < (whole ? 1 : p->M); i++)
        TRY(dun_buffer_copy(p->out, p->out_offset * sizeof(float) + i * stride, p->add,
                            p->add_offset * sizeof(float) + i * stride, whole ? p->M * row : row));
out:
    return rc;
}

/* bias, and add where there is one, into out. */
static int start_rows(dun_gemm *gemm, const dun_product *p) {
    size_t group = gemm->tiles.group;
    const dun_buffer *add = p->add ? p->add : p->out;
    return DUN_LAUNCH(gemm->kernels[0], ((dun_range){{(p->N + group - 1) / group, p->M}, group}),
                      DUN_BUF(*p->out), DUN_OFFSET(p->out_offset), DUN_INT(p->ldo), DUN_BUF(*p->bias),
                      DUN_OFFSET(p->bias_offset), DUN_BUF(*add), DUN_OFFSET(p->add_offset),
                      DUN_INT(p->add != NULL), DUN_INT(p->N));
}

static int clblast_run(dun_gemm *gemm, const dun_product *p) {
    int rc = DUN_OK;
    bool starts = p->bias || p->add;
    if (p->M == 0)
        goto out;
    if (p->bias)
        TRY(start_rows(gemm, p));
    else if (p->add && p->add->mem != p->out->mem)
        TRY(copy_rows(p));
    CLBlastStatusCode code =
        dun_fault_here() ? CLBlastOpenCLOutOfResources
                         : library.product(CLBlastLayoutRowMajor, CLBlastTransposeNo,
                                           p->backward ? CLBlastTransposeNo : CLBlastTransposeYes, p->M, p->N,
                                           p->K, 1.0f, p->a->mem, p->a_offset, p->lda, p->b->mem, 0,
                                           p->backward ? p->N : p->K, starts ? 1.0f : 0.0f, p->out->mem,
                                           p->out_offset, p->ldo, &gemm->device->queue, NULL);
    if (code != CLBlastSuccess)
        TRY(dun_error(DUN_BAD_DEVICE, "CLBlast failed with code %d on %s, driver %s; try device.gemm = naive",
                      (int)code, gemm->device->info.name, gemm->device->info.driver));
    TRY(dun_queue_launched(gemm->device));
out:
    return rc;
}

DUN_GEMM_PROVIDER(clblast, .cannot = cannot_run, .topic = {"naive", 0}, .kernels = {"gemm_start"},
                  .run = clblast_run);
