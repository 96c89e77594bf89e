/* CSV as RFC 4180 has it, with LF for its line ends. */
#ifndef DUN_CSV_H
#define DUN_CSV_H

#include "base/str.h"

/* Appends one field, behind a comma unless it opens its line; in quotes where it needs them. */
int dun_csv_add(dun_str *out, const char *field, size_t length);

#endif
