/* Reads numbers out of reference files, and measures how far an array is from them. */
#include "reference_file.h"

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

bool reference_exists(const char *path) {
    return access(path, R_OK) == 0;
}

json_t *reference_open(const char *path) {
    dun_file file = {0};
    json_t *root = NULL;
    if (strncmp(path, "../", 3) == 0 && !reference_exists(path))
        return NULL;
    if (dun_file_map(&file, path) < 0 ||
        dun_json_parse(&root, (const char *)file.bytes, file.length, path, 1) < 0)
        fail_msg("%s", dun_error_message());
    dun_file_unmap(&file);
    return root;
}

static size_t count(const json_t *value) {
    size_t n = 0, i;
    const json_t *item;
    if (!json_is_array(value))
        return 1;
    json_array_foreach((json_t *)(uintptr_t)value, i, item) n += count(item);
    return n;
}

static double *copy(double *out, const json_t *value) {
    size_t i;
    const json_t *item;
    if (!json_is_array(value)) {
        *out = json_number_value(value);
        return out + 1;
    }
    json_array_foreach((json_t *)(uintptr_t)value, i, item) out = copy(out, item);
    return out;
}

double *reference_numbers(const json_t *list, size_t *n) {
    *n = count(list);
    double *out = dun_calloc(*n, sizeof *out);
    assert_non_null(out);
    copy(out, list);
    return out;
}

double reference_distance(const float *a, const double *b, size_t n) {
    double difference = 0, norm = 0;
    for (size_t i = 0; i < n; i++) {
        difference += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        norm += b[i] * b[i];
    }
    return sqrt(difference) / sqrt(norm);
}

void reference_expect(const char *what, const float *a, const json_t *list, double most) {
    size_t n;
    double *b = reference_numbers(list, &n);
    double distance = reference_distance(a, b, n);
    dun_free(b);
    print_message("%-40s %.2e (at most %.0e)\n", what, distance, most);
    if (!(distance <= most))
        fail_msg("%s: relative distance %g, at most %g is right", what, distance, most);
}
