/* See checkpoint.h. Layout: head, host data, each tensor; the head's checksum covers everything after it. */
#include "run/checkpoint.h"

#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char magic[8] = "DUNCKPT";
enum { VERSION = 3 };

typedef struct {
    char magic[8];
    uint64_t version, checksum, body_bytes;
} head;

static size_t body_bytes(const dun_checkpoint_data *data) {
    size_t bytes = sizeof(dun_checkpoint) + data->host_bytes;
    for (size_t i = 0; i < data->n_device; i++)
        bytes += data->device[i]->bytes;
    return bytes;
}

static int make_path(dun_str *path, const char *run_path, const char *name) {
    return dun_str_addf(path, "%s/%s", run_path, name);
}

int dun_checkpoint_write(const dun_checkpoint *checkpoint, const dun_checkpoint_data *data,
                         const char *run_path) {
    int rc = DUN_OK;
    uint8_t *bytes = NULL;
    dun_str path = {0}, previous = {0};
    head h = {.version = VERSION, .body_bytes = body_bytes(data)};
    memcpy(h.magic, magic, sizeof magic);
    TRY_NEW(bytes, sizeof h + h.body_bytes);
    uint8_t *at = bytes + sizeof h;
    memcpy(at, checkpoint, sizeof *checkpoint);
    at += sizeof *checkpoint;
    if (data->host_bytes)
        memcpy(at, data->host, data->host_bytes);
    at += data->host_bytes;
    for (size_t i = 0; i < data->n_device; i++) {
        TRY(dun_buffer_read(at, data->device[i], 0, data->device[i]->bytes));
        at += data->device[i]->bytes;
    }
    h.checksum = dun_hash(DUN_HASH_START, bytes + sizeof h, h.body_bytes);
    memcpy(bytes, &h, sizeof h);
    TRY(make_path(&path, run_path, "checkpoint"));
    TRY(make_path(&previous, run_path, "checkpoint.previous"));
    if (rename(path.bytes, previous.bytes) < 0 && errno != ENOENT)
        TRY(dun_error(DUN_FAILED, "%s: cannot be kept: %s", path.bytes, strerror(errno)));
    TRY(dun_file_write(path.bytes, bytes, sizeof h + h.body_bytes));
out:
    dun_str_free(&previous);
    dun_str_free(&path);
    dun_free(bytes);
    return rc;
}

/* A damaged file, as one that a crash cut off; the one before it may serve. */
static int check_head(const dun_file *file, const char *path) {
    head h;
    if (file->length < sizeof h || memcmp(file->bytes, magic, sizeof magic) != 0)
        return dun_error(DUN_BAD_INPUT, "%s: is not a checkpoint of dunlin", path);
    memcpy(&h, file->bytes, sizeof h);
    if (h.version != VERSION)
        return dun_error(DUN_BAD_INPUT,
                         "%s: is a checkpoint of version %" PRIu64 "; this program reads version %d", path,
                         h.version, VERSION);
    if (h.body_bytes != file->length - sizeof h || h.body_bytes < sizeof(dun_checkpoint))
        return dun_error(DUN_BAD_INPUT, "%s: has %zu bytes, should have %" PRIu64 " (cut off?)", path,
                         file->length, h.body_bytes + sizeof h);
    if (h.checksum != dun_hash(DUN_HASH_START, file->bytes + sizeof h, h.body_bytes))
        return dun_error(DUN_BAD_INPUT, "%s: the checksum does not agree: the file is damaged", path);
    return DUN_OK;
}

static int check_origin(const dun_checkpoint *found, const dun_checkpoint *running, const char *path) {
    if (found->model_hash != running->model_hash)
        return dun_error(DUN_BAD_INPUT, "%s: belongs to model %016" PRIx64 ", running %016" PRIx64, path,
                         found->model_hash, running->model_hash);
    if (found->config_hash != running->config_hash)
        return dun_error(DUN_BAD_INPUT,
                         "%s: belongs to config %016" PRIx64 ", running %016" PRIx64
                         "; a run is resumed with the config it was begun with",
                         path, found->config_hash, running->config_hash);
    if (memcmp(found->tiles, running->tiles, sizeof found->tiles) != 0)
        return dun_error(DUN_BAD_INPUT,
                         "%s: belongs to tiles \"%.*s\", running \"%.*s\"; use the device it was "
                         "begun on",
                         path, (int)sizeof found->tiles, found->tiles, (int)sizeof running->tiles,
                         running->tiles);
    return DUN_OK;
}

static int check_finite(const uint8_t *bytes, size_t n, const char *path) {
    for (size_t i = 0; i + sizeof(float) <= n; i += sizeof(float)) {
        float value;
        memcpy(&value, bytes + i, sizeof value);
        if (!isfinite(value))
            return dun_error(DUN_BAD_INPUT, "%s: holds a value that is not finite", path);
    }
    return DUN_OK;
}

static int read_file(dun_checkpoint *checkpoint, const dun_checkpoint_data *data, const dun_file *file,
                     const char *path) {
    int rc = DUN_OK;
    dun_checkpoint found;
    const uint8_t *at = file->bytes + sizeof(head);
    memcpy(&found, at, sizeof found);
    at += sizeof found;
    TRY(check_origin(&found, checkpoint, path));
    if (file->length - sizeof(head) != body_bytes(data))
        TRY(dun_error(DUN_BAD_INPUT, "%s: has tensors of other sizes than this run", path));
    if (data->host_bytes)
        memcpy(data->host, at, data->host_bytes);
    at += data->host_bytes;
    for (size_t i = 0; i < data->n_device; i++) {
        TRY(check_finite(at, data->device[i]->bytes, path));
        TRY(dun_buffer_write(data->device[i], 0, at, data->device[i]->bytes));
        at += data->device[i]->bytes;
    }
    *checkpoint = found;
out:
    return rc;
}

enum { NO_FILE = 0, READ = 1, DAMAGED = 2 };

static int read_named(dun_checkpoint *checkpoint, const dun_checkpoint_data *data, const char *run_path,
                      const char *name) {
    int rc = DUN_OK;
    dun_str path = {0};
    dun_file file = {0};
    TRY(make_path(&path, run_path, name));
    if (access(path.bytes, F_OK) < 0)
        goto out;
    TRY(dun_file_map(&file, path.bytes));
    if (check_head(&file, path.bytes) < 0) {
        rc = DAMAGED;
        goto out;
    }
    TRY(read_file(checkpoint, data, &file, path.bytes));
    rc = READ;
out:
    dun_file_unmap(&file);
    dun_str_free(&path);
    return rc;
}

int dun_checkpoint_read(dun_checkpoint *checkpoint, const dun_checkpoint_data *data, const char *run_path) {
    int rc = read_named(checkpoint, data, run_path, "checkpoint");
    if (rc == DAMAGED)
        dun_warn("%s; trying the one before it", dun_error_message());
    if (rc == READ || rc < 0)
        return rc;
    int before = read_named(checkpoint, data, run_path, "checkpoint.previous");
    if (before == NO_FILE)
        before = rc;
    return before == DAMAGED ? DUN_BAD_INPUT : before;
}
