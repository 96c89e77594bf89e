/* A text file of lines "try" and "end", on the disk before a candidate may crash the machine. */
#include "bench/tune_journal.h"

#include "base/cache.h"
#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/stream.h"
#include "dev/tuning.h"

#include <string.h>
#include <unistd.h>

int dun_journal_path(dun_str *out, const dun_device_info *info) {
    int rc = DUN_OK;
    dun_str key = {0};
    TRY(dun_tuning_key(&key, info));
    if (!dun_cache_folder(out))
        goto out;
    TRY(dun_str_addf(out, "/tuning"));
    TRY(dun_dir_make(out->bytes));
    TRY(dun_str_addf(out, "/%016llx.journal",
                     (unsigned long long)dun_hash(DUN_HASH_START, key.bytes, key.length)));
out:
    dun_str_free(&key);
    return rc;
}

/* Is "WHAT CANDIDATE" a line of the text? The last place, or NULL. */
static const char *find_line(const char *text, const char *what, const char *candidate) {
    const char *last = NULL;
    size_t n_what = strlen(what), n = strlen(candidate);
    for (const char *at = text; at && *at; at = strchr(at, '\n'), at += at != NULL)
        if (strncmp(at, what, n_what) == 0 && at[n_what] == ' ' &&
            strncmp(at + n_what + 1, candidate, n) == 0 &&
            (at[n_what + 1 + n] == '\n' || !at[n_what + 1 + n]))
            last = at;
    return last;
}

bool dun_journal_unfinished(const dun_str *path, const char *candidate) {
    dun_file file = {0};
    dun_str text = {0};
    bool unfinished = false;
    if (!path->length || access(path->bytes, R_OK) < 0 || dun_file_map(&file, path->bytes) < 0)
        return false;
    if (dun_str_add(&text, (const char *)file.bytes, file.length) == DUN_OK && text.length) {
        const char *tried = find_line(text.bytes, "try", candidate);
        const char *ended = find_line(text.bytes, "end", candidate);
        unfinished = tried && (!ended || ended < tried);
    }
    dun_str_free(&text);
    dun_file_unmap(&file);
    return unfinished;
}

int dun_journal_add(const dun_str *path, const char *what, const char *candidate) {
    int rc = DUN_OK;
    dun_stream journal = {0};
    dun_str line = {0};
    if (!path->length)
        goto out;
    TRY(dun_str_addf(&line, "%s %s\n", what, candidate));
    TRY(dun_stream_go_on(&journal, path->bytes));
    TRY(dun_stream_add(&journal, line.bytes, line.length));
    TRY(dun_stream_sync(&journal));
out:
    dun_stream_close(&journal);
    dun_str_free(&line);
    return rc;
}

void dun_journal_remove(const dun_str *path) {
    if (path->length)
        (void)unlink(path->bytes);
}
