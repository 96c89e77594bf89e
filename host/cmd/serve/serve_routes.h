/* The paths of a server and what each takes. */
#ifndef DUN_SERVE_ROUTES_H
#define DUN_SERVE_ROUTES_H

#include "cmd/serve/serve_reply.h"

#include <stdbool.h>

enum dun_route_kind {
    DUN_ROUTE_PAGE,
    DUN_ROUTE_HEALTH,
    DUN_ROUTE_METRICS,
    DUN_ROUTE_MAP,
    DUN_ROUTE_CLASSIFY
};

typedef struct {
    const char *path;
    enum dun_route_kind kind;
    dun_serve_refusal other_method;
} dun_serve_route;

/* NULL: there is no such path. */
const dun_serve_route *dun_serve_route_find(const char *path);

bool dun_serve_route_takes(const dun_serve_route *route, const char *method);

#endif
