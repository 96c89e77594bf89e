/* Named files in memory, and as one string of bytes: magic, version, checksum and length of what follows,
 * then for each file its name's length, its length, its name, its bytes. Numbers are little-endian, of 8
 * bytes. */
#include "run/kept.h"

#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char magic[8] = "DUNRUN\r\n";
enum { VERSION = 1, NUMBER = 8, HEAD = 4 * NUMBER, NAME_BYTES = 64 };

static size_t index_of(const dun_kept *kept, const char *name) {
    size_t i = 0;
    while (i < kept->n && strcmp(kept->files[i].name, name) != 0)
        i++;
    return i;
}

dun_str *dun_kept_at(dun_kept *kept, const char *name) {
    int rc = DUN_OK;
    const size_t i = index_of(kept, name);
    if (i == kept->n) {
        TRY_GROW(kept->files, kept->capacity, kept->n);
        kept->files[i] = (dun_kept_file){0};
        TRY_PTR(kept->files[i].name, dun_strdup(name));
        kept->n++;
    }
out:
    return rc < 0 ? NULL : &kept->files[i].bytes;
}

int dun_kept_put(dun_kept *kept, const char *name, const void *bytes, size_t length) {
    int rc = DUN_OK;
    dun_str *file, copy = {0};
    TRY(dun_str_add(&copy, length ? bytes : "", length));
    TRY_PTR(file, dun_kept_at(kept, name));
    dun_str_free(file);
    *file = copy;
    copy = (dun_str){0};
out:
    dun_str_free(&copy);
    return rc;
}

const dun_str *dun_kept_find(const dun_kept *kept, const char *name) {
    const size_t i = index_of(kept, name);
    return i < kept->n ? &kept->files[i].bytes : NULL;
}

int dun_kept_read(dun_kept *kept, const char *folder, const char *const *names) {
    int rc = DUN_OK;
    dun_file file = {0};
    dun_str path = {0};
    for (; *names; names++) {
        dun_str_clear(&path);
        TRY(dun_str_addf(&path, "%s/%s", folder, *names));
        if (access(path.bytes, F_OK) != 0)
            continue;
        TRY(dun_file_map(&file, path.bytes));
        TRY(dun_kept_put(kept, *names, file.bytes, file.length));
        dun_file_unmap(&file);
    }
out:
    dun_file_unmap(&file);
    dun_str_free(&path);
    return rc;
}

static int write_one(const dun_kept_file *file, const char *folder) {
    int rc = DUN_OK;
    dun_str path = {0};
    TRY(dun_str_addf(&path, "%s/%s", folder, file->name));
    TRY(dun_file_write(path.bytes, file->bytes.bytes, file->bytes.length));
out:
    dun_str_free(&path);
    return rc;
}

int dun_kept_write(const dun_kept *kept, const char *folder, const char *last) {
    int rc = DUN_OK;
    const size_t end = index_of(kept, last);
    for (size_t i = 0; i < kept->n; i++)
        if (i != end)
            TRY(write_one(&kept->files[i], folder));
    if (end < kept->n)
        TRY(write_one(&kept->files[end], folder));
out:
    return rc;
}

static void put_number(uint8_t at[NUMBER], uint64_t value) {
    for (int i = 0; i < NUMBER; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t take_number(const uint8_t *at) {
    uint64_t value = 0;
    for (int i = 0; i < NUMBER; i++)
        value |= (uint64_t)at[i] << 8 * i;
    return value;
}

static int add_number(dun_str *out, uint64_t value) {
    uint8_t bytes[NUMBER];
    put_number(bytes, value);
    return dun_str_add(out, (const char *)bytes, sizeof bytes);
}

int dun_kept_pack(dun_str *out, const dun_kept *kept, const char *const *names) {
    int rc = DUN_OK;
    const size_t begin = out->length;
    TRY(dun_str_add(out, magic, sizeof magic));
    TRY(add_number(out, VERSION));
    TRY(add_number(out, 0));
    TRY(add_number(out, 0));
    for (; *names; names++) {
        const dun_str *file = dun_kept_find(kept, *names);
        if (!file)
            continue;
        TRY(add_number(out, strlen(*names)));
        TRY(add_number(out, file->length));
        TRY(dun_str_add(out, *names, strlen(*names)));
        TRY(dun_str_add(out, file->length ? file->bytes : "", file->length));
    }
    uint8_t *head = (uint8_t *)out->bytes + begin;
    const size_t length = out->length - begin - HEAD;
    put_number(head + 2 * NUMBER, dun_hash(DUN_HASH_START, head + HEAD, length));
    put_number(head + 3 * NUMBER, length);
out:
    return rc;
}

static int check_head(const uint8_t *bytes, size_t length) {
    if (length < HEAD || memcmp(bytes, magic, sizeof magic) != 0)
        return dun_error(DUN_BAD_INPUT, "these %zu bytes are not those of a run", length);
    const uint64_t version = take_number(bytes + NUMBER), whole = take_number(bytes + 3 * NUMBER);
    if (version != VERSION)
        return dun_error(DUN_BAD_INPUT, "these are bytes of version %llu of a run; version %d is read",
                         (unsigned long long)version, VERSION);
    if (whole != length - HEAD)
        return dun_error(DUN_BAD_INPUT,
                         "the bytes of a run are %zu; %llu are needed: they were cut short, or more follow",
                         length, (unsigned long long)(whole > UINT64_MAX - HEAD ? whole : whole + HEAD));
    if (take_number(bytes + 2 * NUMBER) != dun_hash(DUN_HASH_START, bytes + HEAD, length - HEAD))
        return dun_error(DUN_BAD_INPUT, "the bytes of a run are damaged: their checksum does not agree");
    return DUN_OK;
}

/* A name that is no path. */
static int take_name(char out[NAME_BYTES], const uint8_t *at, uint64_t length) {
    bool good = length > 0 && length < NAME_BYTES && !memchr(at, '/', (size_t)length) &&
                !memchr(at, 0, (size_t)length);
    if (!good || at[0] == '.')
        return dun_error(DUN_BAD_INPUT, "the bytes of a run are damaged: a file's name is none");
    memcpy(out, at, (size_t)length);
    out[length] = '\0';
    return DUN_OK;
}

int dun_kept_unpack(dun_kept *out, const void *bytes, size_t length) {
    int rc = DUN_OK;
    const uint8_t *at = bytes, *end = at + length;
    TRY(check_head(at, length));
    for (at += HEAD; at < end;) {
        char name[NAME_BYTES];
        const bool head = end - at >= 2 * NUMBER;
        const uint64_t n = head ? take_number(at) : 0, size = head ? take_number(at + NUMBER) : 0;
        at += head ? 2 * NUMBER : 0;
        if (!head || n > (uint64_t)(end - at) || size > (uint64_t)(end - at) - n)
            TRY(dun_error(DUN_BAD_INPUT, "the bytes of a run are damaged: a file is longer than they are"));
        TRY(take_name(name, at, n));
        TRY(dun_kept_put(out, name, at + n, (size_t)size));
        at += n + size;
    }
out:
    return rc;
}

void dun_kept_free(dun_kept *kept) {
    for (size_t i = 0; i < kept->n; i++) {
        dun_free(kept->files[i].name);
        dun_str_free(&kept->files[i].bytes);
    }
    dun_free(kept->files);
    *kept = (dun_kept){0};
}
