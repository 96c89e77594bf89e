/* From texts to a file of their rows; see rows.h. */
#include "cmd/rows.h"

#include "base/err.h"
#include "base/file.h"
#include "cmd/cmd.h"
#include "cmd/out.h"
#include "io/npy.h"
#include "run/export.h"

#include <string.h>

int dun_rows_ask(dun_asked **out, const char *file, const dun_args *args, const dun_config *config) {
    const dun_asked_options options = {.input = dun_args_value(args, "input"),
                                       .column = dun_args_value(args, "text"),
                                       .usual = config->data.text_column,
                                       .usual_header = config->data.header};
    return dun_asked_open(out, file ? file : "-", &options);
}

static int write_out(const char *bytes, uint64_t length) {
    int rc = DUN_OK;
    TRY(dun_out_write(bytes, length));
    TRY(dun_out_flush());
out:
    return rc;
}

int dun_rows_write(const char *path, dun_vectors *vectors, dun_asked *asked) {
    int rc = DUN_OK;
    dun_spool spool = {0};
    uint64_t n;
    const char *bytes;
    const uint64_t D = dun_session_point_width(vectors->session);
    TRY(dun_npy_begin(&spool, path));
    TRY(dun_vectors_of_asked(&n, &spool, vectors, asked));
    TRY(dun_npy_end(&bytes, &spool, n, D));
    if (strcmp(path, "-") == 0)
        TRY(write_out(bytes, spool.bytes));
    else if (dun_text_ends_with(path, ".npz") || dun_text_ends_with(path, ".safetensors"))
        TRY(dun_points_write(path, (const float *)(const void *)(bytes + DUN_NPY_ROWS), NULL, n, D));
    else
        TRY(dun_file_write(path, bytes, spool.bytes));
out:
    dun_spool_close(&spool);
    return rc;
}
