/* Measures one candidate of dunlin tune in this process; its results are made or held against others. */
#include "cmd/tune_measure.h"

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "bench/tune.h"
#include "cmd/out.h"
#include "dev/tuning.h"
#include "io/model_file.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Two orders of float32 sums through two blocks differ by some 1e-6; f16 weights by some 1e-3. */
static const double tolerance = 1e-4, half_tolerance = 2e-2;

static int compare(json_t *object, const dun_tune_result *result, const char *path, bool half) {
    int rc = DUN_OK;
    dun_file file = {0};
    if (access(path, F_OK) < 0) {
        TRY(dun_file_write(path, result->results, result->n_results * sizeof(float)));
        goto out;
    }
    TRY(dun_file_map(&file, path));
    double off =
        dun_tune_difference(result, (const float *)(const void *)file.bytes, file.length / sizeof(float));
    TRY(dun_json_set(object, "off", dun_json_real(off)));
    if (!(off <= (half ? half_tolerance : tolerance)))
        TRY(dun_json_set(object, "wrong", json_true()));
out:
    dun_file_unmap(&file);
    return rc;
}

int dun_tune_measure_here(const dun_args *args, const char *candidate, const char *model,
                          const char *device_name) {
    int rc = DUN_OK;
    dun_model_file *file = NULL;
    dun_device *device = NULL;
    dun_tune_result result = {0};
    json_t *object = json_object();
    char gemm[16] = "", tiles[DUN_TUNING_TEXT];
    const char *reference = dun_args_value(args, "reference");
    if (sscanf(candidate, "%15s", gemm) != 1)
        TRY(dun_error(DUN_USAGE, "tune: --measure: \"GEMM TILES\" is needed, as \"local WG=64 TS_M=32\""));
    bool half = strstr(candidate, "TS_HALF=1") != NULL;
    snprintf(tiles, sizeof tiles, "default %.300s", candidate + strspn(candidate, " ") + strlen(gemm));
    TRY(dun_model_file_open(&file, model, DUN_MODEL_SPEC));
    TRY(dun_device_open(&device, device_name));
    const dun_spec *spec = dun_model_file_spec(file);
    const dun_wish wish = {.head_dim = spec->head_dim,
                           .gemm = gemm,
                           .tiles = tiles,
                           .precision = "f32",
                           .half_weights = half,
                           .exact = true};
    double enough_s = strcmp(gemm, "naive") == 0 ? 0 : dun_args_has(args, "quick") ? 0.25 : 0.8;
    TRY(dun_tune_measure(&result, device, spec, &wish, enough_s));
    TRY(dun_json_set(object, "build_s", dun_json_real(result.build_s)));
    TRY(dun_json_set(object, "text_s", dun_json_real(result.text_s)));
    TRY(dun_json_set(object, "step_s", dun_json_real(result.step_s)));
    if (reference)
        TRY(compare(object, &result, reference, half));
    TRY(dun_out_json(object));
out:
    json_decref(object);
    dun_tune_result_free(&result);
    dun_device_close(device);
    dun_model_file_free(file);
    return rc;
}
