/* Rows of the embedding table as prompts see them, and how far they spread. */
#include "session/embedding.h"

#include "base/err.h"
#include "base/mem.h"

#include <math.h>

enum { ROWS_A_READ = 64 };

/* Of the table of SmolLM2-135M-Instruct in Q4_1, for which the recipes' rates are. */
static const double recipe_deviation = 0.135578208;

int dun_embedding_rows(float *out, const dun_model_file *model, uint32_t first_row, uint32_t n_rows) {
    int rc;
    const dun_spec *spec = dun_model_file_spec(model);
    const float scale = dun_spec_weight_scale(spec, DUN_W_EMBED);
    TRY(dun_model_file_read(out, model, DUN_W_EMBED, 0, first_row, n_rows));
    for (size_t i = 0; i < (size_t)n_rows * spec->width && scale != 1; i++)
        out[i] *= scale;
out:
    return rc;
}

int dun_embedding_deviation(double *out, const dun_model_file *model) {
    int rc = DUN_OK;
    const dun_spec *spec = dun_model_file_spec(model);
    float *rows = NULL;
    double sum = 0, squares = 0, n = (double)spec->vocab * spec->width;
    TRY_NEW(rows, (size_t)ROWS_A_READ * spec->width);
    for (uint32_t id = 0; id < spec->vocab; id += ROWS_A_READ) {
        const uint32_t n_rows = spec->vocab - id < ROWS_A_READ ? spec->vocab - id : ROWS_A_READ;
        TRY(dun_embedding_rows(rows, model, id, n_rows));
        for (size_t i = 0; i < (size_t)n_rows * spec->width; i++) {
            sum += (double)rows[i];
            squares += (double)rows[i] * (double)rows[i];
        }
    }
    *out = sqrt(squares / n - sum / n * (sum / n));
out:
    dun_free(rows);
    return rc;
}

int dun_embedding_rate(double *out, const dun_model_file *model) {
    int rc;
    double deviation;
    TRY(dun_embedding_deviation(&deviation, model));
    *out = deviation / recipe_deviation;
    if (!(*out < 0.9 || *out > 1.1) || !(deviation > 0))
        *out = 1;
out:
    return rc;
}

float dun_embedding_peft_scale(const dun_spec *spec) {
    return spec->embedding_scale > 0 ? spec->embedding_scale : 1;
}
