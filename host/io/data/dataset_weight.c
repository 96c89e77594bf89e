/* The weights of texts: numbers in a column of their own. */
#include "base/err.h"
#include "base/number.h"
#include "base/utf8.h"
#include "io/data/dataset_inside.h"

#include <string.h>

enum { MOST_DIGITS = 400 };

bool dun_dataset_has_weights(const dun_dataset_reader *r) {
    return r->weight_key || r->weight != SIZE_MAX;
}

static int refuse_missing(const dun_dataset_reader *r, const dun_cell *cell, size_t line) {
    const char *found = cell->kind == DUN_CELL_NULL     ? "null"
                        : cell->kind == DUN_CELL_ABSENT ? "missing"
                                                        : "empty";
    return dun_error(DUN_BAD_INPUT,
                     "%s:%zu: the weight is %s; one for every text is needed (data.weight_column)", r->name,
                     line, found);
}

int dun_dataset_weight(double *weight, const dun_dataset_reader *r, const dun_cell *cell, size_t line) {
    int rc;
    bool lost;
    char text[MOST_DIGITS + 1] = "";
    const dun_slice inside = dun_utf8_trim(cell->bytes, cell->length);
    if (cell->kind == DUN_CELL_ABSENT || cell->kind == DUN_CELL_NULL || inside.length == 0)
        TRY(refuse_missing(r, cell, line));
    if (inside.length <= MOST_DIGITS)
        memcpy(text, inside.bytes, inside.length);
    TRY(dun_number_read(weight, &lost, text));
    if (rc == 0 || *weight < 0)
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s:%zu: the weight is %.*s; a number from 0 is needed (data.weight_column)", r->name,
                      line, (int)(inside.length < 60 ? inside.length : 60), inside.bytes));
    rc = DUN_OK;
out:
    return rc;
}
