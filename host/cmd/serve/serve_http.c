/* The life of a request. MHD calls `handle` with its head (begin: what is wrong with it), with pieces of its
 * body (receive), with the end of it (finish), again where its texts are to be handed to the worker (submit:
 * it is suspended), and again once the worker resumed it (reply); `completed` frees it, whatever became of
 * it.
 *
 * MHD's own timeout counts from the last byte and it accepts nobody once its connections are all taken, so
 * both are left to serve_clients.c, which shuts sockets down; MHD then ends their connections. */
#include "cmd/serve/serve_http.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "cmd/serve/serve_body.h"
#include "cmd/serve/serve_clients.h"
#include "cmd/serve/serve_listen.h"
#include "cmd/serve/serve_reply.h"
#include "cmd/serve/serve_routes.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#if MHD_VERSION < 0x00097002
#    error "libmicrohttpd 0.9.71 or newer is needed"
#endif

enum {
    MAX_CONNECTIONS = 512,
    SPARE_SHARE = 8,     /* one of so many connections is for those that come while others are being closed */
    DISCARD_FACTOR = 16, /* a body too large is read up to so many times the limit, to answer 413 */
};

struct dun_serve_http {
    dun_serve_options options;
    dun_serve_clients *clients;
    struct MHD_Daemon *daemon;
    int listening;
};

static const dun_serve_refusal
    transfer_unknown = {.status = MHD_HTTP_NOT_IMPLEMENTED,
                        .message = "of transfer codings only chunked is read"},
    two_lengths = {.status = MHD_HTTP_BAD_REQUEST, .message = "a chunked body has no Content-Length"},
    no_path = {.status = MHD_HTTP_NOT_FOUND, .message = "there are /, /health, /metrics, /map and /classify"},
    no_map = {.status = MHD_HTTP_NOT_FOUND, .message = "the run has no map: it was not measured"},
    body_too_large = {.status = MHD_HTTP_CONTENT_TOO_LARGE, .message = "the body is too large (--max-body)"},
    too_many_texts = {.status = MHD_HTTP_CONTENT_TOO_LARGE,
                      .message = "too many texts in one request (--max-texts)"},
    encoding_unknown = {.status = MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
                        .message = "this Content-Encoding is not read; send the body as it is",
                        .header = "Accept-Encoding",
                        .value = "identity"},
    charset_unknown = {.status = MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
                       .message = "this charset is not read; send the body in UTF-8",
                       .header = "Accept",
                       .value = "application/json"},
    busy = {.status = MHD_HTTP_SERVICE_UNAVAILABLE,
            .message = "too many texts are waiting; try again",
            .header = "Retry-After",
            .value = "1"},
    closing = {.status = MHD_HTTP_SERVICE_UNAVAILABLE, .message = "the server is closing"},
    device_failed = {.status = MHD_HTTP_INTERNAL_SERVER_ERROR, .message = "the device failed"};

typedef struct {
    dun_serve_http *http;
    struct MHD_Connection *connection;
    dun_serve_client *client;
    const dun_serve_route *route;
    const dun_serve_refusal *refusal; /* once it is known that the answer is one */
    uint64_t received;                /* bytes of the body, those not kept included */
    dun_str bytes;
    dun_serve_body body;
    enum { RECEIVING, PARSED, SUBMITTED, TOO_BUSY } stage;
    double complete; /* when it was */
    dun_serve_job job;
} request;

static const char *header(const request *r, const char *name) {
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

/* The answer begins: it is the client's turn to take it. */
static dun_serve_answer answer(const request *r) {
    dun_serve_clients_note(r->http->clients, r->client, DUN_SERVE_ANSWERING);
    return (dun_serve_answer){r->connection, dun_serve_clients_closing(r->http->clients),
                              r->http->options.shared};
}

/* Bytes of the body, as its head says; 0 where that says nothing. MHD has refused what is no number. */
static uint64_t claimed_bytes(const request *r) {
    const char *claimed = header(r, "Content-Length");
    return claimed ? strtoull(claimed, NULL, 10) : 0;
}

/* What is wrong with the head; NULL: nothing. */
static const dun_serve_refusal *judge_head(const request *r, const char *method) {
    const char *transfer = header(r, "Transfer-Encoding");
    if (transfer && strcasecmp(transfer, "chunked") != 0)
        return &transfer_unknown;
    if (transfer && header(r, "Content-Length"))
        return &two_lengths;
    if (!r->route)
        return &no_path;
    if (!dun_serve_route_takes(r->route, method))
        return &r->route->other_method;
    if (r->route->kind == DUN_ROUTE_MAP && !r->http->options.map->there)
        return &no_map;
    if (claimed_bytes(r) > r->http->options.max_body_bytes)
        return &body_too_large;
    if (!dun_serve_encoding_known(header(r, "Content-Encoding")))
        return &encoding_unknown;
    if (!dun_serve_charset_known(header(r, "Content-Type")))
        return &charset_unknown;
    return NULL;
}

/* Whether a refusal goes out before the body has come. A connection that is closed on a client who still
 * sends may take the answer with it, so bodies are read where that is possible and worthwhile. */
static bool refuse_at_once(const request *r) {
    return r->refusal == &transfer_unknown || r->refusal == &two_lengths || header(r, "Expect") ||
           claimed_bytes(r) > (uint64_t)r->http->options.max_body_bytes * DISCARD_FACTOR;
}

static enum MHD_Result begin(dun_serve_http *http, struct MHD_Connection *connection, const char *path,
                             const char *method, void **state) {
    request *r = dun_calloc(1, sizeof *r);
    if (!r)
        return MHD_NO;
    *state = r;
    r->http = http;
    r->connection = connection;
    r->client = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    r->route = dun_serve_route_find(path);
    r->refusal = judge_head(r, method);
    if (r->refusal && refuse_at_once(r))
        return dun_serve_refuse(answer(r), r->refusal);
    dun_serve_clients_note(http->clients, r->client, DUN_SERVE_ARRIVING);
    return MHD_YES;
}

/* A piece of the body. While one is at hand no answer may be given, so a client that sends far too much is
 * cut off. */
static enum MHD_Result receive(request *r, const char *data, size_t length) {
    const dun_serve_options *o = &r->http->options;
    r->received += length;
    if (r->received > (uint64_t)o->max_body_bytes * DISCARD_FACTOR)
        return MHD_NO;
    if (r->received > o->max_body_bytes && !r->refusal)
        r->refusal = &body_too_large;
    if (r->refusal)
        dun_str_free(&r->bytes);
    else if (dun_str_add(&r->bytes, data, length) < 0)
        return MHD_NO;
    return MHD_YES;
}

/* On the worker's thread. */
static void resume(dun_serve_job *job) {
    const request *r = job->self;
    atomic_fetch_sub(&r->http->options.slot->n_waiting, (long long)job->n_texts);
    MHD_resume_connection(r->connection);
}

/* The texts of a complete body. What is wrong with it is answered at once; else MHD calls again, for
 * `submit`. */
static enum MHD_Result parse(request *r) {
    const dun_serve_options *o = &r->http->options;
    size_t K = o->rule->saved->n_classes;
    int rc = dun_serve_body_read(&r->body, header(r, "Content-Type"), r->bytes.bytes ? r->bytes.bytes : "",
                                 r->bytes.length);
    if (rc >= 0 && r->body.n > o->max_texts)
        return dun_serve_refuse(answer(r), &too_many_texts);
    if (rc >= 0)
        r->job.distances = dun_calloc(r->body.n * K, sizeof *r->job.distances);
    const bool map = rc >= 0 && r->body.map && o->map->there;
    if (map)
        r->job.places = dun_calloc(2 * r->body.n, sizeof *r->job.places);
    if (!r->job.distances || (map && !r->job.places)) {
        const dun_serve_refusal unread = {.status = rc == DUN_BAD_INPUT ? MHD_HTTP_BAD_REQUEST
                                                                        : MHD_HTTP_INTERNAL_SERVER_ERROR,
                                          .message = dun_error_message()};
        return dun_serve_refuse(answer(r), &unread);
    }
    r->stage = PARSED;
    return MHD_YES;
}

/* The request is complete. */
static enum MHD_Result finish(request *r) {
    const dun_serve_options *o = &r->http->options;
    r->complete = dun_clock_seconds();
    if (r->refusal)
        return dun_serve_refuse(answer(r), r->refusal);
    switch (r->route->kind) {
    case DUN_ROUTE_PAGE:
        return dun_serve_send_page(answer(r));
    case DUN_ROUTE_HEALTH:
        return dun_serve_send_health(answer(r), o->rule);
    case DUN_ROUTE_METRICS:
        return dun_serve_send_metrics(answer(r));
    case DUN_ROUTE_MAP:
        return dun_serve_send_map(answer(r), o->map);
    case DUN_ROUTE_CLASSIFY:
        break;
    }
    return parse(r);
}

/* Hands the texts to the worker. Not in the call in which the body ended: MHD would still have the connection
 * among those to read from, read it when it is resumed, and close it on a client that has closed his side
 * after his request. A call without an answer takes it from there. */
static enum MHD_Result submit(request *r) {
    r->job.texts = r->body.texts;
    r->job.lengths = r->body.lengths;
    r->job.n_texts = r->body.n;
    r->job.done = resume;
    r->job.self = r;
    r->stage = SUBMITTED;
    dun_serve_clients_note(r->http->clients, r->client, DUN_SERVE_WORKING);
    atomic_fetch_add(&r->http->options.slot->n_waiting, (long long)r->body.n);
    MHD_suspend_connection(r->connection);
    if (!dun_serve_submit(r->http->options.worker, &r->job)) {
        r->stage = TOO_BUSY;
        atomic_fetch_sub(&r->http->options.slot->n_waiting, (long long)r->body.n);
        atomic_fetch_add(&r->http->options.shared->n_rejected, 1);
        MHD_resume_connection(r->connection);
    }
    return MHD_YES;
}

static enum MHD_Result reply(const request *r) {
    if (r->stage == TOO_BUSY)
        return dun_serve_refuse(answer(r), &busy);
    if (r->job.status < 0)
        return dun_serve_refuse(answer(r), r->job.status == DUN_INTERRUPTED ? &closing : &device_failed);
    dun_serve_count_texts(r->http->options.shared, r->body.n, dun_clock_seconds() - r->complete);
    return dun_serve_send_answers(
        answer(r), r->http->options.rule,
        &(dun_serve_answers){r->job.distances, r->job.places, r->body.n, r->body.many});
}

static enum MHD_Result handle(void *self, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *data, size_t *length,
                              void **state) {
    (void)version;
    request *r = *state;
    if (!r)
        return begin(self, connection, path, method, state);
    if (*length) {
        enum MHD_Result result = receive(r, data, *length);
        *length = 0;
        return result;
    }
    switch (r->stage) {
    case RECEIVING:
        return finish(r);
    case PARSED:
        return submit(r);
    case SUBMITTED:
    case TOO_BUSY:
        break;
    }
    return reply(r);
}

static void completed(void *self, struct MHD_Connection *connection, void **state,
                      enum MHD_RequestTerminationCode code) {
    (void)connection;
    (void)code;
    request *r = *state;
    if (!r)
        return;
    dun_serve_clients_note(((dun_serve_http *)self)->clients, r->client, DUN_SERVE_IDLE);
    dun_serve_body_free(&r->body);
    dun_str_free(&r->bytes);
    dun_free(r->job.distances);
    dun_free(r->job.places);
    dun_free(r);
    *state = NULL;
}

/* A connection begins or ends; its socket is open in both. There is a place for each that MHD lets in. One
 * that was handed over was counted then. */
static void connected(void *self, struct MHD_Connection *connection, void **client,
                      enum MHD_ConnectionNotificationCode code) {
    dun_serve_http *http = self;
    dun_serve_slot *slot = http->options.slot;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        dun_serve_clients_leave(http->clients, *client);
        atomic_fetch_sub(&slot->n_connections, 1);
        return;
    }
    const int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    *client = dun_serve_clients_join(http->clients, fd, http->options.handed);
    if (!http->options.handed)
        atomic_fetch_add(&slot->n_connections, 1);
}

/* MHD counts those that it accepts, but not those that are handed to it. */
static bool is_welcome(const dun_serve_http *http, const struct sockaddr_storage *address) {
    return http->options.per_address == 0 ||
           dun_serve_clients_from(http->clients, address) < http->options.per_address;
}

void dun_serve_http_add(dun_serve_http *http, int connection) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    memset(&address, 0, sizeof address);
    dun_serve_clients_announce(http->clients);
    if (getpeername(connection, (struct sockaddr *)&address, &length) == 0 && is_welcome(http, &address)) {
        /* MHD closes it where there is an error, too */
        if (MHD_add_connection(http->daemon, connection, (struct sockaddr *)&address, length) == MHD_YES)
            return;
    } else {
        close(connection);
    }
    dun_serve_clients_retract(http->clients);
    atomic_fetch_sub(&http->options.slot->n_connections, 1);
}

int dun_serve_http_start(dun_serve_http **out, int fd, const dun_serve_options *options) {
    int rc = DUN_OK;
    dun_serve_http *http = NULL;
    unsigned n = MAX_CONNECTIONS;
    *out = NULL;
    TRY_NEW(http, 1);
    http->options = *options;
    http->listening = fd;
    TRY(dun_serve_fit_files(&n, fd));
    TRY(dun_serve_clients_start(&http->clients, n - n / SPARE_SHARE, n, options->timeout_s));
    const unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO | MHD_ALLOW_SUSPEND_RESUME |
                           (options->handed ? MHD_USE_NO_LISTEN_SOCKET : 0);
    const struct MHD_OptionItem listening[] = {
        {MHD_OPTION_LISTEN_SOCKET, fd, NULL},
        {MHD_OPTION_PER_IP_CONNECTION_LIMIT, (intptr_t)options->per_address, NULL},
        {MHD_OPTION_END, 0, NULL}};
    http->daemon = MHD_start_daemon(flags, 0, NULL, NULL, handle, http, MHD_OPTION_ARRAY,
                                    options->handed ? &listening[2] : listening, MHD_OPTION_CONNECTION_LIMIT,
                                    n, MHD_OPTION_NOTIFY_CONNECTION, connected, http,
                                    MHD_OPTION_NOTIFY_COMPLETED, completed, http, MHD_OPTION_END);
    if (!http->daemon)
        TRY(dun_error(DUN_FAILED, "the web server could not be started"));
    atomic_store(&options->slot->room, (long long)(n - n / SPARE_SHARE));
    *out = http;
    http = NULL;
out:
    if (http)
        dun_serve_clients_free(http->clients);
    dun_free(http);
    return rc;
}

void dun_serve_http_drain(dun_serve_http *http) {
    if (!http->options.handed) {
        MHD_quiesce_daemon(http->daemon);
        /* Nobody can connect any more. It stays open: MHD's thread may be about to look at it. */
        shutdown(http->listening, SHUT_RDWR);
    }
    dun_serve_clients_drain(http->clients);
}

void dun_serve_http_stop(dun_serve_http *http) {
    if (!http)
        return;
    MHD_stop_daemon(http->daemon);
    dun_serve_clients_free(http->clients);
    dun_free(http);
}
