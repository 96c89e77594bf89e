/* Numbers as text, with a point whatever the locale of the thread or process. */
#ifndef DUN_NUMBER_H
#define DUN_NUMBER_H

#include "base/str.h"

#include <stdbool.h>

/* 1: the whole text is a decimal number, finite, and *number is it; 0: it is not, or, with *lost, one so
 * large or small that no double is near it. DUN_FAILED: no memory. */
int dun_number_read(double *number, bool *lost, const char *text);

/* Appends the shorter of 9 and 17 digits that reads back to the same number. */
int dun_number_add(dun_str *out, double number);

#endif
