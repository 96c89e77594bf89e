/* The door to the GEMM providers: choice, kernels, direction. See gemm.h. */
#include "dev/gemm.h"

#include "base/err.h"
#include "base/mem.h"
#include "dev/gemm_parts.h"
#include "dev/gemm_provider.h"

#include <stdio.h>
#include <string.h>

#define PROVIDER(id, word) &dun_gemm_##word,
#define NAME(id, word) #word,
#define OR_NAME(id, word) ", " #word
static const dun_gemm_provider *const providers[] = {DUN_GEMM_WORDS(PROVIDER)};
enum { N_PROVIDERS = sizeof providers / sizeof *providers };

const char *const dun_gemm_provider_names[] = {DUN_GEMM_WORDS(NAME) NULL};

/* Default by device type: measured on CPUs and on one GPU, see docs/measured.md. */
static const dun_gemm_provider *default_provider(const dun_device_info *info, const char **reason) {
    if (info->type == DUN_DEVICE_CPU) {
        *reason = "default on CPUs: the register tile is about ten times as fast as CLBlast there";
        return &dun_gemm_reg;
    }
    *reason = "default on devices that are not CPUs: tiles in local memory over weights laid out for them";
    return &dun_gemm_local;
}

const char *dun_gemm_default(const char **reason, const char **cannot, const dun_device_info *info) {
    const dun_gemm_provider *provider = default_provider(info, reason);
    *cannot = provider->cannot(info);
    return provider->name;
}

const dun_gemm_provider *dun_gemm_find(const char *name) {
    for (size_t i = 0; i < N_PROVIDERS; i++)
        if (strcmp(name, providers[i]->name) == 0)
            return providers[i];
    return NULL;
}

int dun_gemm_require(const dun_gemm_provider **out, const dun_device_info *info, const char *name) {
    *out = dun_gemm_find(name);
    if (!*out)
        return dun_error(DUN_USAGE,
                         "device.gemm = %s: unknown; it can be one of auto" DUN_GEMM_WORDS(OR_NAME), name);
    const char *why = (*out)->cannot(info);
    if (why)
        return dun_error(DUN_BAD_DEVICE, "device.gemm = %s cannot run on %s: %s; naive always works", name,
                         info->name, why);
    return DUN_OK;
}

static int choose(dun_gemm *gemm, const char *wanted) {
    const dun_device_info *info = dun_device_describe(gemm->device);
    snprintf(gemm->reason, sizeof gemm->reason, "asked for by device.gemm");
    if (strcmp(wanted, "auto") == 0) {
        const char *reason;
        wanted = default_provider(info, &reason)->name;
        snprintf(gemm->reason, sizeof gemm->reason, "%s", reason);
    }
    return dun_gemm_require(&gemm->provider, info, wanted);
}

void dun_gemm_because(dun_gemm *gemm, const char *reason) {
    snprintf(gemm->reason, sizeof gemm->reason, "%s", reason);
}

/* Room for four parts of 256 rows of a wide layer. Products that need more are cut into fewer parts. */
enum { SCRATCH_BYTES = 8 << 20 };

/* The kernels of the provider. */
static int make_kernels(dun_gemm *gemm, dun_programs *programs) {
    int rc = DUN_OK;
    dun_program *program;
    const dun_gemm_provider *provider = gemm->provider;
    TRY(dun_programs_topic(&program, programs, &provider->topic));
    for (size_t i = 0; provider->kernels[i]; i++)
        TRY(dun_kernel_create(&gemm->kernels[i], program, provider->kernels[i]));
    if (provider->tiles)
        TRY(dun_kernel_check(gemm->kernels[0], dun_tiles_local_items(&gemm->tiles)));
out:
    return rc;
}

int dun_gemm_create(dun_gemm **out, dun_device *device, dun_programs *programs, const dun_tiles *tiles,
                    const char *wanted) {
    int rc = DUN_OK;
    dun_gemm *gemm = NULL;
    *out = NULL;
    TRY_NEW(gemm, 1);
    gemm->device = device;
    gemm->tiles = *tiles;
    gemm->programs = programs;
    gemm->precision = dun_precision_find("f32");
    snprintf(gemm->precision_name, sizeof gemm->precision_name, "%s", gemm->precision->word);
    TRY(choose(gemm, wanted));
    if (gemm->provider->tiles && !tiles->local_m)
        TRY(dun_error(DUN_BAD_DEVICE, "GEMM %s needs tiles with TS_M; the program was built without",
                      wanted));
    TRY(make_kernels(gemm, programs));
    if (gemm->provider->tiles && tiles->local_split > 1)
        TRY(dun_buffer_create(&gemm->scratch, device, SCRATCH_BYTES, "the partial sums of products"));
    *out = gemm;
    gemm = NULL;
out:
    dun_gemm_free(gemm);
    return rc;
}

int dun_gemm_use_stored(dun_gemm *gemm) {
    int rc = DUN_OK;
    dun_program *program;
    const dun_gemm_provider *provider = gemm->provider;
    if (gemm->variant)
        TRY(dun_parts_use_stored(gemm));
    if (gemm->stored || dun_precision_is_all(gemm->precision))
        goto out;
    if (!provider->run_stored)
        TRY(dun_error(DUN_USAGE, "GEMM %s reads weights as floats alone; device.gemm = %s, or weights as f32",
                      provider->name, dun_gemm_naive.name));
    TRY(dun_programs_topic(&program, gemm->programs, &provider->stored_topic));
    TRY(dun_kernel_create(&gemm->stored, program, provider->stored_kernel));
    if (provider->tiles)
        TRY(dun_kernel_check(gemm->stored, dun_tiles_local_items(&gemm->tiles)));
out:
    return rc;
}

int dun_gemm_set_precision(dun_gemm *gemm, const char *precision, const char *variant, const char *reason) {
    int rc = DUN_OK;
    const dun_precision *wanted = dun_precision_find(precision);
    snprintf(gemm->precision_reason, sizeof gemm->precision_reason, "%s", reason);
    if (!wanted)
        TRY(dun_error(DUN_USAGE, "device.precision = %s: unknown", precision));
    if (dun_precision_parts(wanted) == 0)
        goto out;
    if (!dun_variant_find(variant))
        TRY(dun_error(DUN_USAGE, "device.precision = %s: no variant is called %s", precision, variant));
    TRY(dun_parts_create(gemm, wanted, dun_variant_find(variant)));
    snprintf(gemm->precision_name, sizeof gemm->precision_name, "%s, %s", wanted->word, gemm->variant->name);
out:
    return rc;
}

const char *dun_gemm_precision(const dun_gemm *gemm) {
    return gemm->precision_name;
}

const char *dun_gemm_precision_word(const dun_gemm *gemm) {
    return gemm->precision->word;
}

const char *dun_gemm_precision_reason(const dun_gemm *gemm) {
    return gemm->precision_reason;
}

int dun_gemm_parts(const dun_gemm *gemm, bool backward) {
    return dun_parts_of(gemm, backward);
}

void dun_gemm_in_texts(dun_gemm *gemm, bool in_texts) {
    gemm->in_texts = in_texts;
}

int dun_gemm_build_all(dun_device *device, dun_programs *programs, const dun_tiles *tiles) {
    int rc = DUN_OK;
    for (size_t i = 0; i < N_PROVIDERS; i++) {
        dun_gemm *gemm;
        if (providers[i]->cannot(dun_device_describe(device)) || (providers[i]->tiles && !tiles->local_m))
            continue;
        TRY(dun_gemm_create(&gemm, device, programs, tiles, providers[i]->name));
        dun_gemm_free(gemm);
    }
out:
    return rc;
}

void dun_gemm_free(dun_gemm *gemm) {
    if (!gemm)
        return;
    for (size_t i = 0; i < sizeof gemm->kernels / sizeof *gemm->kernels; i++)
        dun_kernel_free(gemm->kernels[i]);
    dun_kernel_free(gemm->stored);
    dun_buffer_free(&gemm->scratch);
    dun_parts_free(gemm);
    dun_free(gemm);
}

const char *dun_gemm_name(const dun_gemm *gemm) {
    return gemm->provider->name;
}

const char *dun_gemm_reason(const dun_gemm *gemm) {
    return gemm->reason;
}

/* Rows of a product in one launch. Drivers that also show a screen stop kernels that run for seconds; a tenth
 * of what a processor's clock allows at the least (8 operations a cycle and compute unit) for 50 ms is safe.
 */
static uint32_t launch_rows(const dun_gemm *gemm, const dun_product *p) {
    const dun_device_info *info = dun_device_describe(gemm->device);
    double speed = 8e6 * info->clock_mhz * info->compute_units, row = 2.0 * p->N * p->K;
    double rows = 0.05 * speed / row;
    if (info->type == DUN_DEVICE_CPU || speed <= 0 || rows >= p->M)
        return p->M;
    return rows < DUN_PART_ROWS ? DUN_PART_ROWS : (uint32_t)rows / DUN_PART_ROWS * DUN_PART_ROWS;
}

/* The rows of a product from launch to launch. */
static int run(dun_gemm *gemm, const dun_product *whole) {
    int rc = DUN_OK;
    uint32_t most = launch_rows(gemm, whole);
    for (uint32_t done = 0; done < whole->M; done += most) {
        dun_product p = *whole;
        p.M = whole->M - done < most ? whole->M - done : most;
        p.a_offset += (size_t)done * p.lda;
        p.out_offset += (size_t)done * p.ldo;
        p.add_offset += (size_t)done * p.ldo;
        if (dun_parts_of(gemm, p.backward))
            TRY(dun_parts_run(gemm, &p));
        else
            TRY(p.stored ? gemm->provider->run_stored(gemm, &p) : gemm->provider->run(gemm, &p));
    }
out:
    return rc;
}

/* Each part gives the columns of y that are its rows. */
int dun_gemm_forward(dun_gemm *gemm, dun_buffer *y, size_t y_offset, const dun_buffer *x,
                     const dun_matrix *matrix, const dun_buffer *bias, const dun_buffer *add, uint32_t M) {
    int rc = DUN_OK;
    for (size_t i = 0; i < matrix->n_parts; i++) {
        const dun_matrix_part *part = &matrix->parts[i];
        dun_product product = {.out = y,
                               .out_offset = y_offset + part->first_row,
                               .add_offset = part->first_row,
                               .ldo = matrix->rows,
                               .a = x,
                               .lda = matrix->columns,
                               .b = dun_parts_of(gemm, false) ? &part->parts[0] : &part->forward,
                               .stored = part->is_stored ? part->stored : NULL,
                               .bias = bias,
                               .bias_offset = part->first_row,
                               .add = add,
                               .M = M,
                               .N = part->rows,
                               .K = matrix->columns};
        TRY(run(gemm, &product));
    }
out:
    return rc;
}

/* Each part adds what the columns of dy that are its rows give. */
int dun_gemm_backward(dun_gemm *gemm, dun_buffer *dx, const dun_buffer *dy, const dun_matrix *matrix,
                      bool beta, uint32_t M) {
    int rc = DUN_OK;
    for (size_t i = 0; i < matrix->n_parts; i++) {
        const dun_matrix_part *part = &matrix->parts[i];
        dun_product product = {.out = dx,
                               .ldo = matrix->columns,
                               .a = dy,
                               .a_offset = part->first_row,
                               .lda = matrix->rows,
                               .b = dun_parts_of(gemm, true) ? &part->parts[1]
                                    : matrix->shared         ? &part->forward
                                                             : &part->backward,
                               .stored = part->is_stored ? part->stored : NULL,
                               .add = beta || i > 0 ? dx : NULL,
                               .M = M,
                               .N = matrix->columns,
                               .K = part->rows,
                               .backward = true};
        TRY(run(gemm, &product));
    }
out:
    return rc;
}
