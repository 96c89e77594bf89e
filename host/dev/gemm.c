/* The door to the GEMM providers: choice, loading, direction. See gemm.h. */
#include "gemm.h"

#include "err.h"
#include "gemm_provider.h"
#include "mem.h"

#include <string.h>

static const dun_gemm_provider *const providers[] = {&dun_gemm_reg, &dun_gemm_clblast, &dun_gemm_naive};
enum { N_PROVIDERS = sizeof providers / sizeof *providers };

const char *const dun_gemm_provider_names[] = {"reg", "clblast", "naive", NULL};

/* Default by device type: measured on CPUs (see the README), not yet on others. */
static const dun_gemm_provider *default_provider(const dun_device_info *info, const char **reason) {
    if (info->type == DUN_DEVICE_CPU) {
        *reason = "default on CPUs: the register tile is about ten times as fast as CLBlast there";
        return &dun_gemm_reg;
    }
    *reason = "default on devices that are not CPUs: CLBlast's tiles are made for them";
    return &dun_gemm_clblast;
}

const char *dun_gemm_default(const char **reason, const char **cannot, const dun_device_info *info) {
    const dun_gemm_provider *provider = default_provider(info, reason);
    *cannot = provider->cannot(info);
    return provider->name;
}

static int choose(dun_gemm *gemm, const char *wanted) {
    const dun_device_info *info = dun_device_describe(gemm->device);
    gemm->reason = "asked for by device.gemm";
    if (strcmp(wanted, "auto") == 0)
        gemm->provider = default_provider(info, &gemm->reason);
    for (size_t i = 0; i < N_PROVIDERS; i++)
        if (strcmp(wanted, providers[i]->name) == 0)
            gemm->provider = providers[i];
    if (!gemm->provider)
        return dun_error(DUN_USAGE, "device.gemm = %s: unknown; it can be auto, reg, clblast or naive",
                         wanted);
    const char *why = gemm->provider->cannot(info);
    if (why)
        return dun_error(DUN_BAD_DEVICE, "device.gemm = %s cannot run on %s: %s; naive always works", wanted,
                         info->name, why);
    return DUN_OK;
}

int dun_gemm_create(dun_gemm **out, dun_device *device, dun_program *program, const dun_tiles *tiles,
                    const char *wanted) {
    int rc = DUN_OK;
    dun_gemm *gemm = NULL;
    *out = NULL;
    TRY_NEW(gemm, 1);
    gemm->device = device;
    gemm->tiles = *tiles;
    TRY(choose(gemm, wanted));
    for (size_t i = 0; gemm->provider->kernels[i]; i++)
        TRY(dun_kernel_create(&gemm->kernels[i], program, gemm->provider->kernels[i]));
    *out = gemm;
    gemm = NULL;
out:
    dun_gemm_free(gemm);
    return rc;
}

void dun_gemm_free(dun_gemm *gemm) {
    if (!gemm)
        return;
    for (size_t i = 0; i < sizeof gemm->kernels / sizeof *gemm->kernels; i++)
        dun_kernel_free(gemm->kernels[i]);
    dun_free(gemm);
}

const char *dun_gemm_name(const dun_gemm *gemm) {
    return gemm->provider->name;
}

const char *dun_gemm_reason(const dun_gemm *gemm) {
    return gemm->reason;
}

static int copy_staged(dun_buffer *out, const dun_buffer *staging, uint32_t rows, uint32_t columns) {
    int rc = DUN_OK;
    size_t bytes = (size_t)rows * columns * sizeof(float);
    TRY(dun_buffer_create(out, staging->device, bytes, "a weight"));
    TRY(dun_buffer_copy(out, 0, staging, 0, bytes));
out:
    return rc;
}

int dun_matrix_load(dun_matrix *out, dun_gemm *gemm, const dun_buffer *staging, uint32_t rows,
                    uint32_t columns, unsigned directions) {
    int rc = DUN_OK;
    *out = (dun_matrix){.rows = rows, .columns = columns};
    if (!gemm->provider->pack) {
        out->shared = true;
        TRY(copy_staged(&out->forward, staging, rows, columns));
        goto out;
    }
    if (directions & DUN_FORWARD)
        TRY(gemm->provider->pack(gemm, &out->forward, staging, rows, columns, false));
    if (directions & DUN_BACKWARD)
        TRY(gemm->provider->pack(gemm, &out->backward, staging, rows, columns, true));
out:
    if (rc < 0)
        dun_matrix_free(out);
    return rc;
}

void dun_matrix_free(dun_matrix *matrix) {
    dun_buffer_free(&matrix->forward);
    dun_buffer_free(&matrix->backward);
    *matrix = (dun_matrix){0};
}

int dun_gemm_forward(dun_gemm *gemm, dun_buffer *y, size_t y_offset, const dun_buffer *x,
                     const dun_matrix *matrix, const dun_buffer *add, uint32_t M) {
    dun_product product = {.out = y,
                           .out_offset = y_offset,
                           .a = x,
                           .b = &matrix->forward,
                           .add = add,
                           .M = M,
                           .N = matrix->rows,
                           .K = matrix->columns};
    return gemm->provider->run(gemm, &product);
}

int dun_gemm_backward(dun_gemm *gemm, dun_buffer *dx, const dun_buffer *dy, const dun_matrix *matrix,
                      bool beta, uint32_t M) {
    dun_product product = {.out = dx,
                           .a = dy,
                           .b = matrix->shared ? &matrix->forward : &matrix->backward,
                           .add = beta ? dx : NULL,
                           .M = M,
                           .N = matrix->columns,
                           .K = matrix->rows,
                           .backward = true};
    return gemm->provider->run(gemm, &product);
}
