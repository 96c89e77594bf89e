/* Where a flock starts; see boids.h. */
#include "run/boids_start.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "io/data/lines.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_POINTS = 10000, MOST_DIMENSIONS = 1000 };

typedef struct {
    float *numbers;
    size_t n, capacity;
    uint32_t n_points, n_dimensions;
} places;

/* The numbers of one line, separated by spaces, tabs or commas. */
static int add_line(places *p, const char *line, const char *name, size_t number) {
    int rc = DUN_OK;
    size_t before = p->n;
    const char *at = line + strspn(line, " \t,");
    while (*at) {
        char *end;
        double value = strtod(at, &end);
        if (end == at || (*end && !strchr(" \t,", *end)) || !isfinite((float)value))
            TRY(dun_error(DUN_BAD_INPUT, "%s:%zu: a number is needed at \"%.20s\"", name, number, at));
        if (p->n - before == MOST_DIMENSIONS)
            TRY(dun_error(DUN_BAD_INPUT, "%s:%zu: more than %d numbers; a point has at most so many", name,
                          number, MOST_DIMENSIONS));
        TRY_GROW(p->numbers, p->capacity, p->n);
        p->numbers[p->n++] = (float)value;
        at = end + strspn(end, " \t,");
    }
    uint32_t count = (uint32_t)(p->n - before);
    if (count == 0)
        goto out;
    if (p->n_points > 0 && count != p->n_dimensions)
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s:%zu: %u numbers, but %u in the lines above; all points need the same", name, number,
                      count, p->n_dimensions));
    if (p->n_points == MOST_POINTS)
        TRY(dun_error(DUN_BAD_INPUT, "%s:%zu: more than %d points", name, number, MOST_POINTS));
    p->n_dimensions = count;
    p->n_points++;
out:
    return rc;
}

static int read_places(places *p, const char *path) {
    int rc = DUN_OK;
    dun_lines *lines = NULL;
    const char *line;
    size_t length;
    TRY(dun_lines_open(&lines, path, &(dun_lines_options){.mode = DUN_LINES_PLAIN}));
    while ((rc = dun_lines_next(&line, &length, lines)) > 0)
        TRY(add_line(p, line, dun_lines_name(lines), dun_lines_number(lines)));
    TRY(rc);
    if (p->n_points < 2)
        TRY(dun_error(DUN_BAD_INPUT, "%s: %u points; a flock needs two at least, one a line", path,
                      p->n_points));
out:
    dun_lines_close(lines);
    return rc;
}

/* A key that somebody set must say what the file holds. */
static int agree(const dun_config *config, enum dun_config_id id, int64_t set, uint32_t found) {
    const dun_config_key *key = &dun_config_key_table[id];
    if (!config->origins[id] || set == found)
        return DUN_OK;
    return dun_error(DUN_USAGE, "%s: boids.%s = %lld, but boids.start = %s has %u; leave boids.%s out",
                     config->origins[id], key->name, (long long)set, config->boids.start, found, key->name);
}

static int place_at_random(places *p, const dun_config *config) {
    int rc = DUN_OK;
    p->n_points = (uint32_t)config->boids.count;
    p->n_dimensions = (uint32_t)config->boids.dimensions;
    p->n = (size_t)p->n_points * p->n_dimensions;
    TRY_NEW(p->numbers, p->n);
    for (size_t i = 0; i < p->n; i++)
        p->numbers[i] = (float)(config->boids.extent *
                                dun_random_uniform((uint64_t)config->experiment.seed, DUN_STREAM_BOIDS, i));
out:
    return rc;
}

int dun_boids_places(float **numbers, uint32_t *n_points, uint32_t *n_dimensions, const dun_config *config) {
    int rc = DUN_OK;
    places p = {0};
    if (config->boids.start[0]) {
        TRY(read_places(&p, config->boids.start));
        TRY(agree(config, DUN_KEY_boids_count, config->boids.count, p.n_points));
        TRY(agree(config, DUN_KEY_boids_dimensions, config->boids.dimensions, p.n_dimensions));
    } else {
        TRY(place_at_random(&p, config));
    }
    *numbers = p.numbers;
    *n_points = p.n_points;
    *n_dimensions = p.n_dimensions;
    p.numbers = NULL;
out:
    dun_free(p.numbers);
    return rc;
}
