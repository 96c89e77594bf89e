/* Binary files besides models: safetensors, gzip, saved prompts and checkpoints. */
#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "io/data/gzip.h"
#include "io/store/safetensors.h"
#include "run/checkpoint.h"
#include "session/runfile.h"
#include "targets.h"

#include <math.h>
#include <string.h>

void fuzz_safetensors(const uint8_t *bytes, size_t length) {
    dun_safetensors file;
    if (fuzz_accepted(dun_safetensors_parse(&file, bytes, length, "p.safetensors"), DUN_BAD_INPUT,
                      DUN_BAD_INPUT))
        for (size_t i = 0; i < file.n_tensors; i++) {
            const dun_tensor *tensor = &file.tensors[i];
            const uint8_t *data = tensor->data;
            static const uint64_t sizes[] = {[DUN_F32] = 4, [DUN_F16] = 2, [DUN_BF16] = 2, [DUN_I64] = 8};
            uint64_t n = tensor->bytes, known = tensor->dtype < DUN_OTHER ? sizes[tensor->dtype] : 0;
            for (uint32_t k = 0; k < tensor->n_dims && known; k++)
                known *= tensor->dims[k];
            FUZZ_EXPECT(tensor->dtype >= DUN_OTHER || known == n);
            FUZZ_EXPECT(dun_safetensors_find(&file, tensor->name) == tensor);
            FUZZ_EXPECT(n == 0 || (data >= bytes && n <= length && (size_t)(data - bytes) <= length - n));
        }
    dun_safetensors_free(&file);
}

void fuzz_gzip(const uint8_t *bytes, size_t length) {
    enum { MOST_BYTES = 4 << 20 };
    uint8_t *out = NULL;
    size_t n = 0;
    if (fuzz_accepted(dun_gzip_expand_within(&out, &n, MOST_BYTES, bytes, length, "d.gz"), DUN_BAD_INPUT,
                      DUN_BAD_INPUT))
        FUZZ_EXPECT(n <= MOST_BYTES);
    else
        FUZZ_EXPECT(!out);
    dun_free(out);
}

static void expect_finite(const float *values, size_t n) {
    for (size_t i = 0; i < n; i++)
        FUZZ_EXPECT(isfinite(values[i]));
}

void fuzz_prompt(const uint8_t *bytes, size_t length) {
    dun_saved_prompt saved;
    const char *path = fuzz_file("prompt.safetensors", bytes, length);
    if (fuzz_accepted(dun_saved_prompt_read(&saved, path), DUN_BAD_INPUT, DUN_BAD_INPUT)) {
        expect_finite(saved.rows, (size_t)saved.n_rows * saved.width);
        expect_finite(saved.centroids, (size_t)saved.n_classes * saved.point_width);
        for (uint32_t k = 0; k < saved.n_classes; k++)
            FUZZ_EXPECT(saved.class_names[k]);
    }
    dun_saved_prompt_free(&saved);
}

/* Offsets in a checkpoint: the head's checksum, and the body that it covers. */
enum { CHECKSUM_AT = 16, BODY_AT = 32, CHECKPOINT_BYTES = 4096 };

static void read_checkpoint(const uint8_t *bytes, size_t length) {
    uint8_t host[16] = {0};
    dun_checkpoint_data data = {.host = host, .host_bytes = sizeof host};
    dun_checkpoint checkpoint = {.config_hash = 1, .model_hash = 2, .tiles = "WG 1"};
    fuzz_file("checkpoint", bytes, length);
    if (fuzz_accepted(dun_checkpoint_read(&checkpoint, &data, fuzz_folder()), DUN_BAD_INPUT, DUN_BAD_INPUT))
        FUZZ_EXPECT(checkpoint.config_hash == 1 && checkpoint.model_hash == 2);
}

/* As it is, and with its checksum made right, or nothing would come further. */
void fuzz_checkpoint(const uint8_t *bytes, size_t length) {
    uint8_t fixed[CHECKPOINT_BYTES];
    read_checkpoint(bytes, length);
    if (length < BODY_AT || length > sizeof fixed)
        return;
    memcpy(fixed, bytes, length);
    uint64_t checksum = dun_hash(DUN_HASH_START, bytes + BODY_AT, length - BODY_AT);
    memcpy(fixed + CHECKSUM_AT, &checksum, sizeof checksum);
    read_checkpoint(fixed, length);
}
