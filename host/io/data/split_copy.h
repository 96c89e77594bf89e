/* The records of one side of a split as a file of their own. */
#ifndef DUN_SPLIT_COPY_H
#define DUN_SPLIT_COPY_H

#include "io/data/records.h"
#include "io/data/split.h"

/* The form that the copies have, as data.format: that of the file, but for JSON arrays, which become JSON
 * lines, and TSV with quotes, which becomes CSV, as a part of the file might not show that quotes mean
 * something. */
const char *dun_split_format(const dun_dialect *dialect);

/* Appends the header, if there is one, and the records of the data set's texts that go to validation, or
 * those that do not. They are as they stand in the file where the form is the same. */
int dun_split_copy(dun_str *out, const dun_text_file *text, const dun_dialect *dialect, bool header,
                   const dun_dataset *dataset, const dun_split *split, bool valid);

#endif
