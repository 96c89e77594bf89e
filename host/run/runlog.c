/* Writes what is said with the time before it, and passes it on to the observer behind. */
#include "run/runlog.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void write_bytes(dun_run_log *log, const dun_str *text) {
    const int why = dun_stream_put(&log->file, text->bytes, text->length);
    if (!why)
        return;
    log->ended = true;
    dun_warn("%s: cannot be written, and ends here: %s", log->file.path, strerror(why));
    dun_stream_close(&log->file);
}

/* "2026-03-09T17:05:00Z " */
static int add_time(dun_str *out) {
    char text[32];
    struct tm parts;
    time_t now = (time_t)dun_clock_now();
    gmtime_r(&now, &parts);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ ", &parts);
    return dun_str_addf(out, "%s", text);
}

/* A line of at most `length` bytes. Without memory it is lost, as the run itself soon will be. */
static void add_line(dun_run_log *log, const char *kind, const char *line, size_t length) {
    int rc = DUN_OK;
    dun_str text = {0};
    if (log->ended)
        return;
    TRY(add_time(&text));
    TRY(dun_str_addf(&text, "%s", kind));
    TRY(dun_str_add(&text, line, length));
    for (char *c = text.bytes; *c; c++) /* a label may hold anything */
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    TRY(dun_str_add(&text, "\n", 1));
    if (log->file.path)
        write_bytes(log, &text);
    else
        TRY(dun_str_add(&log->waiting, text.bytes, text.length));
out:
    dun_str_free(&text);
}

static void add_lines(dun_run_log *log, const char *kind, const char *text) {
    for (; *text; text += *text == '\n') {
        size_t length = strcspn(text, "\n");
        if (length)
            add_line(log, kind, text, length);
        text += length;
    }
}

static void hear_warning(void *self, const char *message) {
    add_lines(self, "warning: ", message);
}

static void end_stage(dun_run_log *log) {
    dun_str line = {0};
    const dun_stage state = {.stage = log->stage,
                             .unit = log->unit,
                             .done = log->done,
                             .total = log->total,
                             .seconds = dun_clock_seconds() - log->began,
                             .note = log->note};
    if (log->stage[0] && dun_stage_add_end(&line, &state) == DUN_OK)
        add_lines(log, "", line.bytes);
    log->stage[0] = '\0';
    dun_str_free(&line);
}

static void begin(void *self, const char *stage, const char *unit, uint64_t total) {
    dun_run_log *log = self;
    end_stage(log);
    snprintf(log->stage, sizeof log->stage, "%s", stage);
    snprintf(log->unit, sizeof log->unit, "%s", unit);
    log->note[0] = '\0';
    log->done = 0;
    log->total = total;
    log->began = dun_clock_seconds();
    dun_observe_begin(log->inner, stage, unit, total);
}

static void advance(void *self, uint64_t done, const char *note) {
    dun_run_log *log = self;
    log->done = done;
    if (note)
        snprintf(log->note, sizeof log->note, "%s", note);
    dun_observe_advance(log->inner, done, note);
}

static void end(void *self) {
    dun_run_log *log = self;
    end_stage(log);
    dun_observe_end(log->inner);
}

static void step(void *self, uint64_t taken, uint64_t steps, double loss) {
    const dun_run_log *log = self;
    dun_observe_step(log->inner, taken, steps, loss);
}

static void say(void *self, const char *line) {
    dun_run_log *log = self;
    add_lines(log, "", line);
    dun_observe_say(log->inner, "%s", line);
}

static void detail(void *self, const char *line) {
    dun_run_log *log = self;
    add_lines(log, "", line);
    dun_observe_detail(log->inner, "%s", line);
}

void dun_run_log_init(dun_run_log *log, const dun_observer *inner) {
    *log = (dun_run_log){.inner = inner};
    dun_warn_listen(hear_warning, log);
    add_lines(log, "", "dunlin " DUN_VERSION);
}

int dun_run_log_open(dun_run_log *log, const char *run_path) {
    int rc = DUN_OK;
    dun_str path = {0};
    TRY(dun_str_addf(&path, "%s/run.log", run_path));
    TRY(dun_stream_go_on(&log->file, path.bytes));
    if (log->waiting.length)
        write_bytes(log, &log->waiting);
out:
    dun_str_free(&log->waiting);
    dun_str_free(&path);
    return rc;
}

dun_observer dun_run_log_observer(dun_run_log *log) {
    return (dun_observer){.self = log,
                          .begin = begin,
                          .advance = advance,
                          .end = end,
                          .say = say,
                          .detail = detail,
                          .step = step};
}

void dun_run_log_note(dun_run_log *log, const char *text) {
    add_lines(log, "", text);
}

void dun_run_log_close(dun_run_log *log, int rc) {
    end_stage(log);
    if (log->file.path && rc < 0)
        add_lines(log, rc == DUN_INTERRUPTED ? "" : "failed: ", dun_error_message());
    dun_warn_ignore(log);
    dun_stream_close(&log->file);
    dun_str_free(&log->waiting);
    *log = (dun_run_log){0};
}
