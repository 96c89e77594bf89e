/* Routes, limits and replies of the HTTP server.
 * A request's life: MHD calls `handle` with its head (begin), with pieces of its body
 * (receive), with the end of it (classify: parsed, submitted, suspended), and again once the worker resumed
 * it (reply); `completed` frees it, whatever became of it. */
#include "cmd/serve/serve_http.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#if MHD_VERSION < 0x00097002
#    error "libmicrohttpd 0.9.71 or newer is needed"
#endif

extern const char dun_serve_page[];

enum {
    MAX_CONNECTIONS = 128,
    DISCARD_FACTOR = 16, /* a body too large is read up to so many times the limit, to answer 413 */
};

struct dun_serve_http {
    dun_serve_options options;
    struct MHD_Daemon *daemon;
    pthread_mutex_t mutex;
    pthread_cond_t idle;
    unsigned n_requests; /* begun and not completed */
    bool closing;
};

typedef struct {
    dun_serve_http *http;
    struct MHD_Connection *connection;
    double begun;
    uint64_t received; /* bytes of the body, those not kept included */
    dun_str body;
    json_t *document; /* owns the texts */
    bool many;        /* {"texts"}, not {"text"} */
    const char **texts;
    size_t *lengths;
    bool submitted;
    dun_serve_job job;
} request;

static const char json_media[] = "application/json", page_media[] = "text/html; charset=utf-8";

typedef struct {
    const char *path, *allow;
    enum { ROUTE_PAGE, ROUTE_HEALTH, ROUTE_CLASSIFY } kind;
} route;

static const route routes[] = {
    {"/", "GET, HEAD", ROUTE_PAGE},
    {"/health", "GET, HEAD", ROUTE_HEALTH},
    {"/classify", "POST", ROUTE_CLASSIFY},
};

static enum MHD_Result send_bytes(struct MHD_Connection *connection, unsigned status, const char *type,
                                  const void *bytes, size_t length, const char *header, const char *value) {
    struct MHD_Response *response =
        MHD_create_response_from_buffer(length, (void *)(uintptr_t)bytes, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, "Content-Type", type);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Cache-Control", "no-store");
    if (header)
        MHD_add_response_header(response, header, value);
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result send_json(struct MHD_Connection *connection, unsigned status, const json_t *value,
                                 const char *header, const char *header_value) {
    dun_str text = {0};
    enum MHD_Result result = MHD_NO; /* no memory: the connection is closed */
    if (value && dun_json_dump(&text, value) == DUN_OK && dun_str_add(&text, "\n", 1) == DUN_OK)
        result = send_bytes(connection, status, json_media, text.bytes, text.length, header, header_value);
    dun_str_free(&text);
    return result;
}

/* {"error": message} */
static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, const char *message,
                              const char *header, const char *header_value) {
    json_t *object = json_pack("{s:s}", "error", message);
    enum MHD_Result result = send_json(connection, status, object, header, header_value);
    json_decref(object);
    return result;
}

static enum MHD_Result refuse_busy(struct MHD_Connection *connection, const char *message) {
    return refuse(connection, MHD_HTTP_SERVICE_UNAVAILABLE, message, "Retry-After", "1");
}

static enum MHD_Result send_health(dun_serve_http *http, struct MHD_Connection *connection) {
    const dun_saved_prompt *saved = http->options.rule->saved;
    json_t *classes = json_array(), *object = NULL;
    for (uint32_t k = 0; k < saved->n_classes; k++)
        json_array_append_new(classes, json_string(saved->class_names[k]));
    object = json_pack("{s:s, s:s, s:s, s:O, s:I}", "status", "ok", "version", DUN_VERSION, "model",
                       saved->model_name, "classes", classes, "pending",
                       (json_int_t)dun_serve_pending(http->options.worker));
    enum MHD_Result result = send_json(connection, MHD_HTTP_OK, object, NULL, NULL);
    json_decref(object);
    json_decref(classes);
    return result;
}

static enum MHD_Result send_page(struct MHD_Connection *connection) {
    return send_bytes(connection, MHD_HTTP_OK, page_media, dun_serve_page, strlen(dun_serve_page),
                      "Content-Security-Policy",
                      "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
                      "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
}

static bool is_closing(dun_serve_http *http) {
    pthread_mutex_lock(&http->mutex);
    bool closing = http->closing;
    pthread_mutex_unlock(&http->mutex);
    return closing;
}

/* The texts of a body. DUN_BAD_INPUT: it is not what it must be. */
static int parse(request *r) {
    int rc = DUN_OK;
    const char *bytes = r->body.bytes ? r->body.bytes : "";
    TRY(dun_json_parse(&r->document, bytes, r->body.length, "body", 1));
    const json_t *one = json_object_get(r->document, "text"), *all = json_object_get(r->document, "texts");
    if (!one == !all || (one && !json_is_string(one)) || (all && !json_is_array(all)))
        TRY(dun_error(DUN_BAD_INPUT, "body: {\"text\": \"...\"} or {\"texts\": [\"...\", ...]} is needed"));
    r->many = all != NULL;
    r->job.n_texts = all ? json_array_size(all) : 1;
    size_t K = r->http->options.rule->saved->n_classes;
    TRY_NEW(r->texts, r->job.n_texts);
    TRY_NEW(r->lengths, r->job.n_texts);
    TRY_NEW(r->job.distances, r->job.n_texts * K);
    for (size_t i = 0; i < r->job.n_texts; i++) {
        const json_t *text = all ? json_array_get(all, i) : one;
        if (!json_is_string(text))
            TRY(dun_error(DUN_BAD_INPUT, "body: texts[%zu] is not a string", i));
        r->texts[i] = json_string_value(text);
        r->lengths[i] = json_string_length(text);
    }
    r->job.texts = r->texts;
    r->job.lengths = r->lengths;
out:
    return rc;
}

/* On the worker's thread. */
static void resume(dun_serve_job *job) {
    MHD_resume_connection(((request *)job->self)->connection);
}

static enum MHD_Result classify(request *r) {
    const dun_serve_options *o = &r->http->options;
    char message[128];
    if (r->received > o->max_body_bytes) {
        snprintf(message, sizeof message, "the body is larger than %zu bytes", o->max_body_bytes);
        return refuse(r->connection, MHD_HTTP_CONTENT_TOO_LARGE, message, NULL, NULL);
    }
    int rc = parse(r);
    if (rc < 0)
        return refuse(r->connection,
                      rc == DUN_BAD_INPUT ? MHD_HTTP_BAD_REQUEST : MHD_HTTP_INTERNAL_SERVER_ERROR,
                      dun_error_message(), NULL, NULL);
    if (r->job.n_texts > o->max_texts) {
        snprintf(message, sizeof message, "%zu texts; at most %zu in one request", r->job.n_texts,
                 o->max_texts);
        return refuse(r->connection, MHD_HTTP_CONTENT_TOO_LARGE, message, NULL, NULL);
    }
    r->job.done = resume;
    r->job.self = r;
    r->submitted = true;
    MHD_suspend_connection(r->connection);
    if (dun_serve_submit(o->worker, &r->job))
        return MHD_YES;
    MHD_resume_connection(r->connection);
    r->submitted = false;
    return refuse_busy(r->connection, "too many texts are waiting; try again");
}

/* {"label", ...}, or {"answers": [{"label", ...}, ...]} */
static int make_reply(json_t *object, const request *r) {
    int rc = DUN_OK;
    const dun_answer_rule *rule = r->http->options.rule;
    json_t *answers = json_array();
    for (size_t i = 0; i < r->job.n_texts; i++) {
        json_t *one = r->many ? json_object() : object;
        if (r->many)
            TRY(dun_json_append(answers, one));
        TRY(dun_answer_json(one, rule, r->job.distances + i * rule->saved->n_classes));
    }
    if (r->many)
        TRY(dun_json_set(object, "answers", json_incref(answers)));
out:
    json_decref(answers);
    return rc;
}

static enum MHD_Result reply(request *r) {
    if (r->job.status < 0)
        return refuse(r->connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "the device failed", NULL, NULL);
    json_t *object = json_object();
    enum MHD_Result result = MHD_NO;
    if (make_reply(object, r) >= 0)
        result = send_json(r->connection, MHD_HTTP_OK, object, NULL, NULL);
    json_decref(object);
    return result;
}

static const route *find_route(const char *path) {
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        if (strcmp(routes[i].path, path) == 0)
            return &routes[i];
    return NULL;
}

/* The head of a request. Only one whose body is wanted becomes a request of ours. */
static enum MHD_Result begin(dun_serve_http *http, struct MHD_Connection *connection, const char *path,
                             const char *method, void **state) {
    const route *found = find_route(path);
    if (is_closing(http))
        return refuse(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "the server is closing", "Connection",
                      "close");
    if (!found)
        return refuse(connection, MHD_HTTP_NOT_FOUND, "there are /, /health and /classify", NULL, NULL);
    bool get = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    if (found->kind == ROUTE_CLASSIFY ? strcmp(method, "POST") != 0 : !get)
        return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "this path takes another method", "Allow",
                      found->allow);
    if (found->kind == ROUTE_PAGE)
        return send_page(connection);
    if (found->kind == ROUTE_HEALTH)
        return send_health(http, connection);
    const char *claimed = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
    if (claimed && strtoull(claimed, NULL, 10) > (uint64_t)http->options.max_body_bytes * DISCARD_FACTOR)
        return refuse(connection, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large", NULL, NULL);
    request *r = dun_calloc(1, sizeof *r);
    if (!r)
        return MHD_NO;
    r->http = http;
    r->connection = connection;
    r->begun = dun_clock_seconds();
    pthread_mutex_lock(&http->mutex);
    http->n_requests++;
    pthread_mutex_unlock(&http->mutex);
    *state = r;
    return MHD_YES;
}

/* A piece of the body. While one is at hand no answer may be given, so a client that is too slow, or sends
 * far too much, is cut off. */
static enum MHD_Result receive(request *r, const char *data, size_t length) {
    const dun_serve_options *o = &r->http->options;
    r->received += length;
    if (dun_clock_seconds() - r->begun > o->timeout_s ||
        r->received > (uint64_t)o->max_body_bytes * DISCARD_FACTOR)
        return MHD_NO;
    if (r->received <= o->max_body_bytes && dun_str_add(&r->body, data, length) < 0)
        return MHD_NO;
    return MHD_YES;
}

static enum MHD_Result handle(void *self, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *data, size_t *length,
                              void **state) {
    (void)version;
    request *r = *state;
    if (!r)
        return begin(self, connection, path, method, state);
    if (*length == 0)
        return r->submitted ? reply(r) : classify(r);
    enum MHD_Result result = receive(r, data, *length);
    *length = 0;
    return result;
}

static void completed(void *self, struct MHD_Connection *connection, void **state,
                      enum MHD_RequestTerminationCode code) {
    (void)connection;
    (void)code;
    dun_serve_http *http = self;
    request *r = *state;
    if (!r)
        return;
    json_decref(r->document);
    dun_str_free(&r->body);
    dun_free(r->job.distances);
    dun_free(r->texts);
    dun_free(r->lengths);
    dun_free(r);
    *state = NULL;
    pthread_mutex_lock(&http->mutex);
    if (--http->n_requests == 0)
        pthread_cond_signal(&http->idle);
    pthread_mutex_unlock(&http->mutex);
}

static bool is_loopback(const struct sockaddr *address) {
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 == 127;
    return address->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

/* The port of a bound socket. */
static uint16_t port_of(int fd) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        return 0;
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

int dun_serve_listen(int *out, const char *host, uint16_t *port) {
    int rc = DUN_OK, fd = -1, yes = 1;
    char service[8];
    struct addrinfo *found = NULL;
    const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    *out = -1;
    snprintf(service, sizeof service, "%u", *port);
    int error = getaddrinfo(host, service, &wanted, &found);
    if (error)
        TRY(dun_error(DUN_USAGE, "--host %s: %s", host, gai_strerror(error)));
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0 ||
        bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, MAX_CONNECTIONS) < 0)
        TRY(dun_error(DUN_FAILED, "cannot listen on %s, port %u: %s", host, *port, strerror(errno)));
    *port = port_of(fd);
    if (!is_loopback(found->ai_addr))
        dun_warn("%s: other machines can connect, without a password and without encryption; 127.0.0.1 is "
                 "this machine alone",
                 host);
    *out = fd;
    fd = -1;
out:
    if (fd >= 0)
        close(fd);
    if (found)
        freeaddrinfo(found);
    return rc;
}

int dun_serve_http_start(dun_serve_http **out, int fd, const dun_serve_options *options) {
    int rc = DUN_OK;
    dun_serve_http *http = NULL;
    *out = NULL;
    TRY_NEW(http, 1);
    http->options = *options;
    pthread_mutex_init(&http->mutex, NULL);
    pthread_cond_init(&http->idle, NULL);
    http->daemon =
        MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO | MHD_ALLOW_SUSPEND_RESUME, 0, NULL,
                         NULL, handle, http, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
                         (unsigned)MAX_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, options->timeout_s,
                         MHD_OPTION_NOTIFY_COMPLETED, completed, http, MHD_OPTION_END);
    if (!http->daemon)
        TRY(dun_error(DUN_FAILED, "the web server could not be started"));
    *out = http;
    http = NULL;
out:
    dun_free(http);
    return rc;
}

void dun_serve_http_drain(dun_serve_http *http, unsigned grace_s) {
    struct timespec until;
    int fd = MHD_quiesce_daemon(http->daemon), rc = 0;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += grace_s;
    pthread_mutex_lock(&http->mutex);
    http->closing = true;
    while (http->n_requests > 0 && rc == 0)
        rc = pthread_cond_timedwait(&http->idle, &http->mutex, &until);
    pthread_mutex_unlock(&http->mutex);
    if (fd >= 0)
        close(fd);
}

void dun_serve_http_stop(dun_serve_http *http) {
    if (!http)
        return;
    MHD_stop_daemon(http->daemon);
    pthread_mutex_destroy(&http->mutex);
    pthread_cond_destroy(&http->idle);
    dun_free(http);
}
