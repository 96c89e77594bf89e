/* Finds columns without a title behind the texts, and joins what they hold; see spill.h. */
#include "io/data/spill.h"

#include "base/err.h"
#include "base/utf8.h"

size_t dun_spill_find(const dun_records *records, size_t n_columns, size_t text, size_t label) {
    size_t end = text + 1;
    const char *title;
    while ((title = dun_records_title(records, end)) && !*title && end != label)
        end++;
    return end > text + 1 && end == n_columns ? end : 0;
}

int dun_spill_join(dun_cell *cell, dun_str *joined, const dun_record *record, size_t text, size_t end,
                   char delimiter) {
    int rc = DUN_OK;
    end = end < record->n ? end : record->n;
    while (end > text + 1 &&
           dun_utf8_trim(record->cells[end - 1].bytes, record->cells[end - 1].length).length == 0)
        end--;
    if (end <= text + 1)
        goto out;
    dun_str_clear(joined);
    for (size_t i = text; i < end; i++) {
        TRY(dun_str_add(joined, &delimiter, i > text));
        TRY(dun_str_add(joined, record->cells[i].bytes, record->cells[i].length));
    }
    *cell = (dun_cell){joined->bytes, joined->length, DUN_CELL_TEXT};
    rc = 1;
out:
    return rc;
}
