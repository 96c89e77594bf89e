/* Goes through the records once more and copies those that the data set kept for the side. */
#include "io/data/split_copy.h"

#include "base/csv.h"
#include "base/err.h"
#include "base/json.h"

static bool is_rewritten(const dun_dialect *dialect) {
    return dialect->format == DUN_JSON || (dialect->format == DUN_TSV && dialect->quotes);
}

const char *dun_split_format(const dun_dialect *dialect) {
    return !is_rewritten(dialect)        ? dun_format_name(dialect->format)
           : dialect->format == DUN_JSON ? "jsonl"
                                         : "csv";
}

/* An object as one line. */
static int add_object(dun_str *out, const char *bytes, size_t length, const char *name, size_t line) {
    int rc;
    json_t *object = NULL;
    TRY(dun_json_parse_foreign(&object, bytes, length, name, line));
    TRY(dun_json_dump(out, object));
    TRY(dun_str_add(out, "\n", 1));
out:
    json_decref(object);
    return rc;
}

static int add_fields(dun_str *out, const dun_record *record) {
    int rc = DUN_OK;
    for (size_t i = 0; i < record->n; i++)
        TRY(dun_csv_add(out, record->cells[i].bytes, record->cells[i].length));
    TRY(dun_str_add(out, "\n", 1));
out:
    return rc;
}

static int add_record(dun_str *out, const dun_text_file *text, const dun_dialect *dialect,
                      const dun_record *record) {
    int rc;
    const char *bytes = text->bytes + record->at;
    const size_t length = record->end - record->at;
    if (dialect->format == DUN_JSON)
        TRY(add_object(out, bytes, length, text->name, record->line));
    else if (is_rewritten(dialect))
        TRY(add_fields(out, record));
    else {
        TRY(dun_str_add(out, bytes, length));
        if (length && bytes[length - 1] != dialect->line_end)
            TRY(dun_str_add(out, &dialect->line_end, 1));
    }
out:
    return rc;
}

int dun_split_copy(dun_str *out, const dun_text_file *text, const dun_dialect *dialect, bool header,
                   const dun_dataset *dataset, const dun_split *split, bool valid) {
    int rc;
    dun_records *records = NULL;
    dun_record record;
    size_t i = 0;
    TRY(dun_records_open(&records, text, dialect));
    if (!is_rewritten(dialect))
        TRY(dun_str_add(out, text->bytes, dialect->begin));
    if (header) {
        while ((rc = dun_records_next(&record, records)) == 1 && dun_record_is_empty(&record))
            ;
        TRY(rc == 1 ? add_record(out, text, dialect, &record) : rc);
    }
    while (i < dataset->n) {
        TRY(dun_records_next(&record, records));
        if (rc == 0)
            break;
        if (record.at != dataset->examples[i].at)
            continue;
        if (split->to_valid[i] == valid)
            TRY(add_record(out, text, dialect, &record));
        i++;
    }
    rc = DUN_OK;
out:
    dun_records_close(records);
    return rc;
}
