/* dunlin serve: a trained run behind HTTP. This thread opens the run and waits for a signal; the worker's
 * thread owns the device (serve_worker.c); libmicrohttpd's thread talks to clients (serve_http.c). */
#include "base/err.h"
#include "base/mem.h"
#include "cmd/cmd.h"
#include "cmd/serve/serve_http.h"
#include "cmd/serve/serve_listen.h"
#include "cmd/serve/serve_options.h"
#include "cmd/serve/serve_signals.h"
#include "cmd/shell/common.h"
#include "report/progress.h"

#include <string.h>
#include <unistd.h>

enum {
    DEFAULT_PORT = 8080,
    DEFAULT_BODY_KB = 1024,
    DEFAULT_TEXTS = 256,
    DEFAULT_TIMEOUT_S = 30,
    MAX_PENDING = 4096,      /* texts that wait; more are answered 503 */
    MAX_PER_ADDRESS = 65535, /* as many as an address has ports */
};

typedef struct {
    dun_experiment experiment;
    dun_classifier classifier;
    dun_answer_rule rule;
    dun_serve_options options;
    dun_serve_http *http;
    dun_serve_signals signals;
} server;

/* On the worker's thread: a device that failed ends the server. */
static void device_failed(void *self) {
    dun_serve_signals_ask(&((server *)self)->signals);
}

/* Serves on a listening socket, which stays the caller's. */
static int serve(server *s, const char *host, int fd, uint16_t port) {
    int rc = DUN_OK;
    bool six = strchr(host, ':') != NULL;
    TRY(dun_serve_worker_start(&s->options.worker, &s->classifier, s->rule.saved->n_classes, MAX_PENDING,
                               device_failed, s));
    s->options.rule = &s->rule;
    TRY(dun_serve_http_start(&s->http, fd, &s->options));
    dun_observe_say(s->experiment.session.observer, "serving   http://%s%s%s:%u/", six ? "[" : "", host,
                    six ? "]" : "", port);
    dun_serve_signals_wait(&s->signals);
    dun_observe_say(s->experiment.session.observer, "closing   after the requests that have begun");
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
    TRY(dun_args_count(&body_kb, args, "max-body", 1, 1 << 20));
    TRY(dun_args_count(&texts, args, "max-texts", 1, MAX_PENDING));
    TRY(dun_args_count(&timeout, args, "timeout", 1, 3600));
    TRY(dun_args_count(&per_address, args, "per-address", 0, MAX_PER_ADDRESS));
    TRY(dun_unsure_read(&s->rule.unsure, args));
    s->options.max_body_bytes = (size_t)body_kb << 10;
    s->options.max_texts = (size_t)texts;
    s->options.timeout_s = (unsigned)timeout;
    s->options.per_address = (unsigned)per_address;
out:
    return rc;
}

/* Opens the run and starts its engine, as far as nobody asks to close. */
static int load(server *s, const char *path, const dun_overrides *overrides, const dun_observer *observer) {
    int rc = DUN_OK;
    TRY(dun_experiment_open(&s->experiment, path, overrides, observer));
    TRY(dun_experiment_require_run(&s->experiment, path, "serve"));
    s->rule.saved = &s->experiment.saved;
    s->rule.temperature = dun_answer_temperature(&s->experiment.saved, &s->experiment.config);
    TRY(dun_answer_check(&s->rule));
    if (dun_serve_signals_asked(&s->signals))
        goto out;
    TRY(dun_session_start_engine(&s->experiment.session, false));
    TRY(dun_classifier_open(&s->classifier, &s->experiment.session, &s->experiment.saved));
out:
    return rc;
}

static int run(const dun_args *args) {
    int rc = DUN_OK, fd = -1;
    dun_overrides overrides = {0};
    server s = {0};
    dun_progress progress;
    int64_t port = DEFAULT_PORT;
    const char *host = dun_args_value(args, "host");
    host = host ? host : "127.0.0.1";
    dun_observer observer = dun_progress_observer(&progress);
    TRY(dun_talk(&progress, args));
    TRY(dun_serve_signals_start(&s.signals));
    TRY(dun_args_count(&port, args, "port", 0, UINT16_MAX));
    TRY(read_options(&s, args));
    TRY(dun_overrides_read(&overrides, args));
    uint16_t bound = (uint16_t)port;
    TRY(dun_serve_listen(&fd, host, &bound));
    TRY(load(&s, dun_args_operand(args, 0), &overrides, &observer));
    if (!dun_serve_signals_asked(&s.signals))
        TRY(serve(&s, host, fd, bound));
out:
    if (fd >= 0)
        close(fd);
    dun_classifier_free(&s.classifier);
    dun_experiment_close(&s.experiment);
    dun_progress_close(&progress);
    dun_overrides_free(&overrides);
    dun_serve_signals_stop(&s.signals);
    return rc;
}

const dun_command dun_command_serve = {
    .name = "serve",
    .summary = "Answer over HTTP, with a page for trying sentences.",
    .usage = "RUN [--port N] [--host ADDRESS] [--unsure CONFIDENCE] [--device SELECTOR]",
    .help =
        "POST /classify takes {\"text\": \"...\"} and answers {\"label\", \"confidence\", \"distances\"}, "
        "or {\"texts\": [\"...\", ...]} and answers {\"answers\": [...]}, as for the lines of a body of type "
        "text/plain that does not begin with a brace. GET / is the page, GET /health "
        "says that the server is up. Errors are {\"error\": \"...\"}: 400 for a body that is not such "
        "JSON, 404, 405, 413 for too large a body or too many texts, 415 for a body that is packed "
        "(Content-Encoding) or in another charset than UTF-8, 501 for a transfer coding other than chunked, "
        "503 when too much waits.\n\n"
        "Requests that come at the same time are answered together. There is room for some 450 clients; "
        "beyond, the one that the server has waited for longest is cut off.\n\n"
        "Ctrl-C or SIGTERM ends the server, with exit status 0, once the requests that have begun are "
        "answered, at most --timeout seconds later; a second signal ends it at once.",
    .options = dun_serve_option_rows,
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
