/* dunlin serve: a trained run behind HTTP. In the process that answers, this thread opens the run and waits
 * for a signal; the worker's thread owns the device (serve_worker.c); libmicrohttpd's thread talks to clients
 * (serve_http.c). With --workers there are several such processes, and a supervisor that only listens
 * (serve_group.c), from which a thread here takes connections. */
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "cmd/cmd.h"
#include "cmd/serve/serve_door.h"
#include "cmd/serve/serve_group.h"
#include "cmd/serve/serve_http.h"
#include "cmd/serve/serve_listen.h"
#include "cmd/serve/serve_options.h"
#include "cmd/serve/serve_signals.h"
#include "cmd/shell/common.h"
#include "dev/common.h"
#include "dev/driver.h"
#include "report/progress.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    DEFAULT_PORT = 8080,
    DEFAULT_BODY_KB = 1024,
    DEFAULT_TEXTS = 256,
    DEFAULT_TIMEOUT_S = 30,
    DEFAULT_RESTARTS = 5,
    MOST_RESTARTS = 1000,
    MAX_PENDING = 4096,      /* texts that wait; more are answered 503 */
    MAX_PER_ADDRESS = 65535, /* as many as an address has ports */
};

typedef struct {
    dun_experiment experiment;
    dun_classifier classifier;
    dun_answer_rule rule;
    dun_serve_map map;
    dun_serve_options options;
    dun_serve_http *http;
    dun_serve_signals signals;
    dun_serve_shared *shared;
    dun_common *common; /* the workers' weights */
    uint32_t n_workers;
    unsigned restarts;
    int fd;              /* the socket that it listens on, or a worker's door; -1 */
    dun_serve_role role; /* .worker -1: there is one process */
    pthread_t door;
    char address[320]; /* for people */
} server;

/* On the worker's thread: a device that failed ends the server. */
static void device_failed(void *self) {
    dun_serve_signals_ask(&((server *)self)->signals);
}

/* On a thread of its own: what the supervisor hands over, until it hands over nothing more. */
static void *take_connections(void *self) {
    server *s = self;
    int connection;
    while ((connection = dun_serve_door_take(s->fd, true)) >= 0)
        dun_serve_http_add(s->http, connection);
    dun_serve_signals_ask(&s->signals);
    return NULL;
}

/* A worker is up until somebody asks it to close; what was handed over by then is taken. */
static int wait_at_door(server *s) {
    int error = pthread_create(&s->door, NULL, take_connections, s);
    if (error)
        return dun_error(DUN_FAILED, "no thread for the worker's connections: %s", strerror(error));
    atomic_store(&s->options.slot->phase, DUN_SERVE_UP);
    dun_serve_door_ring(s->fd);
    dun_serve_signals_wait(&s->signals);
    atomic_store(&s->options.slot->phase, DUN_SERVE_CLOSING);
    shutdown(s->fd, SHUT_RD);
    pthread_join(s->door, NULL);
    return DUN_OK;
}

static void wait_alone(server *s) {
    const dun_observer *observer = s->experiment.session.observer;
    atomic_store(&s->options.slot->process, (int)getpid());
    atomic_store(&s->options.slot->phase, DUN_SERVE_UP);
    dun_observe_say(observer, "serving   %s", s->address);
    dun_serve_signals_wait(&s->signals);
    atomic_store(&s->options.slot->phase, DUN_SERVE_CLOSING);
    dun_observe_say(observer, "closing   after the requests that have begun");
}

/* Serves what comes from s->fd. */
static int serve(server *s) {
    int rc = DUN_OK;
    TRY(dun_serve_worker_start(&s->options.worker, &s->classifier, s->rule.saved->n_classes,
                               s->map.there ? &s->map.projection.pca : NULL, MAX_PENDING, device_failed, s));
    s->options.rule = &s->rule;
    s->options.map = &s->map;
    TRY(dun_serve_http_start(&s->http, s->fd, &s->options));
    if (s->options.handed)
        TRY(wait_at_door(s));
    else
        wait_alone(s);
    dun_serve_http_drain(s->http);
out:;
    /* First the worker: MHD cannot end a connection that is suspended. */
    int failed = dun_serve_worker_stop(s->options.worker);
    dun_serve_http_stop(s->http);
    dun_serve_worker_free(s->options.worker);
    return rc < 0 ? rc : failed;
}

/* The limits of a server, and what it says when it is unsure. */
static int read_options(server *s, const dun_args *args) {
    int rc = DUN_OK;
    int64_t body_kb = DEFAULT_BODY_KB, texts = DEFAULT_TEXTS, timeout = DEFAULT_TIMEOUT_S, per_address = 0;
    int64_t workers = 1, restarts = DEFAULT_RESTARTS;
    TRY(dun_args_count(&body_kb, args, "max-body", 1, 1 << 20));
    TRY(dun_args_count(&texts, args, "max-texts", 1, MAX_PENDING));
    TRY(dun_args_count(&timeout, args, "timeout", 1, 3600));
    TRY(dun_args_count(&per_address, args, "per-address", 0, MAX_PER_ADDRESS));
    TRY(dun_args_count(&workers, args, "workers", 1, DUN_SERVE_MOST_WORKERS));
    TRY(dun_args_count(&restarts, args, "restarts", 0, MOST_RESTARTS));
    TRY(dun_unsure_read(&s->rule.unsure, args));
    s->options.max_body_bytes = (size_t)body_kb << 10;
    s->options.max_texts = (size_t)texts;
    s->options.timeout_s = (unsigned)timeout;
    s->options.per_address = (unsigned)per_address;
    s->n_workers = (uint32_t)workers;
    s->restarts = (unsigned)restarts;
    TRY(dun_serve_shared_create(&s->shared, s->n_workers));
    s->options.shared = s->shared;
    s->options.slot = &s->shared->slots[0];
out:
    return rc;
}

/* Workers share processors and the memory of the host; a GPU would hold the weights once for each of them,
 * and answers requests together anyhow. */
static int judge_devices(const server *s) {
    int rc = DUN_OK;
    dun_device_info *infos = NULL;
    uint32_t *chosen = NULL;
    size_t n, n_chosen = 0;
    TRY(dun_device_list(&infos, &n));
    TRY_NEW(chosen, n);
    TRY(dun_device_select(chosen, &n_chosen, infos, n, s->experiment.config.device.use));
    for (size_t i = 0; i < n_chosen; i++)
        if (infos[chosen[i]].type != DUN_DEVICE_CPU)
            TRY(dun_error(DUN_USAGE,
                          "--workers %u: workers share the processors, and %s is none; without --workers one "
                          "process answers all requests that wait together",
                          s->n_workers, infos[chosen[i]].name));
out:
    dun_free(chosen);
    dun_free(infos);
    return rc;
}

/* Before the engine: the weights are those of the other workers, in the form that the first one chose. */
static int prepare_worker(server *s) {
    int rc = DUN_OK;
    const int form = atomic_load(&s->shared->form);
    dun_experiment *experiment = &s->experiment;
    TRY(judge_devices(s));
    experiment->session.common = s->common;
    if (form > 0 && experiment->config.device.weights == DUN_WEIGHTS_AUTO)
        TRY(dun_config_put(&experiment->config, DUN_KEY_device_weights,
                           dun_weights_word((enum dun_weight_form)(form - 1)), "the first worker"));
out:
    return rc;
}

/* Opens the run: with workers once, before they are forked, so that its tokens lie in memory once. */
static int open_run(server *s, const char *path, const dun_overrides *overrides,
                    const dun_observer *observer) {
    int rc = DUN_OK;
    TRY(dun_experiment_open(&s->experiment, path, overrides, observer));
    TRY(dun_experiment_require_run(&s->experiment, path, "serve"));
    s->rule.saved = &s->experiment.saved;
    s->rule.temperature = dun_answer_temperature(&s->experiment.saved, &s->experiment.config);
    TRY(dun_answer_check(&s->rule));
    TRY(dun_serve_map_read(&s->map, path, s->rule.saved));
out:
    return rc;
}

static int start_engine(server *s) {
    int rc = DUN_OK;
    if (s->options.handed)
        TRY(prepare_worker(s));
    TRY(dun_session_start_engine(&s->experiment.session, false));
    atomic_store(&s->shared->form, (int)s->experiment.session.form + 1);
    TRY(dun_classifier_open(&s->classifier, &s->experiment.session, &s->experiment.saved));
out:
    return rc;
}

static int bind_address(server *s, const dun_args *args) {
    int rc = DUN_OK;
    int64_t port = DEFAULT_PORT;
    const char *host = dun_args_value(args, "host");
    host = host ? host : "127.0.0.1";
    const bool six = strchr(host, ':') != NULL;
    TRY(dun_args_count(&port, args, "port", 0, UINT16_MAX));
    uint16_t bound = (uint16_t)port;
    TRY(dun_serve_listen(&s->fd, host, &bound));
    snprintf(s->address, sizeof s->address, "http://%s%s%s:%u/", six ? "[" : "", host, six ? "]" : "", bound);
out:
    return rc;
}

static void tell_of_few_processors(uint32_t n_workers) {
    const dun_limits_source here = dun_limits_of_process();
    const uint32_t n = dun_limits_processors(&here).n;
    if (n_workers > n)
        dun_warn("--workers %u: this process may use %u processor%s, so that workers share one with others; "
                 "more than %u answer no more",
                 n_workers, n, n == 1 ? "" : "s", n);
}

/* Forks the workers. In one of them the server is his from here on; the supervisor comes back at its end. */
static int become_workers(server *s, dun_progress *progress, const dun_observer *observer) {
    int rc = DUN_OK;
    char place[32];
    const dun_serve_group group = {.shared = s->shared,
                                   .listening = s->fd,
                                   .restarts = s->restarts,
                                   .timeout_s = s->options.timeout_s,
                                   .observer = observer,
                                   .address = s->address};
    tell_of_few_processors(s->n_workers);
    TRY(dun_common_create(&s->common));
    s->fd = -1;
    TRY(dun_serve_group_run(&s->role, &group));
    if (s->role.worker < 0)
        goto out;
    s->fd = s->role.door;
    s->options.handed = true;
    s->options.slot = &s->shared->slots[s->role.worker];
    progress->quiet |= !s->role.first; /* the others would say the same */
    dun_driver_take_threads(dun_limits_take_share((uint32_t)s->role.worker, s->n_workers));
    snprintf(place, sizeof place, ".worker-%d", s->role.worker);
    if (s->role.worker > 0)
        dun_driver_move_cache(place);
out:
    return rc;
}

static int run(const dun_args *args) {
    int rc = DUN_OK;
    dun_overrides overrides = {0};
    server s = {.fd = -1, .role = {.worker = -1, .door = -1}};
    dun_progress progress;
    dun_observer observer = dun_progress_observer(&progress);
    TRY(dun_talk(&progress, args));
    TRY(read_options(&s, args));
    TRY(dun_overrides_read(&overrides, args));
    if (s.n_workers == 1)
        TRY(dun_serve_signals_start(&s.signals));
    TRY(bind_address(&s, args));
    TRY(open_run(&s, dun_args_operand(args, 0), &overrides, &observer));
    if (s.n_workers > 1) {
        TRY(become_workers(&s, &progress, &observer));
        if (s.role.worker < 0)
            goto out;
        TRY(dun_serve_signals_start(&s.signals));
    }
    if (!dun_serve_signals_asked(&s.signals))
        TRY(start_engine(&s));
    if (!dun_serve_signals_asked(&s.signals))
        TRY(serve(&s));
out:
    if (s.fd >= 0)
        close(s.fd);
    dun_classifier_free(&s.classifier);
    dun_serve_map_free(&s.map);
    dun_experiment_close(&s.experiment);
    dun_progress_close(&progress);
    dun_overrides_free(&overrides);
    dun_serve_signals_stop(&s.signals);
    dun_common_free(s.common);
    dun_serve_shared_free(s.shared);
    return rc;
}

const dun_command dun_command_serve = {
    .name = "serve",
    .summary = "Answer over HTTP, with a page for trying sentences.",
    .usage = "RUN [--port N] [--host ADDRESS] [--workers N] [--unsure CONFIDENCE] [--device SELECTOR]",
    .help =
        "POST /classify takes {\"text\": \"...\"} and answers {\"label\", \"confidence\", \"distances\"}, "
        "or {\"texts\": [\"...\", ...]} and answers {\"answers\": [...]}, as for the lines of a body of type "
        "text/plain that does not begin with a brace. With \"map\": true an answer has its text's place among the "
        "run's held-out texts, which GET /map has. GET / is the page, GET /health "
        "says that the server is up, GET /metrics what it has done so far, in Prometheus' text format. Errors are {\"error\": \"...\"}: 400 for a body that is not such "
        "JSON, 404, 405, 413 for too large a body or too many texts, 415 for a body that is packed "
        "(Content-Encoding) or in another charset than UTF-8, 501 for a transfer coding other than chunked, "
        "503 when too much waits.\n\n"
        "Requests that come at the same time are answered together. There is room for some 450 clients; "
        "beyond, the one that the server has waited for longest is cut off.\n\n"
        "With --workers N that many processes answer, each with its share of the processors and all with the "
        "same weights in memory. One more listens and hands each connection to the worker that has fewest. A "
        "worker that dies is started again; clients that it was answering lose their connection, no others.\n\n"
        "Ctrl-C or SIGTERM ends the server, with exit status 0, once the requests that have begun are "
        "answered, at most --timeout seconds later; a second signal ends it at once.",
    .options = dun_serve_option_rows,
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
