/* Builds the program and every kernel by name, and the ranges that kernels are launched with. */
#include "nn/kernels.h"

#include "base/err.h"
#include "base/str.h"

#include <string.h>

static const char *const kernel_names[DUN_N_KERNELS] = {
#define X(name) #name,
    DUN_KERNELS(X)
#undef X
};

/* Items in a work-group that a kernel is launched with. */
static uint32_t group_of(const dun_tiles *tiles, size_t id) {
    bool attention = id == DUN_K_attention_fwd || id == DUN_K_attention_bwd_q || id == DUN_K_attention_bwd_kv;
    return attention && tiles->attention_group > 1 ? tiles->attention_group : tiles->group;
}

/* Builds everything with the choice's tiles, and asks the driver whether each kernel can be launched so. */
static int build(dun_compute *out, const char *text, const dun_choice *choice) {
    int rc = DUN_OK;
    dun_str defines = {0};
    out->tiles = choice->tiles;
    TRY(dun_tiles_defines(&defines, &out->tiles));
    if (text)
        TRY(dun_program_build_text(&out->program, out->device, text, defines.bytes));
    else
        TRY(dun_program_build(&out->program, out->device, defines.bytes));
    for (size_t i = 0; i < DUN_N_KERNELS; i++) {
        TRY(dun_kernel_create(&out->kernel[i], out->program, kernel_names[i]));
        TRY(dun_kernel_check(out->kernel[i], group_of(&out->tiles, i)));
    }
    TRY(dun_gemm_create(&out->gemm, out->device, out->program, &out->tiles, choice->gemm));
    dun_gemm_because(out->gemm, choice->gemm_reason);
out:
    dun_str_free(&defines);
    return rc;
}

int dun_compute_create_wish(dun_compute *out, dun_device *device, const char *text, const dun_wish *wish) {
    int rc = DUN_OK;
    dun_choice choice;
    const dun_device_info *info = dun_device_describe(device);
    *out = (dun_compute){.device = device};
    TRY(dun_choose(&choice, info, wish));
    while ((rc = build(out, text, &choice)) == DUN_BAD_DEVICE && !wish->exact &&
           dun_choice_simplify(&choice, info, dun_error_message())) {
        dun_warn("tiles %s", choice.tiles_reason);
        dun_compute_free(out);
        *out = (dun_compute){.device = device};
    }
    TRY(rc);
    memcpy(out->reason, choice.tiles_reason, sizeof out->reason);
out:
    if (rc < 0)
        dun_compute_free(out);
    return rc;
}

int dun_compute_create_text(dun_compute *out, dun_device *device, const char *text, uint32_t head_dim,
                            const char *gemm) {
    return dun_compute_create_wish(out, device, text, &(dun_wish){.head_dim = head_dim, .gemm = gemm});
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

dun_range dun_attention_items(const dun_compute *compute, size_t n) {
    uint32_t group = compute->tiles.attention_group;
    return group > 1 ? (dun_range){{n, 1}, group} : dun_items(compute, n);
}
