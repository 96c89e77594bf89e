/* Writes and checks the file, and falls back to the one before.
 * Layout: head, host data, each tensor; the head's checksum covers everything after it. */
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
enum { VERSION = 4, VERSION_0_1 = 3 };

typedef struct {
    char magic[8];
    uint64_t version, checksum, body_bytes;
} head;

#define FIELD(member) DUN_FIELD(dun_checkpoint, member)
static const dun_field fields[] = {
    FIELD(config_hash), FIELD(model_hash), FIELD(tiles),           FIELD(step),          FIELD(epoch),
    FIELD(texts_done),  FIELD(optim_step), FIELD(calculated_step), FIELD(history_bytes), FIELD(last_loss),
    FIELD(n_train),     FIELD(n_valid),    FIELD(train_hash),      FIELD(valid_hash)};
static const dun_field head_fields[] = {DUN_FIELD(head, magic), DUN_FIELD(head, version),
                                        DUN_FIELD(head, checksum), DUN_FIELD(head, body_bytes)};
enum {
    N_FIELDS = sizeof fields / sizeof *fields,
    N_FIELDS_0_1 = N_FIELDS - 4, /* without what it knows of the data */
    N_HEAD = sizeof head_fields / sizeof *head_fields
};

size_t dun_fields_bytes(const dun_field *list, size_t n) {
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += list[i].bytes;
    return bytes;
}

uint8_t *dun_fields_put(uint8_t *at, const void *record, const dun_field *list, size_t n) {
    for (size_t i = 0; i < n; at += list[i++].bytes)
        memcpy(at, (const char *)record + list[i].offset, list[i].bytes);
    return at;
}

const uint8_t *dun_fields_take(void *record, const uint8_t *at, const dun_field *list, size_t n) {
    for (size_t i = 0; i < n; at += list[i++].bytes)
        memcpy((char *)record + list[i].offset, at, list[i].bytes);
    return at;
}

static size_t body_bytes(const dun_checkpoint_data *data, size_t n_fields) {
    size_t bytes = dun_fields_bytes(fields, n_fields) + data->host_bytes;
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
    head h = {.version = VERSION, .body_bytes = body_bytes(data, N_FIELDS)};
    memcpy(h.magic, magic, sizeof magic);
    const size_t head_bytes = dun_fields_bytes(head_fields, N_HEAD);
    TRY_NEW(bytes, head_bytes + h.body_bytes);
    uint8_t *at = dun_fields_put(bytes + head_bytes, checkpoint, fields, N_FIELDS);
    if (data->host_bytes)
        memcpy(at, data->host, data->host_bytes);
    at += data->host_bytes;
    for (size_t i = 0; i < data->n_device; i++) {
        TRY(dun_buffer_read(at, data->device[i], 0, data->device[i]->bytes));
        at += data->device[i]->bytes;
    }
    h.checksum = dun_hash(DUN_HASH_START, bytes + head_bytes, h.body_bytes);
    dun_fields_put(bytes, &h, head_fields, N_HEAD);
    TRY(make_path(&path, run_path, "checkpoint"));
    TRY(make_path(&previous, run_path, "checkpoint.previous"));
    if (rename(path.bytes, previous.bytes) < 0 && errno != ENOENT)
        TRY(dun_error(DUN_FAILED, "%s: cannot be kept: %s", path.bytes, strerror(errno)));
    TRY(dun_file_write(path.bytes, bytes, head_bytes + h.body_bytes));
out:
    dun_str_free(&previous);
    dun_str_free(&path);
    dun_free(bytes);
    return rc;
}

/* A damaged file, as one that a crash cut off; the one before it may serve. */
static int check_head(size_t *n_fields, const dun_file *file, const char *path) {
    head h;
    const size_t head_bytes = dun_fields_bytes(head_fields, N_HEAD);
    if (file->length < head_bytes || memcmp(file->bytes, magic, sizeof magic) != 0)
        return dun_error(DUN_BAD_INPUT, "%s: is not a checkpoint of dunlin", path);
    dun_fields_take(&h, file->bytes, head_fields, N_HEAD);
    if (h.version != VERSION && h.version != VERSION_0_1)
        return dun_error(DUN_BAD_INPUT,
                         "%s: is a checkpoint of version %" PRIu64 "; this program reads versions %d and %d",
                         path, h.version, VERSION_0_1, VERSION);
    *n_fields = h.version == VERSION ? N_FIELDS : N_FIELDS_0_1;
    if (h.body_bytes != file->length - head_bytes || h.body_bytes < dun_fields_bytes(fields, *n_fields))
        return dun_error(DUN_BAD_INPUT, "%s: has %zu bytes, should have %" PRIu64 " (cut off?)", path,
                         file->length, h.body_bytes + head_bytes);
    if (h.checksum != dun_hash(DUN_HASH_START, file->bytes + head_bytes, h.body_bytes))
        return dun_error(DUN_BAD_INPUT, "%s: the checksum does not agree: the file is damaged", path);
    return DUN_OK;
}

/* "40 training texts (hash ...), now 30 (...)"; the hashes alone do not say what became of them. */
static int add_change(dun_str *out, const char *what, uint64_t n, uint64_t hash, uint64_t n_now,
                      uint64_t hash_now) {
    int rc = DUN_OK;
    if (n == n_now && hash == hash_now)
        goto out;
    TRY(dun_str_addf(out, "%s%" PRIu64 " %s texts (hash %016" PRIx64 "), now ", out->length ? "; " : "", n,
                     what, hash));
    if (n != n_now)
        TRY(dun_str_addf(out, "%" PRIu64 " (%016" PRIx64 ")", n_now, hash_now));
    else
        TRY(dun_str_addf(out, "as many with other content or order (%016" PRIx64 ")", hash_now));
out:
    return rc;
}

static int check_data(const dun_checkpoint *found, const dun_checkpoint *running, const char *path) {
    int rc = DUN_OK;
    dun_str changes = {0};
    if (!found->n_train)
        goto out;
    TRY(add_change(&changes, "training", found->n_train, found->train_hash, running->n_train,
                   running->train_hash));
    TRY(add_change(&changes, "validation", found->n_valid, found->valid_hash, running->n_valid,
                   running->valid_hash));
    if (changes.length)
        TRY(dun_error(
            DUN_BAD_INPUT,
            "%s: belongs to other data: it had %s; a run is resumed with the data it was begun with", path,
            changes.bytes));
out:
    dun_str_free(&changes);
    return rc;
}

/* Model, config and data: what is known before a device is. */
static int check_known(const dun_checkpoint *found, const dun_checkpoint *running, const char *path) {
    if (found->model_hash != running->model_hash)
        return dun_error(DUN_BAD_INPUT, "%s: belongs to model %016" PRIx64 ", running %016" PRIx64, path,
                         found->model_hash, running->model_hash);
    const uint64_t config = found->n_train ? running->config_hash : running->config_hash_0_1;
    if (found->config_hash != config)
        return dun_error(DUN_BAD_INPUT,
                         "%s: belongs to config %016" PRIx64 ", running %016" PRIx64
                         "; a run is resumed with the config it was begun with",
                         path, found->config_hash, config);
    return check_data(found, running, path);
}

/* The same tiles behind the mark of a team whose devices compute alike. */
static bool is_of_a_team(const dun_checkpoint *found, const dun_checkpoint *running) {
    for (size_t i = 0; i < DUN_CHECKPOINT_TEAMS; i++) {
        char mark[40];
        const size_t n =
            (size_t)snprintf(mark, sizeof mark, DUN_CHECKPOINT_TEAM, (unsigned long long)running->teams[i]);
        if (memcmp(found->tiles, mark, n) == 0 &&
            strncmp(found->tiles + n, running->tiles, sizeof found->tiles - n - 1) == 0)
            return true;
    }
    return false;
}

static int check_tiles(const dun_checkpoint *found, const dun_checkpoint *running, const char *path) {
    if (memcmp(found->tiles, running->tiles, sizeof found->tiles) != 0 && !is_of_a_team(found, running))
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

/* Without `data` it only looks whether the checkpoint is of this run. */
static int read_file(dun_checkpoint *checkpoint, const dun_checkpoint_data *data, const dun_file *file,
                     size_t n_fields, const char *path) {
    int rc = DUN_OK;
    dun_checkpoint found = {0};
    const size_t head_bytes = dun_fields_bytes(head_fields, N_HEAD);
    const uint8_t *at = dun_fields_take(&found, file->bytes + head_bytes, fields, n_fields);
    TRY(check_known(&found, checkpoint, path));
    if (!data) {
        if (!found.n_train)
            dun_warn(
                "%s: comes from version 0.1 and does not know its data; they are taken for those it was begun "
                "with",
                path);
        goto out;
    }
    TRY(check_tiles(&found, checkpoint, path));
    if (file->length - head_bytes != body_bytes(data, n_fields))
        TRY(dun_error(DUN_BAD_INPUT, "%s: has tensors of other sizes than this run", path));
    if (data->host_bytes)
        memcpy(data->host, at, data->host_bytes);
    at += data->host_bytes;
    for (size_t i = 0; i < data->n_device; i++) {
        TRY(check_finite(at, data->device[i]->bytes, path));
        TRY(dun_buffer_write(data->device[i], 0, at, data->device[i]->bytes));
        at += data->device[i]->bytes;
    }
    /* What is saved from now on is of this version, and knows its data. */
    found.config_hash = checkpoint->config_hash;
    found.config_hash_0_1 = checkpoint->config_hash_0_1;
    memcpy(found.tiles, checkpoint->tiles, sizeof found.tiles);
    memcpy(found.teams, checkpoint->teams, sizeof found.teams);
    found.n_train = checkpoint->n_train;
    found.n_valid = checkpoint->n_valid;
    found.train_hash = checkpoint->train_hash;
    found.valid_hash = checkpoint->valid_hash;
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
    size_t n_fields = N_FIELDS;
    TRY(make_path(&path, run_path, name));
    if (access(path.bytes, F_OK) < 0)
        goto out;
    TRY(dun_file_map(&file, path.bytes));
    if (check_head(&n_fields, &file, path.bytes) < 0) {
        rc = DAMAGED;
        goto out;
    }
    TRY(read_file(checkpoint, data, &file, n_fields, path.bytes));
    rc = READ;
out:
    dun_file_unmap(&file);
    dun_str_free(&path);
    return rc;
}

int dun_checkpoint_read(dun_checkpoint *checkpoint, const dun_checkpoint_data *data, const char *run_path) {
    int rc = read_named(checkpoint, data, run_path, "checkpoint");
    if (rc == DAMAGED && data)
        dun_warn("%s; trying the one before it", dun_error_message());
    if (rc == READ || rc < 0)
        return rc;
    int before = read_named(checkpoint, data, run_path, "checkpoint.previous");
    if (before == NO_FILE)
        before = rc;
    return before == DAMAGED ? DUN_BAD_INPUT : before;
}

int dun_checkpoint_look(const dun_checkpoint *running, const char *run_path) {
    dun_checkpoint copy = *running;
    const int rc = dun_checkpoint_read(&copy, NULL, run_path);
    return rc < 0 ? rc : DUN_OK;
}
