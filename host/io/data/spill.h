/* Texts that go on in columns without a title: they held the delimiter and were not quoted. */
#ifndef DUN_SPILL_H
#define DUN_SPILL_H

#include "base/str.h"
#include "io/data/records.h"

/* The columns from the text's on, up to the one returned, hold a text: those without a title up to the last
 * of all, which is not the label's. 0: there are none. After dun_records_read_header. */
size_t dun_spill_find(const dun_records *records, size_t n_columns, size_t text, size_t label);

/* 1: the record's text goes on in the columns up to `end`; the cell is now all of it, kept in `joined`. 0: it
 * does not, or a status. */
int dun_spill_join(dun_cell *cell, dun_str *joined, const dun_record *record, size_t text, size_t end,
                   char delimiter);

#endif
