/* The table of paths. */
#include "cmd/serve/serve_routes.h"

#include <string.h>

#define OTHER_METHOD(allowed)                                                                                \
    {                                                                                                        \
        .status = MHD_HTTP_METHOD_NOT_ALLOWED, .message = "this path takes another method",                  \
        .header = "Allow", .value = (allowed)                                                                \
    }

static const dun_serve_route routes[] = {
    {"/", DUN_ROUTE_PAGE, OTHER_METHOD("GET, HEAD")},
    {"/health", DUN_ROUTE_HEALTH, OTHER_METHOD("GET, HEAD")},
    {"/metrics", DUN_ROUTE_METRICS, OTHER_METHOD("GET, HEAD")},
    {"/map", DUN_ROUTE_MAP, OTHER_METHOD("GET, HEAD")},
    {"/classify", DUN_ROUTE_CLASSIFY, OTHER_METHOD("POST")},
};

const dun_serve_route *dun_serve_route_find(const char *path) {
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        if (strcmp(routes[i].path, path) == 0)
            return &routes[i];
    return NULL;
}

bool dun_serve_route_takes(const dun_serve_route *route, const char *method) {
    if (route->kind == DUN_ROUTE_CLASSIFY)
        return strcmp(method, "POST") == 0;
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}
