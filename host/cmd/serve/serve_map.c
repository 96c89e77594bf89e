/* Reads a run's projection.safetensors and makes the page's JSON of it. */
#include "cmd/serve/serve_map.h"

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "run/rundir.h"

#include <unistd.h>

/* More points would only lie on each other. */
enum { MOST_SHOWN = 4000 };

/* Sets name to the values of one coordinate of `n` points, of which every `step`-th is taken. */
static int set_coordinate(json_t *object, const char *name, const float *points, uint32_t n, uint32_t step,
                          int axis) {
    int rc = DUN_OK;
    json_t *values = json_array();
    for (uint32_t i = 0; i < n; i += step)
        TRY(dun_json_append(values, json_real((double)points[2 * (size_t)i + (size_t)axis])));
    TRY(dun_json_set(object, name, json_incref(values)));
out:
    json_decref(values);
    return rc;
}

static int make_json(dun_serve_map *map, const dun_saved_prompt *saved) {
    int rc = DUN_OK;
    const dun_projection *p = &map->projection;
    const uint32_t step = (p->n + MOST_SHOWN - 1) / MOST_SHOWN;
    json_t *object = json_object(), *classes = json_array(), *labels = json_array();
    for (uint32_t k = 0; k < p->n_classes; k++)
        TRY(dun_json_append(classes, json_string(saved->class_names[k])));
    for (uint32_t i = 0; i < p->n; i += step)
        TRY(dun_json_append(labels, json_integer((json_int_t)p->labels[i])));
    TRY(dun_json_set(object, "classes", json_incref(classes)));
    TRY(dun_json_set(object, "label", json_incref(labels)));
    TRY(set_coordinate(object, "x", p->points, p->n, step, 0));
    TRY(set_coordinate(object, "y", p->points, p->n, step, 1));
    TRY(set_coordinate(object, "cx", p->centroids, p->n_classes, 1, 0));
    TRY(set_coordinate(object, "cy", p->centroids, p->n_classes, 1, 1));
    TRY(dun_json_dump(&map->json, object));
    TRY(dun_str_add(&map->json, "\n", 1));
out:
    json_decref(labels);
    json_decref(classes);
    json_decref(object);
    return rc;
}

int dun_serve_map_read(dun_serve_map *map, const char *run_path, const dun_saved_prompt *saved) {
    int rc = DUN_OK;
    char *path = NULL;
    *map = (dun_serve_map){0};
    TRY_PTR(path, dun_run_dir_file(run_path, "projection.safetensors"));
    if (access(path, F_OK) != 0)
        goto out;
    if (dun_projection_read(&map->projection, path) < 0) {
        dun_warn("%s; the page has no map", dun_error_message());
        dun_error_clear();
        goto out;
    }
    map->there = map->projection.n > 0 && map->projection.n_classes == saved->n_classes &&
                 map->projection.width == saved->point_width;
    if (map->there)
        TRY(make_json(map, saved));
out:
    dun_free(path);
    if (rc < 0)
        dun_serve_map_free(map);
    return rc;
}

void dun_serve_map_free(dun_serve_map *map) {
    dun_projection_free(&map->projection);
    dun_str_free(&map->json);
    *map = (dun_serve_map){0};
}
