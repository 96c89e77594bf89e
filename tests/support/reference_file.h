/* Reference vectors: JSON files made by tools/make-reference.py, and numbers compared with them. */
#ifndef REFERENCE_FILE_H
#define REFERENCE_FILE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Opens a JSON file under the project's root. Fails the running test when it is not there or cannot be read;
 * only one outside of the project ("../...") may be missing: NULL, and a test then skips. */
json_t *reference_open(const char *path);

/* True when a file under the project's root exists. */
bool reference_exists(const char *path);

/* Newly allocated numbers of a list of numbers, or of a list of lists of them, row by row. */
double *reference_numbers(const json_t *list, size_t *n);

/* || a - b || / || b || in double; NaN when a value is. */
double reference_distance(const float *a, const double *b, size_t n);

/* Fails the running test unless the distance is at most `most`; prints it. */
void reference_expect(const char *what, const float *a, const json_t *list, double most);

#endif
