/* HTTP for dunlin serve, through libmicrohttpd: GET / (a page), GET /health,
 * GET /metrics, GET /map, POST /classify. One thread reads
 * and writes; a request whose texts are with the worker is suspended and costs no thread. */
#ifndef DUN_SERVE_HTTP_H
#define DUN_SERVE_HTTP_H

#include "cmd/serve/serve_map.h"
#include "cmd/serve/serve_shared.h"
#include "cmd/serve/serve_worker.h"
#include "session/answer.h"

typedef struct {
    dun_serve_worker *worker;
    dun_serve_shared *shared; /* where is counted, */
    dun_serve_slot *slot;     /* and what of this process */
    bool handed;              /* connections come by dun_serve_http_add, already counted, not from a socket */
    const dun_answer_rule *rule;
    const dun_serve_map *map; /* of the page; perhaps there is none */
    size_t max_body_bytes, max_texts;
    unsigned per_address; /* connections from one address; 0: any number */
    unsigned timeout_s;   /* for a request to arrive, for an answer to be taken, and for closing */
} dun_serve_options;

typedef struct dun_serve_http dun_serve_http;

/* The listening socket stays the caller's, open until dun_serve_http_stop; any socket where connections are
 * handed. Then slot->room says for how many there is room. */
int dun_serve_http_start(dun_serve_http **out, int fd, const dun_serve_options *options);

/* Takes a connection over, on any thread, until dun_serve_http_drain. */
void dun_serve_http_add(dun_serve_http *http, int connection);

/* Takes no new connections, closes those without a request, and waits until the requests that have begun are
 * answered, at most timeout_s. */
void dun_serve_http_drain(dun_serve_http *http);

/* Ends all connections. No request may be with the worker any more. */
void dun_serve_http_stop(dun_serve_http *http);

#endif
