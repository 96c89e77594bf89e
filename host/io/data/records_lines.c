/* Records that are lines: plain texts, and fastText's, whose label stands in front. */
#include "base/err.h"
#include "base/mem.h"
#include "io/data/records_inside.h"

#include <string.h>

static int set_cells(dun_records *r, dun_cell first, dun_cell second, size_t n) {
    int rc = DUN_OK;
    const dun_cell cells[] = {first, second};
    r->cut.n = 0;
    for (size_t i = 0; i < n; i++) {
        TRY_GROW(r->cut.cells, r->cut.capacity, r->cut.n);
        r->cut.cells[r->cut.n++] = cells[i];
    }
    rc = 1;
out:
    return rc;
}

/* The line at hand; moves behind it. */
static const char *take_line(dun_records *r, const char **stop) {
    const char *start = r->cut.at, *next;
    *stop = dun_cutter_line(&r->cut, &next);
    r->cut.line += next > start && next[-1] == r->cut.line_end;
    r->cut.at = next;
    return start;
}

int dun_plain_next(dun_records *r) {
    const char *stop, *start = take_line(r, &stop);
    return set_cells(r, (dun_cell){start, (size_t)(stop - start), DUN_CELL_TEXT}, (dun_cell){0}, 1);
}

static const char *skip_blanks(const char *c, const char *stop) {
    while (c < stop && (*c == ' ' || *c == '\t'))
        c++;
    return c;
}

/* "__label__NAME text": several labels make a list of them; none, no label at all. */
int dun_fasttext_next(dun_records *r) {
    static const char mark[] = "__label__";
    const size_t n_mark = sizeof mark - 1;
    const char *stop, *at = take_line(r, &stop);
    dun_cell label = {"", 0, DUN_CELL_ABSENT};
    at = skip_blanks(at, stop);
    while ((size_t)(stop - at) >= n_mark && memcmp(at, mark, n_mark) == 0) {
        const char *word = at + n_mark;
        for (at = word; at < stop && *at != ' ' && *at != '\t';)
            at++;
        if (label.kind == DUN_CELL_ABSENT)
            label = (dun_cell){word, (size_t)(at - word), DUN_CELL_TEXT};
        else
            label = (dun_cell){label.bytes, (size_t)(at - label.bytes), DUN_CELL_LIST};
        at = skip_blanks(at, stop);
    }
    return set_cells(r, (dun_cell){at, (size_t)(stop - at), DUN_CELL_TEXT}, label, 2);
}
