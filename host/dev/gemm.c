/* The door to the GEMM providers: choice, loading, direction. See gemm.h. */
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

static int copy_staged(dun_buffer *out, const dun_buffer *staging, uint32_t rows, uint32_t columns) {
    int rc = DUN_OK;
    size_t bytes = (size_t)rows * columns * sizeof(float);
    TRY(dun_buffer_create_matrix(out, staging->device, bytes, "a weight"));
    TRY(dun_buffer_copy(out, 0, staging, 0, bytes));
out:
    return rc;
}

/* No layout pads a side to more than a multiple of this. */
enum { PART_ROWS = 128 };

uint32_t dun_matrix_part_rows(const dun_gemm *gemm, uint32_t rows, uint32_t columns) {
    /* what says which blocks of panels have low parts takes less than a column */
    size_t wide = (size_t)columns + (gemm->variant != NULL);
    size_t padded = (wide + PART_ROWS - 1) / PART_ROWS * PART_ROWS;
    uint64_t most = dun_device_describe(gemm->device)->largest_buffer_bytes / sizeof(float) / padded;
    if (most >= (uint64_t)rows + PART_ROWS - 1)
        return rows;
    most = most / PART_ROWS * PART_ROWS;
    if (most == 0)
        most = PART_ROWS; /* perhaps too large all the same: then making the buffer fails */
    return most < rows ? (uint32_t)most : rows;
}

static void free_part(dun_matrix_part *part) {
    dun_buffer_free(&part->forward);
    dun_buffer_free(&part->backward);
    for (size_t i = 0; i < 2; i++)
        dun_buffer_free(&part->parts[i]);
    for (size_t i = 0; i < DUN_MATRIX_SLOTS; i++)
        dun_stored_rows_free(&part->stored[i]);
}

void dun_stored_rows_free(dun_stored_rows *rows) {
    dun_buffer_free(&rows->buffer);
    *rows = (dun_stored_rows){0};
}

bool dun_gemm_reads_stored(const char *provider) {
    const dun_gemm_provider *row = dun_gemm_find(provider);
    return row && row->run_stored;
}

size_t dun_gemm_value_bytes(const char *provider, const char *precision, unsigned directions) {
    const dun_gemm_provider *row = dun_gemm_find(provider);
    const dun_precision *p = dun_precision_find(precision);
    const size_t forward = (directions & DUN_FORWARD) != 0, backward = (directions & DUN_BACKWARD) != 0;
    const size_t floats = dun_precision_is_all(p) ? 0 : row && !row->pack ? 1 : forward + backward;
    const size_t in_parts = (p->texts ? forward : 0) + (p->backward ? backward : 0);
    return floats * sizeof(float) + in_parts * (size_t)dun_precision_parts(p) * sizeof(uint16_t);
}

/* A weight as floats, in the provider's layouts. */
static int load_floats(dun_matrix_part *part, dun_gemm *gemm, const dun_buffer *staging, uint32_t columns,
                       unsigned directions) {
    int rc = DUN_OK;
    if (!gemm->provider->pack) {
        TRY(copy_staged(&part->forward, staging, part->rows, columns));
        goto out;
    }
    if (directions & DUN_FORWARD)
        TRY(gemm->provider->pack(gemm, &part->forward, staging, part->rows, columns, false));
    if (directions & DUN_BACKWARD)
        TRY(gemm->provider->pack(gemm, &part->backward, staging, part->rows, columns, true));
out:
    return rc;
}

/* The same in parts, for the directions whose products are of such. */
static int load_parts(dun_matrix_part *part, dun_gemm *gemm, const dun_buffer *staging, uint32_t columns,
                      unsigned directions) {
    int rc = DUN_OK;
    if (gemm->precision->texts && (directions & DUN_FORWARD))
        TRY(dun_parts_pack(gemm, &part->parts[0], staging, part->rows, columns, false));
    if (gemm->precision->backward && (directions & DUN_BACKWARD))
        TRY(dun_parts_pack(gemm, &part->parts[1], staging, part->rows, columns, true));
out:
    return rc;
}

int dun_matrix_append(dun_matrix *out, dun_gemm *gemm, const dun_buffer *staging, uint32_t rows,
                      uint32_t columns, unsigned directions) {
    int rc = DUN_OK;
    dun_matrix_part part = {.first_row = out->rows, .rows = rows};
    const bool floats = !dun_precision_is_all(gemm->precision);
    out->shared = floats && !gemm->provider->pack;
    if (floats)
        TRY(load_floats(&part, gemm, staging, columns, directions));
    TRY(load_parts(&part, gemm, staging, columns, directions));
    TRY_GROW(out->parts, out->part_capacity, out->n_parts);
    out->parts[out->n_parts++] = part;
    out->rows += rows;
    out->columns = columns;
out:
    if (rc < 0)
        free_part(&part);
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

int dun_matrix_append_stored(dun_matrix *out, dun_gemm *gemm, dun_stored_rows slots[DUN_MATRIX_SLOTS],
                             uint32_t columns) {
    int rc = DUN_OK;
    dun_matrix_part part = {.first_row = out->rows, .rows = slots[0].rows + slots[1].rows, .is_stored = true};
    memcpy(part.stored, slots, sizeof part.stored);
    TRY(dun_gemm_use_stored(gemm));
    TRY_GROW(out->parts, out->part_capacity, out->n_parts);
    out->parts[out->n_parts++] = part;
    out->rows += part.rows;
    out->columns = columns;
    part = (dun_matrix_part){0};
out:
    free_part(&part);
    memset(slots, 0, DUN_MATRIX_SLOTS * sizeof *slots);
    return rc;
}

int dun_matrix_load(dun_matrix *out, dun_gemm *gemm, const dun_buffer *staging, uint32_t rows,
                    uint32_t columns, unsigned directions) {
    *out = (dun_matrix){0};
    int rc = dun_matrix_append(out, gemm, staging, rows, columns, directions);
    if (rc < 0)
        dun_matrix_free(out);
    return rc;
}

void dun_matrix_free(dun_matrix *matrix) {
    for (size_t i = 0; i < matrix->n_parts; i++)
        free_part(&matrix->parts[i]);
    dun_free(matrix->parts);
    *matrix = (dun_matrix){0};
}

void dun_matrix_move(dun_matrix *matrix, dun_device *device) {
    for (size_t i = 0; i < matrix->n_parts; i++) {
        dun_matrix_part *part = &matrix->parts[i];
        part->forward.device = part->backward.device = device;
        for (size_t k = 0; k < 2; k++)
            matrix->parts[i].parts[k].device = device;
        for (size_t slot = 0; slot < DUN_MATRIX_SLOTS; slot++)
            part->stored[slot].buffer.device = device;
    }
}

void dun_matrix_make_common(dun_matrix *matrix) {
    for (size_t i = 0; i < matrix->n_parts; i++) {
        dun_matrix_part *part = &matrix->parts[i];
        dun_buffer_make_common(&part->forward);
        dun_buffer_make_common(&part->backward);
        for (size_t k = 0; k < 2; k++)
            dun_buffer_make_common(&part->parts[k]);
        for (size_t slot = 0; slot < DUN_MATRIX_SLOTS; slot++)
            dun_buffer_make_common(&part->stored[slot].buffer);
    }
}

uint64_t dun_matrix_bytes(const dun_matrix *matrix) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < matrix->n_parts; i++)
        bytes += matrix->parts[i].forward.bytes + matrix->parts[i].backward.bytes +
                 matrix->parts[i].stored[0].buffer.bytes + matrix->parts[i].stored[1].buffer.bytes +
                 matrix->parts[i].parts[0].bytes + matrix->parts[i].parts[1].bytes;
    return bytes;
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
    return rows < PART_ROWS ? PART_ROWS : (uint32_t)rows / PART_ROWS * PART_ROWS;
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
