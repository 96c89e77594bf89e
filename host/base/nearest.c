/* Edit distance by one row of its table, and the word of a list with the least. */
#include "base/nearest.h"

#include <stdint.h>
#include <string.h>

enum { LONGEST = 63 };

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

size_t dun_edit_distance(const char *a, const char *b) {
    size_t rows[3][LONGEST + 1]; /* row i: distance of a's first i bytes from every beginning of b */
    const size_t n = least(strlen(a), LONGEST), m = least(strlen(b), LONGEST);
    for (size_t j = 0; j <= m; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], above2[j - 2] + 1);
        }
    }
    return rows[n % 3][m];
}

const char *dun_nearest(const char *word, const char *const *names, size_t n) {
    const char *nearest = NULL;
    size_t least_distance = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        size_t distance = dun_edit_distance(word, names[i]);
        if (distance < least_distance) {
            least_distance = distance;
            nearest = names[i];
        }
    }
    return nearest;
}
