/* HTTP for dunlin serve, through libmicrohttpd: GET / (a page), GET /health, POST /classify. One thread reads
 * and writes; a request whose texts are with the worker is suspended and costs no thread. */
#ifndef DUN_SERVE_HTTP_H
#define DUN_SERVE_HTTP_H

#include "cmd/serve/serve_worker.h"
#include "session/answer.h"

typedef struct {
    dun_serve_worker *worker;
    const dun_answer_rule *rule;
    size_t max_body_bytes, max_texts;
    unsigned timeout_s; /* of a request's arrival, and of a connection that does nothing */
} dun_serve_options;

typedef struct dun_serve_http dun_serve_http;

/* Listens; *port 0 becomes the port that the system chose. Warns when others than this machine can connect.
 * DUN_USAGE: a host that is not one of this machine; DUN_FAILED: the port is taken. */
int dun_serve_listen(int *out, const char *host, uint16_t *port);

/* Takes over the socket, unless it fails. */
int dun_serve_http_start(dun_serve_http **out, int fd, const dun_serve_options *options);

/* Takes no new connections, refuses new requests (503), and waits until those that have begun are answered,
 * at most grace_s. */
void dun_serve_http_drain(dun_serve_http *http, unsigned grace_s);

/* Ends all connections. No request may be with the worker any more. */
void dun_serve_http_stop(dun_serve_http *http);

#endif
