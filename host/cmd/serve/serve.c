/* dunlin serve: a trained run behind HTTP. This thread opens the run and waits for a signal; the worker's
 * thread owns the device (serve_worker.c); libmicrohttpd's thread talks to clients (serve_http.c). */
#include "base/err.h"
#include "base/mem.h"
#include "cmd/cmd.h"
#include "cmd/serve/serve_http.h"
#include "cmd/shell/common.h"
#include "report/progress.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    DEFAULT_PORT = 8080,
    DEFAULT_BODY_KB = 1024,
    DEFAULT_TEXTS = 256,
    DEFAULT_TIMEOUT_S = 30,
    MAX_PENDING = 4096, /* texts that wait; more are answered 503 */
    GRACE_S = 10,       /* for requests that have begun, when the server closes */
};

typedef struct {
    dun_experiment experiment;
    dun_classifier classifier;
    dun_answer_rule rule;
    dun_serve_options options;
    dun_serve_http *http;
    pthread_t waiting; /* the thread that waits for a signal */
} server;

static void closing_signals(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
}

/* On the worker's thread: a device that failed ends the server. */
static void device_failed(void *self) {
    /* The thread has it blocked and waits for it.
     * NOLINTNEXTLINE(bugprone-bad-signal-to-kill-thread,cert-pos44-c) */
    pthread_kill(((server *)self)->waiting, SIGTERM);
}

/* Serves until a signal comes. A second one, while requests are still being answered, ends the process. */
static void wait_for_signal(void) {
    sigset_t set;
    int which;
    closing_signals(&set);
    sigwait(&set, &which);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static int serve(server *s, const char *host, int fd, uint16_t port) {
    int rc = DUN_OK;
    bool six = strchr(host, ':') != NULL;
    s->waiting = pthread_self();
    TRY(dun_serve_worker_start(&s->options.worker, &s->classifier, s->rule.saved->n_classes, MAX_PENDING,
                               device_failed, s));
    s->options.rule = &s->rule;
    TRY(dun_serve_http_start(&s->http, fd, &s->options));
    fd = -1;
    dun_observe_say(s->experiment.session.observer, "serving   http://%s%s%s:%u/", six ? "[" : "", host,
                    six ? "]" : "", port);
    wait_for_signal();
    dun_observe_say(s->experiment.session.observer, "closing   after the requests that have begun");
    dun_serve_http_drain(s->http, GRACE_S);
out:
    if (fd >= 0)
        close(fd);
    /* First the worker: MHD cannot end a connection that is suspended. */
    int failed = dun_serve_worker_stop(s->options.worker);
    dun_serve_http_stop(s->http);
    dun_serve_worker_free(s->options.worker);
    return rc < 0 ? rc : failed;
}

static int run(const dun_args *args) {
    int rc = DUN_OK, fd = -1;
    dun_overrides overrides = {0};
    server s = {0};
    dun_progress progress;
    sigset_t set;
    int64_t port = DEFAULT_PORT, body_kb = DEFAULT_BODY_KB, texts = DEFAULT_TEXTS,
            timeout = DEFAULT_TIMEOUT_S;
    const char *host = dun_args_value(args, "host");
    host = host ? host : "127.0.0.1";
    dun_observer observer = dun_progress_observer(&progress);
    /* Before any thread is made, so that only wait_for_signal sees them. */
    closing_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    TRY(dun_talk(&progress, args));
    TRY(dun_args_count(&port, args, "port", 0, UINT16_MAX));
    TRY(dun_args_count(&body_kb, args, "max-body", 1, 1 << 20));
    TRY(dun_args_count(&texts, args, "max-texts", 1, MAX_PENDING));
    TRY(dun_args_count(&timeout, args, "timeout", 1, 3600));
    TRY(dun_unsure_read(&s.rule.unsure, args));
    TRY(dun_overrides_read(&overrides, args));
    uint16_t bound = (uint16_t)port;
    TRY(dun_serve_listen(&fd, host, &bound));
    TRY(dun_experiment_open(&s.experiment, dun_args_operand(args, 0), &overrides, &observer));
    TRY(dun_experiment_require_run(&s.experiment, dun_args_operand(args, 0), "serve"));
    s.rule.saved = &s.experiment.saved;
    s.rule.temperature = s.experiment.config.loss.temperature;
    TRY(dun_answer_check(&s.rule));
    TRY(dun_session_start_engine(&s.experiment.session, false));
    TRY(dun_classifier_open(&s.classifier, &s.experiment.session, &s.experiment.saved));
    s.options.max_body_bytes = (size_t)body_kb << 10;
    s.options.max_texts = (size_t)texts;
    s.options.timeout_s = (unsigned)timeout;
    int taken = fd;
    fd = -1;
    TRY(serve(&s, host, taken, bound));
out:
    if (fd >= 0)
        close(fd);
    dun_classifier_free(&s.classifier);
    dun_experiment_close(&s.experiment);
    dun_progress_close(&progress);
    dun_overrides_free(&overrides);
    return rc;
}

static const dun_option options[] = {
    {.name = "port", .argument = "N", .help = "The TCP port, 8080 by default; 0 lets the system choose."},
    {.name = "host",
     .argument = "ADDRESS",
     .help = "The address to listen on; by default 127.0.0.1, which only this machine can reach."},
    {.name = "max-body", .argument = "KIB", .help = "Largest body of a request, 1024 by default."},
    {.name = "max-texts", .argument = "N", .help = "Most texts in a request, 256 by default."},
    {.name = "timeout",
     .argument = "SECONDS",
     .help = "Most seconds for a request to arrive, 30 by default."},
    DUN_UNSURE_OPTION,
    DUN_OVERRIDE_OPTIONS,
    DUN_TALK_OPTIONS,
    {0},
};

const dun_command dun_command_serve = {
    .name = "serve",
    .summary = "Answer over HTTP, with a page for trying sentences.",
    .usage = "RUN [--port N] [--host ADDRESS] [--unsure CONFIDENCE] [--device SELECTOR]",
    .help =
        "POST /classify takes {\"text\": \"...\"} and answers {\"label\", \"confidence\", \"distances\"}, "
        "or {\"texts\": [\"...\", ...]} and answers {\"answers\": [...]}. GET / is the page, GET /health "
        "says that the server is up. Errors are {\"error\": \"...\"}: 400 for a body that is not such "
        "JSON, 404, 405, 413 for too large a body or too many texts, 503 when too much waits.\n\n"
        "Requests that come at the same time are answered together. Ctrl-C or SIGTERM ends the server "
        "once the requests that have begun are answered.",
    .options = options,
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
