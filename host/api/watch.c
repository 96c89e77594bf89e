/* Asks the caller at most ten times a second, and tells the jobs of the thread what came of it. */
#include "api/watch.h"

#include "base/clock.h"
#include "base/interrupt.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double INTERVAL_S = 0.1;

/* By how a stage's name begins. */
static const char *phase_of(const char *stage) {
    static const struct {
        const char *begin, *phase;
    } rows[] = {{"loading", "load"}, {"reading", "texts"},      {"epoch", "train"},
                {"check", "check"},  {"validation", "measure"}, {"linear probe", "measure"},
                {"texts", "texts"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strncmp(stage, rows[i].begin, strlen(rows[i].begin)) == 0)
            return rows[i].phase;
    return "start";
}

static void ask(dun_watch_call *w) {
    const double now = dun_clock_seconds();
    if (!w->progress || w->stop || now - w->last < INTERVAL_S)
        return;
    const bool trains = strcmp(w->phase, "train") == 0;
    const dunlin_progress state = {.size = sizeof state,
                                   .phase = w->phase,
                                   .stage = w->stage,
                                   .step = trains ? w->step : w->done,
                                   .steps = trains ? w->steps : w->total,
                                   .loss = w->loss,
                                   .seconds = now - w->began};
    const int answer = w->progress(&state, w->user);
    w->last = dun_clock_seconds();
    w->stop = answer && (answer != 1 || w->whole);
    if (answer)
        dun_want(w->stop ? DUN_STOP : DUN_END);
}

static void begin(void *self, const char *stage, const char *unit, uint64_t total) {
    dun_watch_call *w = self;
    (void)unit;
    w->phase = phase_of(stage);
    snprintf(w->stage, sizeof w->stage, "%s", stage);
    w->done = 0;
    w->total = total;
    ask(w);
}

static void advance(void *self, uint64_t done, const char *note) {
    dun_watch_call *w = self;
    (void)note;
    w->done = done;
    ask(w);
}

static void step(void *self, uint64_t taken, uint64_t steps, double loss) {
    dun_watch_call *w = self;
    w->step = taken;
    w->steps = steps;
    w->loss = loss;
}

static void say(void *self, const char *line) {
    (void)self;
    dun_api_log(DUNLIN_LOG_INFO, line);
}

static void detail(void *self, const char *line) {
    (void)self;
    dun_api_log(DUNLIN_LOG_DETAIL, line);
}

dun_observer dun_watch_call_begin(dun_watch_call *watch, dunlin_progress_fn *progress, void *user) {
    *watch = (dun_watch_call){.progress = progress,
                              .user = user,
                              .began = dun_clock_seconds(),
                              .last = -INFINITY,
                              .phase = "load",
                              .loss = NAN};
    dun_want(DUN_GO_ON);
    return (dun_observer){
        .self = watch, .begin = begin, .advance = advance, .say = say, .detail = detail, .step = step};
}

int dun_watch_call_end(const dun_watch_call *watch, int rc) {
    dun_want(DUN_GO_ON);
    return rc >= 0 && watch->stop ? dun_error(DUN_INTERRUPTED, "stopped, as the progress function asked")
                                  : rc;
}
