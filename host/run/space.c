/* Adds up what a run will write, and asks the disk for it. */
#include "run/space.h"

#include "base/file.h"
#include "run/trajectory.h"

enum {
    CHECKPOINTS = 3,         /* the last, the one before, and the one being written */
    MOMENTS = 3,             /* a trained value and Adam's two moments */
    VALUE_CHARACTERS = 14,   /* of a number in a table */
    REPORT_TEXT_BYTES = 700, /* a text's share of the report, at most */
    STEP_BYTES = 160,        /* a line of the history, and its row in the tables */
    REST_BYTES = 2 << 20     /* config, metrics, pictures, the page */
};

uint64_t dun_space_needed_bytes(const dun_session *session) {
    const dun_config *config = session->config;
    const dun_spec *spec = dun_model_file_spec(session->model);
    uint64_t K = session->labels.n_classes, n = session->n_valid;
    const uint64_t wide = session->prompt.n_prompts * (uint64_t)dun_point_width(spec, &session->point);
    const uint64_t M = dun_metric_dimensions(config, (uint32_t)wide),
                   D = M ? M : wide; /* as it is compared */
    uint64_t trained = (dun_prompt_floats(&session->prompt) + K * D + M * wide) * sizeof(float);
    uint32_t batch_size = (uint32_t)config->train.batch_size;
    uint64_t steps = (session->n_train + batch_size - 1) / batch_size * (uint64_t)config->train.epochs;
    uint64_t text_bytes = 0, bytes = REST_BYTES + steps * STEP_BYTES;
    for (size_t i = 0; session->valid && i < session->valid->n; i++)
        text_bytes += session->valid->examples[i].length;
    bytes += trained * (CHECKPOINTS * MOMENTS + 1);
    if (config->train.keep == DUN_KEEP_BEST)
        bytes += trained * CHECKPOINTS;
    bytes += text_bytes + n * (K + 4) * VALUE_CHARACTERS; /* predictions.tsv */
    if (config->output.report) {
        const dun_trajectory_shape shape = dun_trajectory_plan((uint32_t)K, (uint32_t)D, batch_size, steps);
        uint64_t shown = text_bytes < n * REPORT_TEXT_BYTES ? text_bytes : n * REPORT_TEXT_BYTES;
        bytes += dun_trajectory_bytes(&shape) + 3 * D * sizeof(float) + n * (K * sizeof(float) + 64) + shown +
                 n * 16 * VALUE_CHARACTERS;
    }
    return bytes;
}

int dun_space_check(const dun_session *session, const dun_run_dir *run) {
    return dun_disk_require(run->path, dun_space_needed_bytes(session));
}
