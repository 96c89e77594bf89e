/* What was passed over while reading, by kind, with the first lines of each. */
#include "io/data/tally.h"

#include "base/err.h"

#include <stdio.h>

static const struct {
    const char *one, *many;
} words[DUN_N_PASSED] = {
    [DUN_PASSED_EMPTY] = {"empty text", "empty texts"},
    [DUN_PASSED_UNLABELLED] = {"without a label", "without a label"},
    [DUN_PASSED_UNEVEN] = {"with another number of columns", "with another number of columns"},
};

void dun_tally_add(dun_tally *tally, enum dun_passed why, size_t line) {
    if (tally->n[why] < DUN_TALLY_LINES)
        tally->lines[why][tally->n[why]] = line;
    tally->n[why]++;
}

size_t dun_tally_passed(const dun_tally *tally) {
    size_t n = 0;
    for (int why = 0; why < DUN_N_PASSED; why++)
        n += tally->n[why];
    return n;
}

bool dun_tally_too_many(const dun_tally *tally) {
    const size_t passed = dun_tally_passed(tally);
    return passed > 1 && passed * 100 > tally->n_read * DUN_TALLY_PERCENT;
}

/* A number with commas between thousands. */
static int add_count(dun_str *out, size_t n) {
    if (n < 1000)
        return dun_str_addf(out, "%zu", n);
    int rc;
    TRY(add_count(out, n / 1000));
    TRY(dun_str_addf(out, ",%03zu", n % 1000));
out:
    return rc;
}

static int add_kind(dun_str *out, const dun_tally *tally, int why, bool first) {
    int rc;
    const size_t n = tally->n[why];
    TRY(dun_str_addf(out, first ? ": " : ", "));
    TRY(add_count(out, n));
    TRY(dun_str_addf(out, " %s (", n == 1 ? words[why].one : words[why].many));
    for (size_t i = 0; i < n && i < DUN_TALLY_LINES; i++)
        TRY(dun_str_addf(out, "%s%zu", i ? ", " : "", tally->lines[why][i]));
    TRY(dun_str_addf(out, n > DUN_TALLY_LINES ? ", ...)" : ")"));
out:
    return rc;
}

int dun_tally_tell(dun_str *out, const dun_tally *tally) {
    int rc;
    bool first = true;
    TRY(dun_str_addf(out, "read "));
    TRY(add_count(out, tally->n_read - dun_tally_passed(tally)));
    TRY(dun_str_addf(out, " of "));
    TRY(add_count(out, tally->n_read));
    TRY(dun_str_addf(out, " rows"));
    for (int why = 0; why < DUN_N_PASSED; why++) {
        if (tally->n[why] == 0)
            continue;
        TRY(add_kind(out, tally, why, first));
        first = false;
    }
    if (tally->n_blank) {
        TRY(dun_str_addf(out, first ? ": " : "; "));
        TRY(add_count(out, tally->n_blank));
        TRY(dun_str_addf(out, tally->n_blank == 1 ? " blank line" : " blank lines"));
    }
out:
    return rc;
}

int dun_tally_refuse_none(const char *name, size_t line, size_t n_blank) {
    char found[64] = "";
    if (n_blank)
        snprintf(found, sizeof found, ", only %zu blank line%s", n_blank, n_blank == 1 ? "" : "s");
    return dun_error(DUN_BAD_INPUT, "%s:%zu: no texts%s; a text and its label are needed in every line", name,
                     line, found);
}
