/* See kernels.h. */
#include "kernels.h"

#include "err.h"
#include "text.h"

static const char *const kernel_names[DUN_N_KERNELS] = {
#define X(name) #name,
    DUN_KERNELS(X)
#undef X
};

int dun_compute_create_text(dun_compute *out, dun_device *device, const char *text, uint32_t head_dim,
                            const char *gemm) {
    int rc = DUN_OK;
    dun_text defines = {0};
    *out = (dun_compute){.device = device};
    out->tiles = dun_tiles_default(dun_device_describe(device), head_dim);
    TRY(dun_tiles_defines(&defines, &out->tiles));
    if (text)
        TRY(dun_program_build_text(&out->program, device, text, defines.bytes));
    else
        TRY(dun_program_build(&out->program, device, defines.bytes));
    for (size_t i = 0; i < DUN_N_KERNELS; i++)
        TRY(dun_kernel_create(&out->kernel[i], out->program, kernel_names[i]));
    TRY(dun_gemm_create(&out->gemm, device, out->program, &out->tiles, gemm));
out:
    dun_text_free(&defines);
    if (rc < 0)
        dun_compute_free(out);
    return rc;
}

int dun_compute_create(dun_compute *out, dun_device *device, uint32_t head_dim, const char *gemm) {
    return dun_compute_create_text(out, device, NULL, head_dim, gemm);
}

void dun_compute_free(dun_compute *compute) {
    dun_gemm_free(compute->gemm);
    for (size_t i = 0; i < DUN_N_KERNELS; i++)
        dun_kernel_free(compute->kernel[i]);
    dun_program_free(compute->program);
    *compute = (dun_compute){0};
}

dun_range dun_rows(const dun_compute *compute, size_t n) {
    return (dun_range){{n, 1}, compute->tiles.group};
}

dun_range dun_items(const dun_compute *compute, size_t n) {
    return (dun_range){{(n + compute->tiles.group - 1) / compute->tiles.group, 1}, compute->tiles.group};
}
