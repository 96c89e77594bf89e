/* Writes the zip archive.
 * Layout of a stored zip archive: for every file a local header, its name and its bytes; then the
 * central directory with the same facts and each file's offset; then the end record. All little-endian. */
#include "io/npz.h"

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

enum {
    LOCAL_SIGNATURE = 0x04034b50,
    CENTRAL_SIGNATURE = 0x02014b50,
    END_SIGNATURE = 0x06054b50,
    VERSION = 20,           /* 2.0, enough for stored files */
    FIRST_DAY = 1 << 5 | 1, /* 1 January 1980: no times, so that equal values give equal bytes */
};

typedef struct {
    dun_str out, directory;
    uint16_t n_files;
    const char *path;
} archive;

static int put(dun_str *out, uint64_t value, size_t n_bytes) {
    char bytes[8];
    for (size_t i = 0; i < n_bytes; i++)
        bytes[i] = (char)(value >> 8 * i & 0xff);
    return dun_str_add(out, bytes, n_bytes);
}

/* The facts that the local header and the directory have in common. */
static int put_facts(dun_str *out, uint32_t crc, uint32_t bytes, size_t name_bytes) {
    int rc = DUN_OK;
    TRY(put(out, VERSION, 2));
    TRY(put(out, 0, 2)); /* flags */
    TRY(put(out, 0, 2)); /* method: stored */
    TRY(put(out, 0, 2)); /* time */
    TRY(put(out, FIRST_DAY, 2));
    TRY(put(out, crc, 4));
    TRY(put(out, bytes, 4)); /* compressed */
    TRY(put(out, bytes, 4)); /* and not */
    TRY(put(out, name_bytes, 2));
    TRY(put(out, 0, 2)); /* extra field */
out:
    return rc;
}

static int add_file(archive *zip, const dun_array *a) {
    int rc = DUN_OK;
    dun_str header = {0};
    uint64_t data_bytes = dun_array_bytes(a);
    uint64_t offset = zip->out.length;
    size_t name_bytes = strlen(a->name) + 4;
    TRY(dun_npy_header(&header, a));
    uint64_t bytes = header.length + data_bytes;
    if (offset + bytes + (1 << 20) > UINT32_MAX)
        TRY(dun_error(DUN_FAILED, "%s: more than 4 GiB, the most that an .npz file holds; use .safetensors",
                      zip->path));
    uLong crc = crc32_z(0, (const Bytef *)header.bytes, header.length);
    if (data_bytes)
        crc = crc32_z(crc, a->data, data_bytes);
    TRY(put(&zip->out, LOCAL_SIGNATURE, 4));
    TRY(put_facts(&zip->out, (uint32_t)crc, (uint32_t)bytes, name_bytes));
    TRY(dun_str_addf(&zip->out, "%s.npy", a->name));
    TRY(dun_str_add(&zip->out, header.bytes, header.length));
    if (data_bytes)
        TRY(dun_str_add(&zip->out, a->data, data_bytes));
    TRY(put(&zip->directory, CENTRAL_SIGNATURE, 4));
    TRY(put(&zip->directory, VERSION, 2)); /* made by */
    TRY(put_facts(&zip->directory, (uint32_t)crc, (uint32_t)bytes, name_bytes));
    TRY(put(&zip->directory, 0, 2)); /* comment */
    TRY(put(&zip->directory, 0, 2)); /* disk */
    TRY(put(&zip->directory, 0, 2)); /* attributes */
    TRY(put(&zip->directory, 0, 4));
    TRY(put(&zip->directory, offset, 4));
    TRY(dun_str_addf(&zip->directory, "%s.npy", a->name));
    zip->n_files++;
out:
    dun_str_free(&header);
    return rc;
}

static int finish(archive *zip) {
    int rc = DUN_OK;
    uint64_t offset = zip->out.length, bytes = zip->directory.length;
    TRY(dun_str_add(&zip->out, zip->directory.bytes, zip->directory.length));
    TRY(put(&zip->out, END_SIGNATURE, 4));
    TRY(put(&zip->out, 0, 2)); /* disk */
    TRY(put(&zip->out, 0, 2)); /* disk of the directory */
    TRY(put(&zip->out, zip->n_files, 2));
    TRY(put(&zip->out, zip->n_files, 2));
    TRY(put(&zip->out, bytes, 4));
    TRY(put(&zip->out, offset, 4));
    TRY(put(&zip->out, 0, 2)); /* comment */
    TRY(dun_file_write(zip->path, zip->out.bytes, zip->out.length));
out:
    return rc;
}

int dun_npz_write(const char *path, const dun_array *arrays, size_t n_arrays) {
    int rc = DUN_OK;
    archive zip = {.path = path};
    for (size_t i = 0; i < n_arrays; i++)
        TRY(add_file(&zip, &arrays[i]));
    TRY(finish(&zip));
out:
    dun_str_free(&zip.out);
    dun_str_free(&zip.directory);
    return rc;
}

int dun_npz_strings(dun_array *out, char descr[24], char **data, char *const *strings, uint64_t n) {
    int rc = DUN_OK;
    size_t widest = 1;
    for (uint64_t i = 0; i < n; i++)
        widest = strlen(strings[i]) > widest ? strlen(strings[i]) : widest;
    TRY_NEW(*data, n * widest);
    for (uint64_t i = 0; i < n; i++)
        memcpy(*data + i * widest, strings[i], strlen(strings[i]));
    snprintf(descr, 24, "|S%zu", widest);
    *out = (dun_array){out->name, descr, widest, 1, {n, 1}, *data};
out:
    return rc;
}
