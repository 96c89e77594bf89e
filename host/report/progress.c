/* Lays out the line by the terminal's width, and draws it at most so often.
 * A line is a list of parts, each with a rank; while they do not fit, the part of lowest rank
 * goes. */
#include "report/progress.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { LONGEST_BAR = 30, SHORTEST_BAR = 8, DEFAULT_COLUMNS = 80, PART_BYTES = 192 };
static const double redraw_seconds = 0.1;
static const char clear_line[] = "\r\033[K";

enum part { STAGE, BAR, PERCENT, COUNT, SPEED, LEFT, NOTE, N_PARTS };

/* In which order the parts go when space is short. */
static const enum part first_to_go[] = {COUNT, SPEED, BAR, NOTE, LEFT};

static double share_of(const dun_stage *state) {
    double share = state->total ? (double)state->done / (double)state->total : 0;
    return share < 1 ? share : 1;
}

/* Whole seconds: an estimate with decimals would only flicker. */
static int add_left(dun_str *out, double seconds) {
    int rc = DUN_OK;
    const double whole = ceil(seconds);
    if (whole < 60)
        return dun_str_addf(out, "%.0f s left", whole);
    TRY(dun_stage_add_time(out, whole));
    TRY(dun_str_addf(out, " left"));
out:
    return rc;
}

/* Fills parts with what is worth showing; the bar only gets its place. */
static int fill_parts(dun_str parts[N_PARTS], const dun_stage *state) {
    int rc = DUN_OK;
    const unsigned long long done = state->done, total = state->total;
    const double speed = dun_stage_speed(state);
    TRY(dun_str_addf(&parts[STAGE], "%s", state->stage));
    if (total) {
        TRY(dun_str_addf(&parts[BAR], "[]"));
        TRY(dun_str_addf(&parts[PERCENT], "%3d%%", (int)(100 * share_of(state))));
        TRY(dun_str_addf(&parts[COUNT], "%llu/%llu %s", done, total, state->unit));
    } else {
        TRY(dun_str_addf(&parts[COUNT], "%llu %s", done, state->unit));
    }
    if (speed > 0) {
        TRY(dun_stage_add_speed(&parts[SPEED], speed));
        if (total > done)
            TRY(add_left(&parts[LEFT], (double)(total - done) / speed));
    }
    if (state->note)
        TRY(dun_str_addf(&parts[NOTE], "%s", state->note));
out:
    return rc;
}

static size_t width_of(const dun_str parts[N_PARTS], size_t bar) {
    size_t width = 0;
    for (int i = 0; i < N_PARTS; i++)
        if (parts[i].length)
            width += (width ? 2 : 0) + dun_text_columns(parts[i].bytes) + (i == BAR ? bar : 0);
    return width;
}

static int add_bar(dun_str *out, double share, size_t bar, bool color) {
    int rc = DUN_OK;
    size_t full = (size_t)(share * (double)bar);
    TRY(dun_str_addf(out, "[%s", color ? "\033[32m" : ""));
    for (size_t i = 0; i < bar; i++) {
        if (color && i == full)
            TRY(dun_str_addf(out, "\033[0m"));
        TRY(dun_str_add(out, i < full ? "#" : "-", 1));
    }
    TRY(dun_str_addf(out, "%s]", color && full == bar ? "\033[0m" : ""));
out:
    return rc;
}

/* Bytes of the first `columns` characters. */
static size_t cut(const char *text, size_t columns) {
    size_t i = 0;
    for (; text[i]; i++)
        if (((unsigned char)text[i] & 0xC0) != 0x80 && columns-- == 0)
            break;
    return i;
}

int dun_progress_format(dun_str *out, const dun_stage *state, size_t columns, bool color) {
    int rc = DUN_OK;
    dun_str parts[N_PARTS] = {0};
    TRY(fill_parts(parts, state));
    for (size_t i = 0; i < sizeof first_to_go / sizeof *first_to_go; i++)
        if (width_of(parts, SHORTEST_BAR) > columns)
            dun_str_clear(&parts[first_to_go[i]]);
    size_t used = width_of(parts, 0), bar = used < columns ? columns - used : 0;
    if (bar > LONGEST_BAR)
        bar = LONGEST_BAR;
    for (int i = 0, first = 1; i < N_PARTS; i++) {
        if (!parts[i].length)
            continue;
        if (!first)
            TRY(dun_str_add(out, "  ", 2));
        first = 0;
        if (i == BAR)
            TRY(add_bar(out, share_of(state), bar, color));
        else
            TRY(dun_str_add(out, parts[i].bytes,
                            used > columns ? cut(parts[i].bytes, columns) : parts[i].length));
        if (used > columns)
            break;
    }
out:
    for (int i = 0; i < N_PARTS; i++)
        dun_str_free(&parts[i]);
    return rc;
}

static size_t terminal_columns(FILE *stream) {
    struct winsize size;
    if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return DEFAULT_COLUMNS;
}

static dun_stage state_of(const dun_progress *progress) {
    return (dun_stage){.stage = progress->stage,
                       .unit = progress->unit,
                       .done = progress->done,
                       .total = progress->total,
                       .seconds = dun_clock_seconds() - progress->began,
                       .note = progress->note};
}

static void clear(dun_progress *progress) {
    if (progress->drawn)
        fputs(clear_line, progress->stream);
    progress->drawn = false;
}

/* Progress that cannot be shown is no failure of the job. */
static void draw(dun_progress *progress) {
    dun_str line = {0};
    dun_stage state = state_of(progress);
    /* The last column stays free: some terminals wrap when it is written to. */
    if (dun_progress_format(&line, &state, terminal_columns(progress->stream) - 1, progress->color) == 0) {
        fprintf(progress->stream, "%s%s", clear_line, line.bytes);
        fflush(progress->stream);
        progress->drawn = true;
    }
    progress->drawn_at = dun_clock_seconds();
    dun_str_free(&line);
}

static void set(char *out, size_t size, const char *text) {
    snprintf(out, size, "%s", text ? text : "");
    for (; *out; out++)
        if ((unsigned char)*out < ' ' || *out == 127)
            *out = ' ';
}

static void end(void *self) {
    dun_progress *progress = self;
    dun_str line = {0};
    if (!progress->open)
        return;
    dun_stage state = state_of(progress);
    clear(progress);
    if (!progress->quiet && dun_stage_add_end(&line, &state) == 0)
        fputs(line.bytes, progress->stream);
    fflush(progress->stream);
    progress->open = false;
    dun_str_free(&line);
}

static void begin(void *self, const char *stage, const char *unit, uint64_t total) {
    dun_progress *progress = self;
    end(progress);
    set(progress->stage, sizeof progress->stage, stage);
    set(progress->unit, sizeof progress->unit, unit);
    set(progress->note, sizeof progress->note, NULL);
    progress->done = 0;
    progress->total = total;
    progress->began = dun_clock_seconds();
    progress->open = true;
    if (progress->live)
        draw(progress);
}

static void advance(void *self, uint64_t done, const char *note) {
    dun_progress *progress = self;
    progress->done = done;
    if (note)
        set(progress->note, sizeof progress->note, note);
    if (progress->open && progress->live && dun_clock_seconds() - progress->drawn_at >= redraw_seconds)
        draw(progress);
}

static void say(void *self, const char *line) {
    dun_progress *progress = self;
    if (progress->quiet)
        return;
    clear(progress);
    fprintf(progress->stream, "%s\n", line);
}

static void detail(void *self, const char *line) {
    dun_progress *progress = self;
    if (progress->verbose)
        say(progress, line);
}

static void make_room(void *self, const char *message) {
    (void)message;
    clear(self);
    fflush(((dun_progress *)self)->stream);
}

static bool is_set(const char *variable) {
    const char *value = getenv(variable);
    return value && *value;
}

void dun_progress_init(dun_progress *progress, FILE *stream, bool quiet) {
    const char *term = getenv("TERM");
    bool terminal = isatty(fileno(stream)) && term && *term && strcmp(term, "dumb") != 0;
    *progress = (dun_progress){
        .stream = stream, .quiet = quiet, .live = terminal && !quiet, .color = !is_set("NO_COLOR")};
    dun_warn_listen(make_room, progress);
}

void dun_progress_close(dun_progress *progress) {
    if (!progress->stream)
        return;
    dun_warn_ignore(progress);
    clear(progress);
    fflush(progress->stream);
    progress->open = false;
}

dun_observer dun_progress_observer(dun_progress *progress) {
    return (dun_observer){
        .self = progress, .begin = begin, .advance = advance, .end = end, .say = say, .detail = detail};
}
