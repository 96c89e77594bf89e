/* Texts as records, in every form that a name can stand for: read strictly, and where every record is to be
 * answered. The first byte of an input chooses the name, the rest is the file. */
#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "io/data/asked.h"
#include "io/data/judge.h"
#include "io/data/records.h"
#include "targets.h"

#include <string.h>

static const char *const names[] = {"data.csv", "data.tsv", "data.jsonl", "data.json", "data.ft", "data.txt"};
enum { N_NAMES = sizeof names / sizeof *names };

typedef struct {
    size_t n, n_cells;
} counts;

/* Records lie one after another in the text, and their cells hold text. */
static void check_record(const dun_record *record, const dun_text_file *text, size_t before) {
    FUZZ_EXPECT(record->at >= before && record->end > record->at && record->end <= text->length);
    FUZZ_EXPECT(record->line > 0 && record->last_line >= record->line && record->n <= DUN_RECORD_COLUMNS + 1);
    for (size_t i = 0; i < record->n; i++)
        FUZZ_EXPECT(dun_utf8_valid(record->cells[i].bytes, record->cells[i].length) ==
                    record->cells[i].length);
}

/* True when all of it was read. */
static bool read_all(counts *out, const dun_text_file *text, bool header) {
    dun_dialect dialect;
    dun_records *records = NULL;
    dun_record record;
    size_t before = 0;
    int rc;
    *out = (counts){0};
    FUZZ_EXPECT(dun_dialect_find(&dialect, text, NULL) == 0);
    FUZZ_EXPECT(dialect.begin <= text->length && dialect.n_columns <= DUN_RECORD_COLUMNS);
    FUZZ_EXPECT(dun_records_open(&records, text, &dialect) == 0);
    rc = header ? dun_records_read_header(records) : 0;
    while (rc >= 0 && (rc = dun_records_next(&record, records)) == 1) {
        check_record(&record, text, before);
        before = record.end;
        out->n++;
        out->n_cells += record.n;
    }
    FUZZ_EXPECT(out->n <= text->length);
    dun_records_close(records);
    return fuzz_accepted(rc, DUN_BAD_INPUT, DUN_BAD_INPUT);
}

static void judge(const dun_text_file *text) {
    dun_dialect dialect;
    dun_judged_text judged;
    FUZZ_EXPECT(dun_dialect_find(&dialect, text, NULL) == 0);
    (void)fuzz_accepted(dun_judge_text(&judged, text, &dialect, NULL, false), DUN_BAD_INPUT, DUN_USAGE);
    dun_free(judged.name);
}

/* Every text of the file is UTF-8 that ends with a zero. */
static void ask(const char *path) {
    dun_asked *asked = NULL;
    const char *text;
    size_t length;
    int rc = dun_asked_open(&asked, path, &(dun_asked_options){.usual = ""});
    if (!fuzz_accepted(rc, DUN_BAD_INPUT, DUN_USAGE))
        return;
    while ((rc = dun_asked_next(&text, &length, asked)) == 1)
        FUZZ_EXPECT(strlen(text) == length && dun_utf8_valid(text, length) == length);
    (void)fuzz_accepted(rc, DUN_BAD_INPUT, DUN_BAD_INPUT);
    dun_asked_close(asked);
}

/* What is read strictly is the same records where all are to be answered. */
void fuzz_records(const uint8_t *bytes, size_t length) {
    const uint8_t chosen = length ? bytes[0] : 0;
    const char *name = names[chosen % N_NAMES];
    const bool header = chosen & 0x80;
    dun_text_file strict, mild;
    counts some, all;
    bytes += length > 0;
    length -= length > 0;
    if (fuzz_accepted(dun_text_file_of_any(&mild, bytes, length, name), DUN_BAD_INPUT, DUN_BAD_INPUT)) {
        const bool whole = read_all(&all, &mild, header);
        judge(&mild);
        if (fuzz_accepted(dun_text_file_of(&strict, bytes, length, name), DUN_BAD_INPUT, DUN_BAD_INPUT)) {
            if (read_all(&some, &strict, header))
                FUZZ_EXPECT(whole && some.n == all.n && some.n_cells == all.n_cells);
            dun_text_file_close(&strict);
        }
        dun_text_file_close(&mild);
    }
    ask(fuzz_file(name, bytes, length));
}
