/* From a choice of tiles to built programs, and what stands in when the driver refuses them. */
#include "dev/compute.h"

#include "base/err.h"
#include "dev/opencl.h"

#include <string.h>

/* Builds with the choice's tiles what the wish names, and asks the driver whether each kernel can be launched
 * so. */
static int build(dun_compute *out, const char *text, const dun_choice *choice, const dun_wish *wish) {
    int rc = DUN_OK;
    out->tiles = choice->tiles;
    TRY(dun_programs_create(&out->programs, out->device, text, &out->tiles));
    TRY(dun_gemm_create(&out->gemm, out->device, out->programs, &out->tiles, choice->gemm));
    dun_gemm_because(out->gemm, choice->gemm_reason);
    TRY(dun_gemm_set_precision(out->gemm, choice->precision, choice->variant, choice->precision_reason));
    if (wish->every_gemm)
        TRY(dun_gemm_build_all(out->device, out->programs, &out->tiles));
    for (size_t i = 0; i < DUN_WISH_USES && wish->uses[i].list; i++)
        TRY(dun_programs_use(out->programs, wish->uses[i].list, wish->uses[i].topics));
out:
    dun_programs_say(out->programs);
    return rc;
}

int dun_compute_create_wish(dun_compute *out, dun_device *device, const char *text, const dun_wish *wish) {
    int rc = DUN_OK;
    dun_choice choice;
    const dun_device_info *info = dun_device_describe(device);
    *out = (dun_compute){.device = device};
    TRY(dun_choose(&choice, info, wish));
    while ((rc = build(out, text, &choice, wish)) == DUN_BAD_DEVICE && !wish->exact && !device->refused &&
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
    return dun_compute_create_wish(out, device, text,
                                   &(dun_wish){.head_dim = head_dim, .gemm = gemm, .precision = "f32"});
}

int dun_compute_create(dun_compute *out, dun_device *device, uint32_t head_dim, const char *gemm) {
    return dun_compute_create_text(out, device, NULL, head_dim, gemm);
}

void dun_compute_free(dun_compute *compute) {
    dun_gemm_free(compute->gemm);
    dun_programs_free(compute->programs);
    *compute = (dun_compute){0};
}

int dun_compute_use(const dun_compute *compute, const dun_kernel_list *list, unsigned topics) {
    int rc = dun_programs_use(compute->programs, list, topics);
    dun_programs_say(compute->programs);
    return rc;
}

dun_kernel *dun_compute_kernel(const dun_compute *compute, const dun_kernel_list *list, size_t kernel) {
    return dun_programs_kernel(compute->programs, list, kernel);
}

dun_range dun_rows(const dun_compute *compute, size_t n) {
    return (dun_range){{n, 1}, compute->tiles.group};
}

dun_range dun_items(const dun_compute *compute, size_t n) {
    return (dun_range){{(n + compute->tiles.group - 1) / compute->tiles.group, 1}, compute->tiles.group};
}

uint32_t dun_group_of_rows(const dun_tiles *tiles, size_t kernel) {
    (void)kernel;
    return tiles->group;
}
