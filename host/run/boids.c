/* The flock's steps on the device, and its files. */
#include "run/boids.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/mem.h"
#include "io/store/safetensors.h"
#include "learn/distance.h"
#include "learn/optim.h"
#include "run/boids_start.h"

#include <math.h>
#include <string.h>

static const char kind_name[] = "dunlin-boids-1";
static const uint64_t most_bytes = (uint64_t)2 << 30;

int dun_flock_start(dun_flock *flock, const dun_config *config) {
    int rc = DUN_OK;
    float *start = NULL;
    *flock = (dun_flock){.n_steps = (uint32_t)config->boids.steps};
    TRY(dun_boids_places(&start, &flock->n_points, &flock->n_dimensions, config));
    size_t frame = (size_t)flock->n_points * flock->n_dimensions;
    uint64_t bytes = (uint64_t)frame * (flock->n_steps + 1ULL) * sizeof *flock->positions;
    if (bytes > most_bytes)
        TRY(dun_error(DUN_USAGE,
                      "%s: %u points of %u dimensions over %u steps are %.1f GiB of positions; at most %.0f "
                      "GiB are kept: take fewer boids.steps or a smaller boids.count",
                      dun_config_origin(config, DUN_KEY_boids_steps), flock->n_points, flock->n_dimensions,
                      flock->n_steps, (double)bytes / 0x1p30, (double)most_bytes / 0x1p30));
    TRY_NEW(flock->positions, frame * (flock->n_steps + (size_t)1));
    TRY_NEW(flock->losses, flock->n_steps + (size_t)1);
    memcpy(flock->positions, start, frame * sizeof *start);
out:
    dun_free(start);
    if (rc < 0)
        dun_flock_free(flock);
    return rc;
}

unsigned dun_flock_topics(void) {
    return 1u << DUN_TOPIC_points | 1u << DUN_TOPIC_optim | 1u << DUN_TOPIC_boids;
}

void dun_flock_free(dun_flock *flock) {
    dun_free(flock->positions);
    dun_free(flock->losses);
    *flock = (dun_flock){0};
}

/* The flock on the device; K points of D components. */
typedef struct {
    dun_flock *flock;
    const dun_compute *compute;
    dun_optim optim;
    dun_distance between;
    dun_buffer place, d_place; /* (K, D) */
    dun_buffer pair, d_pair;   /* (K, K) */
    dun_buffer value;          /* (K) */
    float *values;             /* [K] */
} mover;

static int create_mover(mover *m, const dun_config *config) {
    int rc = DUN_OK;
    dun_device *device = m->compute->device;
    uint32_t K = m->flock->n_points, D = m->flock->n_dimensions;
    const dun_optim_settings settings = {.kind = DUN_OPTIMIZER_ADAM,
                                         .beta1 = config->train.beta1,
                                         .beta2 = config->train.beta2,
                                         .eps = config->train.eps};
    size_t places = (size_t)K * D * sizeof(float), pairs = (size_t)K * K * sizeof(float);
    TRY_NEW(m->values, K);
    TRY(dun_learn_use(m->compute, DUN_TOPIC_boids));
    TRY(dun_buffer_create(&m->place, device, places, "the points"));
    TRY(dun_buffer_create(&m->d_place, device, places, "the points' gradient"));
    TRY(dun_buffer_create(&m->pair, device, pairs, "the distances of all pairs (a smaller boids.count)"));
    TRY(dun_buffer_create(&m->d_pair, device, pairs, "the gradients of all pairs (a smaller boids.count)"));
    TRY(dun_buffer_create(&m->value, device, K * sizeof(float), "the loss by point"));
    TRY(dun_distance_create(&m->between, m->compute, DUN_DISTANCE_EUCLIDEAN, 1, K, D, 1));
    TRY(dun_optim_init(&m->optim, m->compute, &settings));
    TRY(dun_optim_add(&m->optim, settings.kind, &m->place, &m->d_place, K, D, config->boids.lr));
    TRY(dun_buffer_write(&m->place, 0, m->flock->positions, places));
out:
    return rc;
}

static void free_mover(mover *m) {
    dun_optim_free(&m->optim);
    dun_distance_free(&m->between);
    dun_buffer_free(&m->place);
    dun_buffer_free(&m->d_place);
    dun_buffer_free(&m->pair);
    dun_buffer_free(&m->d_pair);
    dun_buffer_free(&m->value);
    dun_free(m->values);
}

/* Loss of the points where they are; leaves d_pair. */
static int measure(mover *m, float *loss) {
    int rc = DUN_OK;
    const dun_compute *c = m->compute;
    uint32_t K = m->flock->n_points;
    TRY(dun_distance_pairs_fwd(&m->between, &m->pair, &m->place, K));
    TRY(DUN_LAUNCH(dun_learn_kernel(c, DUN_K_boids_loss), dun_rows(c, K), DUN_BUF(m->value),
                   DUN_BUF(m->d_pair), DUN_BUF(m->pair), DUN_INT(K)));
    TRY(dun_buffer_read(m->values, &m->value, 0, K * sizeof(float)));
    double sum = 0;
    for (uint32_t k = 0; k < K; k++)
        sum += (double)m->values[k];
    *loss = (float)sum;
out:
    return rc;
}

static int move(mover *m, float *places) {
    int rc = DUN_OK;
    uint32_t K = m->flock->n_points, D = m->flock->n_dimensions;
    TRY(dun_distance_pairs_bwd(&m->between, &m->d_place, &m->d_pair, &m->pair, &m->place, K, false));
    TRY(dun_optim_step(&m->optim, 1.0));
    TRY(dun_buffer_read(places, &m->place, 0, (size_t)K * D * sizeof(float)));
out:
    return rc;
}

static int step(mover *m, uint32_t done, double lr, dun_run_dir *run) {
    int rc = DUN_OK;
    dun_flock *flock = m->flock;
    float *loss = &flock->losses[done];
    TRY(measure(m, loss));
    if (!isfinite(*loss))
        TRY(dun_error(DUN_FAILED, "the loss is %g after %u steps; try a lower boids.lr", (double)*loss,
                      done));
    if (done == flock->n_steps)
        goto out;
    if (run)
        TRY(dun_run_dir_step(run, &(dun_step_record){.step = done + 1,
                                                     .loss = *loss,
                                                     .accuracy = NAN,
                                                     .lr = lr,
                                                     .valid_accuracy = NAN,
                                                     .valid_loss = NAN}));
    TRY(move(m, flock->positions + (done + (size_t)1) * flock->n_points * flock->n_dimensions));
out:
    return rc;
}

/* Mean and least distance between the points of the last frame, in double. */
static void describe_end(dun_flock *flock) {
    uint32_t K = flock->n_points, D = flock->n_dimensions;
    const float *end = flock->positions + (size_t)flock->n_steps * K * D;
    double sum = 0, least = INFINITY;
    for (uint32_t j = 0; j < K; j++)
        for (uint32_t k = j + 1; k < K; k++) {
            double squares = 0;
            for (uint32_t i = 0; i < D; i++) {
                double v = (double)end[(size_t)j * D + i] - (double)end[(size_t)k * D + i];
                squares += v * v;
            }
            sum += sqrt(squares);
            least = fmin(least, squares);
        }
    flock->mean_distance = sum / (0.5 * K * (K - 1.0));
    flock->least_distance = sqrt(least);
}

int dun_flock_run(dun_flock *flock, const dun_compute *compute, const dun_config *config, dun_run_dir *run,
                  const dun_observer *observer) {
    int rc = DUN_OK;
    mover m = {.flock = flock, .compute = compute};
    double begun = dun_clock_seconds();
    dun_observe_begin(observer, "boids", "steps", flock->n_steps);
    TRY(create_mover(&m, config));
    for (uint32_t done = 0; done <= flock->n_steps; done++) {
        char note[40];
        if (dun_interrupted())
            TRY(dun_error(DUN_INTERRUPTED, "interrupted"));
        TRY(step(&m, done, config->boids.lr, run));
        snprintf(note, sizeof note, "loss %.4f", (double)flock->losses[done]);
        dun_observe_advance(observer, done, note);
    }
    describe_end(flock);
    flock->seconds = dun_clock_seconds() - begun;
    if (run)
        TRY(dun_run_dir_sync(run));
out:
    dun_observe_end(observer);
    free_mover(&m);
    return rc;
}

static int write_positions(const dun_flock *flock, const dun_run_dir *run) {
    int rc = DUN_OK;
    char *path = NULL;
    uint64_t T = flock->n_steps + 1ULL, K = flock->n_points, D = flock->n_dimensions;
    const dun_tensor tensors[] = {
        {"positions", DUN_F32, 3, {T, K, D, 1}, flock->positions, T * K * D * sizeof(float)},
        {"loss", DUN_F32, 1, {T, 1, 1, 1}, flock->losses, T * sizeof(float)},
    };
    json_t *metadata = json_object();
    TRY(dun_json_set(metadata, "kind", json_string(kind_name)));
    TRY_PTR(path, dun_run_dir_file(run->path, "positions.safetensors"));
    TRY(dun_safetensors_write(path, tensors, 2, metadata));
out:
    dun_free(path);
    json_decref(metadata);
    return rc;
}

int dun_flock_finish(const dun_flock *flock, const dun_compute *compute, const dun_run_dir *run) {
    int rc = DUN_OK;
    dun_str text = {0};
    json_t *root = json_object();
    TRY(write_positions(flock, run));
    TRY(dun_json_set(root, "kind", json_string("boids")));
    TRY(dun_json_set(root, "count", json_integer(flock->n_points)));
    TRY(dun_json_set(root, "dimensions", json_integer(flock->n_dimensions)));
    TRY(dun_json_set(root, "steps", json_integer(flock->n_steps)));
    TRY(dun_json_set(root, "first_loss", dun_json_real((double)flock->losses[0])));
    TRY(dun_json_set(root, "last_loss", dun_json_real((double)flock->losses[flock->n_steps])));
    TRY(dun_json_set(root, "mean_distance", dun_json_real(flock->mean_distance)));
    TRY(dun_json_set(root, "least_distance", dun_json_real(flock->least_distance)));
    TRY(dun_json_set(root, "seconds", dun_json_real(flock->seconds)));
    TRY(dun_json_set(root, "device", dun_run_dir_device_json(compute)));
    TRY(dun_json_set(root, "version", json_string(DUN_VERSION)));
    TRY(dun_json_dump(&text, root));
    TRY(dun_str_add(&text, "\n", 1));
    TRY(dun_run_dir_write(run, "metrics.json", &text));
out:
    dun_str_free(&text);
    json_decref(root);
    return rc;
}

static int check_tensors(const dun_tensor *positions, const dun_tensor *loss, const char *path) {
    if (!positions || positions->dtype != DUN_F32 || positions->n_dims != 3 || !loss ||
        loss->dtype != DUN_F32 || loss->n_dims != 1 || loss->dims[0] != positions->dims[0] ||
        positions->dims[0] == 0 || positions->dims[0] > UINT32_MAX || positions->dims[1] > UINT32_MAX ||
        positions->dims[2] > UINT32_MAX || positions->bytes == 0)
        return dun_error(
            DUN_BAD_INPUT,
            "%s: positions F32 (steps, points, dimensions) and loss F32 (steps) are needed; `dunlin "
            "boids` writes them",
            path);
    return DUN_OK;
}

int dun_flock_read(dun_flock *flock, const char *path) {
    int rc = DUN_OK;
    dun_safetensors file = {0};
    *flock = (dun_flock){0};
    TRY(dun_safetensors_open(&file, path));
    const dun_tensor *positions = dun_safetensors_find(&file, "positions");
    const dun_tensor *loss = dun_safetensors_find(&file, "loss");
    TRY(check_tensors(positions, loss, path));
    flock->n_steps = (uint32_t)(positions->dims[0] - 1);
    flock->n_points = (uint32_t)positions->dims[1];
    flock->n_dimensions = (uint32_t)positions->dims[2];
    TRY_NEW(flock->positions, positions->bytes / sizeof(float));
    TRY_NEW(flock->losses, loss->bytes / sizeof(float));
    memcpy(flock->positions, positions->data, positions->bytes);
    memcpy(flock->losses, loss->data, loss->bytes);
    describe_end(flock);
out:
    dun_safetensors_free(&file);
    if (rc < 0)
        dun_flock_free(flock);
    return rc;
}
