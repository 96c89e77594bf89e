/* The header, and files written at once or row by row. See npy.h. */
#include "io/npy.h"

#include "base/err.h"
#include "base/file.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

enum { ALIGNMENT = 64 };

uint64_t dun_array_bytes(const dun_array *a) {
    uint64_t n = a->item_bytes;
    for (uint32_t i = 0; i < a->n_dims; i++)
        n *= a->dims[i];
    return n;
}

int dun_npy_header(dun_str *out, const dun_array *a) {
    int rc = DUN_OK;
    char shape[80], facts[160];
    if (a->n_dims == 1)
        snprintf(shape, sizeof shape, "(%" PRIu64 ",)", a->dims[0]);
    else if (a->n_dims == 2)
        snprintf(shape, sizeof shape, "(%" PRIu64 ", %" PRIu64 ")", a->dims[0], a->dims[1]);
    else
        snprintf(shape, sizeof shape, "(%" PRIu64 ", %" PRIu64 ", %" PRIu64 ")", a->dims[0], a->dims[1],
                 a->dims[2]);
    int n = snprintf(facts, sizeof facts, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", a->descr,
                     shape);
    size_t used = 10 + (size_t)n + 1, padding = (ALIGNMENT - used % ALIGNMENT) % ALIGNMENT;
    const size_t length = (size_t)n + padding + 1;
    const char lengths[] = {(char)(length & 0xff), (char)(length >> 8 & 0xff)};
    TRY(dun_str_add(out, "\x93NUMPY\x01\x00", 8));
    TRY(dun_str_add(out, lengths, sizeof lengths));
    TRY(dun_str_addf(out, "%s%*s\n", facts, (int)padding, ""));
out:
    return rc;
}

int dun_npy_write(const char *path, const dun_array *array) {
    int rc = DUN_OK;
    dun_str file = {0};
    TRY(dun_npy_header(&file, array));
    if (dun_array_bytes(array))
        TRY(dun_str_add(&file, array->data, dun_array_bytes(array)));
    TRY(dun_file_write(path, file.bytes, file.length));
out:
    dun_str_free(&file);
    return rc;
}

int dun_npy_begin(dun_spool *spool, const char *path) {
    int rc = DUN_OK;
    static const char room[DUN_NPY_ROWS];
    TRY(dun_spool_open(spool, path));
    TRY(dun_spool_add(spool, room, sizeof room));
out:
    return rc;
}

int dun_npy_end(const char **bytes, dun_spool *spool, uint64_t n, uint64_t width) {
    int rc = DUN_OK;
    dun_str header = {0};
    const void *all;
    const dun_array rows = {"rows", "<f4", sizeof(float), 2, {n, width}, NULL};
    assert(spool->bytes == DUN_NPY_ROWS + dun_array_bytes(&rows));
    TRY(dun_npy_header(&header, &rows));
    assert(header.length == DUN_NPY_ROWS); /* whatever the numbers */
    TRY(dun_spool_patch(spool, header.bytes, header.length));
    TRY(dun_spool_map(&all, spool));
    *bytes = all;
out:
    dun_str_free(&header);
    return rc;
}
