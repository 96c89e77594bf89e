/* The map of dunlin serve's page: the run's held-out points in the plane, without their texts, and where a
 * point of a new text lies among them. */
#ifndef DUN_SERVE_MAP_H
#define DUN_SERVE_MAP_H

#include "base/str.h"
#include "session/projection.h"

typedef struct {
    bool there; /* the run has such points */
    dun_projection projection;
    dun_str json; /* {"classes", "x", "y", "label", "cx", "cy"} for the page */
} dun_serve_map;

/* Reads the projection of a run's folder. A run that was not measured, or whose projection is not one of such
 * points, has no map; a damaged file is warned of, and no map either. */
int dun_serve_map_read(dun_serve_map *map, const char *run_path, const dun_saved_prompt *saved);
void dun_serve_map_free(dun_serve_map *map);

#endif
