/* Chooses the steps that become frames, and writes and reads them in half precision.
 * Layout, in native byte order: head, origin f32 [D], then frames of
 * {step u64, n u32, 0 u32, labels i32 [n_points], points f16 (n_points, D), centroids f16 (K, D)}. */
#include "run/trajectory.h"

#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/quant.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

static const char magic[8] = "DUNTRAJ";
enum { VERSION = 1, FEWEST_POINTS = 8, FEWEST_FRAMES = 2 };

typedef struct {
    char magic[8];
    uint32_t version, padding;
    dun_trajectory_shape shape;
} head;

typedef struct {
    uint64_t step;
    uint32_t n, padding;
} frame_head;

static uint64_t values_of(const dun_trajectory_shape *s) {
    return ((uint64_t)s->n_points + s->n_classes) * s->width;
}

static uint64_t frame_bytes(const dun_trajectory_shape *s) {
    return sizeof(frame_head) + (uint64_t)s->n_points * sizeof(int32_t) + values_of(s) * sizeof(uint16_t);
}

static uint64_t bytes_with(const dun_trajectory_shape *s, uint64_t n_frames) {
    return sizeof(head) + (uint64_t)s->width * sizeof(float) + n_frames * frame_bytes(s);
}

uint64_t dun_trajectory_bytes(const dun_trajectory_shape *shape) {
    return bytes_with(shape, shape->n_frames);
}

dun_trajectory_shape dun_trajectory_plan(uint32_t n_classes, uint32_t width, uint32_t batch_size,
                                         uint64_t n_steps) {
    dun_trajectory_shape s = {.n_classes = n_classes, .width = width, .n_steps = n_steps};
    s.n_points = batch_size < DUN_TRAJECTORY_POINTS ? batch_size : DUN_TRAJECTORY_POINTS;
    s.n_frames = n_steps < DUN_TRAJECTORY_FRAMES ? (uint32_t)n_steps : DUN_TRAJECTORY_FRAMES;
    while (dun_trajectory_bytes(&s) > DUN_TRAJECTORY_BYTES && s.n_points > FEWEST_POINTS)
        s.n_points = s.n_points / 2 > FEWEST_POINTS ? s.n_points / 2 : FEWEST_POINTS;
    uint64_t room = bytes_with(&s, 0) < DUN_TRAJECTORY_BYTES ? DUN_TRAJECTORY_BYTES - bytes_with(&s, 0) : 0;
    if (s.n_frames > room / frame_bytes(&s))
        s.n_frames = (uint32_t)(room / frame_bytes(&s));
    if (s.n_frames < FEWEST_FRAMES && s.n_frames < n_steps)
        s.n_frames = 0;
    return s;
}

/* Frames after so many steps: floor(step * frames / steps), so that every step is decided by itself. */
static uint64_t frames_after(const dun_trajectory_shape *s, uint64_t step) {
    if (step >= s->n_steps)
        return s->n_frames;
    return step / s->n_steps * s->n_frames + step % s->n_steps * s->n_frames / s->n_steps;
}

static int begin(dun_trajectory *t, const char *path, const dun_buffer *centroids) {
    int rc = DUN_OK;
    uint32_t K = t->shape.n_classes, D = t->shape.width;
    head h = {.version = VERSION, .shape = t->shape};
    memcpy(h.magic, magic, sizeof magic);
    TRY(dun_stream_begin(&t->file, path));
    TRY(dun_buffer_read(t->values, centroids, 0, (size_t)K * D * sizeof(float)));
    for (uint32_t j = 0; j < D; j++) {
        double sum = 0;
        for (uint32_t k = 0; k < K; k++)
            sum += (double)t->values[(size_t)k * D + j];
        t->origin[j] = (float)(sum / K);
    }
    TRY(dun_stream_add(&t->file, &h, sizeof h));
    TRY(dun_stream_add(&t->file, t->origin, D * sizeof *t->origin));
out:
    return rc;
}

static int go_on(dun_trajectory *t, const char *path, uint64_t step) {
    int rc = DUN_OK;
    dun_trajectory_file old = {0};
    uint64_t wanted = frames_after(&t->shape, step);
    TRY(dun_trajectory_read(&old, path));
    if (memcmp(&old.shape, &t->shape, sizeof old.shape) != 0)
        TRY(dun_error(DUN_BAD_INPUT, "%s: belongs to a run of other sizes", path));
    if (old.n_frames < wanted)
        TRY(dun_error(DUN_BAD_INPUT, "%s: has %u frames, the checkpoint was made after %llu", path,
                      old.n_frames, (unsigned long long)wanted));
    memcpy(t->origin, old.origin, t->shape.width * sizeof *t->origin);
    TRY(dun_stream_go_on(&t->file, path));
    TRY(dun_stream_cut(&t->file, bytes_with(&t->shape, wanted)));
out:
    dun_trajectory_free(&old);
    return rc;
}

int dun_trajectory_open(dun_trajectory *t, const dun_trajectory_shape *shape, const char *run_path,
                        const dun_buffer *centroids, uint64_t step) {
    int rc = DUN_OK;
    dun_str path = {0};
    *t = (dun_trajectory){.shape = *shape};
    if (shape->n_frames == 0)
        return DUN_OK;
    TRY(dun_str_addf(&path, "%s/trajectory", run_path));
    TRY_NEW(t->origin, shape->width);
    TRY_NEW(t->values, values_of(shape));
    TRY_NEW(t->frame, frame_bytes(shape));
    TRY(step > 0 ? go_on(t, path.bytes, step) : begin(t, path.bytes, centroids));
out:
    dun_str_free(&path);
    if (rc < 0)
        dun_trajectory_close(t);
    return rc;
}

/* Values beyond half precision are kept at its end: a picture, not a result. */
static void pack_rows(uint8_t *out, const float *rows, uint32_t n, const dun_trajectory *t) {
    uint32_t D = t->shape.width;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < D; j++) {
            float value = rows[(size_t)i * D + j] - t->origin[j];
            uint16_t half = dun_half_from_f32(fminf(fmaxf(value, -65504.0f), 65504.0f));
            memcpy(out + ((size_t)i * D + j) * sizeof half, &half, sizeof half);
        }
}

int dun_trajectory_step(dun_trajectory *t, uint64_t step, const dun_buffer *points,
                        const dun_buffer *centroids, const int32_t *labels, uint32_t n) {
    int rc = DUN_OK;
    const dun_trajectory_shape *s = &t->shape;
    size_t row = s->width * sizeof(float);
    if (!t->file.path || frames_after(s, step) == frames_after(s, step - 1))
        return DUN_OK;
    frame_head h = {.step = step, .n = n < s->n_points ? n : s->n_points};
    const dun_buffer_part parts[] = {
        {t->values, points, 0, h.n * row},
        {t->values + (size_t)s->n_points * s->width, centroids, 0, s->n_classes * row}};
    memset(t->frame, 0, frame_bytes(s));
    memcpy(t->frame, &h, sizeof h);
    memcpy(t->frame + sizeof h, labels, h.n * sizeof *labels);
    TRY(dun_buffer_read_later(parts, 2));
    t->reads = points->device;
out:
    return rc;
}

int dun_trajectory_write(dun_trajectory *t) {
    int rc = DUN_OK;
    const dun_trajectory_shape *s = &t->shape;
    frame_head h;
    if (!t->reads)
        goto out;
    t->reads = NULL;
    memcpy(&h, t->frame, sizeof h);
    uint8_t *at = t->frame + sizeof h + s->n_points * sizeof(int32_t);
    pack_rows(at, t->values, h.n, t);
    pack_rows(at + (size_t)s->n_points * s->width * sizeof(uint16_t),
              t->values + (size_t)s->n_points * s->width, s->n_classes, t);
    TRY(dun_stream_add(&t->file, t->frame, frame_bytes(s)));
out:
    return rc;
}

void dun_trajectory_close(dun_trajectory *t) {
    if (t->reads) /* a step failed: what is queued must not arrive after its place is gone */
        (void)dun_device_finish(t->reads);
    dun_stream_close(&t->file);
    dun_free(t->origin);
    dun_free(t->values);
    dun_free(t->frame);
    *t = (dun_trajectory){0};
}

/* A last frame that a killed run left unfinished is not counted. */
int dun_trajectory_read(dun_trajectory_file *out, const char *path) {
    int rc = DUN_OK;
    head h;
    *out = (dun_trajectory_file){0};
    TRY(dun_file_map(&out->file, path));
    if (out->file.length < sizeof h || memcmp(out->file.bytes, magic, sizeof magic) != 0)
        TRY(dun_error(DUN_BAD_INPUT, "%s: is not a trajectory of dunlin", path));
    memcpy(&h, out->file.bytes, sizeof h);
    if (h.version != VERSION)
        TRY(dun_error(DUN_BAD_INPUT, "%s: is a trajectory of version %u; this program reads version %d", path,
                      h.version, VERSION));
    const dun_trajectory_shape *s = &h.shape;
    if (s->n_points > DUN_TRAJECTORY_POINTS || s->n_classes == 0 || s->width == 0 ||
        s->n_frames > DUN_TRAJECTORY_FRAMES || s->n_classes > INT32_MAX || s->width > INT32_MAX ||
        frame_bytes(s) > DUN_TRAJECTORY_BYTES || dun_trajectory_bytes(s) > DUN_TRAJECTORY_BYTES ||
        out->file.length < bytes_with(s, 0))
        TRY(dun_error(DUN_BAD_INPUT, "%s: its sizes are impossible (cut off?)", path));
    out->shape = h.shape;
    uint64_t n = (out->file.length - bytes_with(s, 0)) / frame_bytes(s);
    out->n_frames = n < s->n_frames ? (uint32_t)n : s->n_frames;
    TRY_NEW(out->origin, s->width);
    memcpy(out->origin, out->file.bytes + sizeof h, s->width * sizeof *out->origin);
out:
    if (rc < 0)
        dun_trajectory_free(out);
    return rc;
}

static int unpack_rows(float *rows, const uint8_t *bytes, uint32_t n, const dun_trajectory_file *file) {
    uint32_t D = file->shape.width;
    for (size_t i = 0; i < (size_t)n * D; i++) {
        uint16_t half;
        memcpy(&half, bytes + i * sizeof half, sizeof half);
        rows[i] = dun_half_to_f32(half) + file->origin[i % D];
        if (!isfinite(rows[i]))
            return dun_error(DUN_BAD_INPUT, "trajectory: holds a value that is not finite");
    }
    return DUN_OK;
}

int dun_trajectory_get(dun_trajectory_frame *frame, float *values, const dun_trajectory_file *file,
                       uint32_t index) {
    int rc = DUN_OK;
    const dun_trajectory_shape *s = &file->shape;
    const uint8_t *at = file->file.bytes + bytes_with(s, index);
    frame_head h;
    memcpy(&h, at, sizeof h);
    *frame = (dun_trajectory_frame){.step = h.step, .n = h.n};
    if (h.n > s->n_points)
        TRY(dun_error(DUN_BAD_INPUT, "trajectory: frame %u claims %u points of at most %u", index, h.n,
                      s->n_points));
    memcpy(frame->labels, at + sizeof h, h.n * sizeof *frame->labels);
    for (uint32_t i = 0; i < h.n; i++)
        if (frame->labels[i] < 0 || (uint32_t)frame->labels[i] >= s->n_classes)
            TRY(dun_error(DUN_BAD_INPUT, "trajectory: frame %u has a point of class %d", index,
                          (int)frame->labels[i]));
    at += sizeof h + s->n_points * sizeof *frame->labels;
    TRY(unpack_rows(values, at, h.n, file));
    TRY(unpack_rows(values + (size_t)s->n_points * s->width,
                    at + (size_t)s->n_points * s->width * sizeof(uint16_t), s->n_classes, file));
out:
    return rc;
}

void dun_trajectory_free(dun_trajectory_file *file) {
    dun_file_unmap(&file->file);
    dun_free(file->origin);
    *file = (dun_trajectory_file){0};
}
