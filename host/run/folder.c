/* Looks at folders for output, makes and claims them. */
#include "run/folder.h"

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/place.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool holds(const char *folder, const char *name) {
    struct stat info;
    dun_str path = {0};
    const bool found = dun_str_addf(&path, "%s/%s", folder, name) >= 0 && stat(path.bytes, &info) == 0 &&
                       S_ISREG(info.st_mode);
    dun_str_free(&path);
    return found;
}

static bool holds_any(const char *folder, const char *const *names) {
    while (*names && !holds(folder, *names))
        names++;
    return *names != NULL;
}

bool dun_folder_is_run(const char *folder) {
    static const char *const trained[] = {"checkpoint", "checkpoint.previous", "history.jsonl",
                                          "metrics.json", NULL};
    return holds(folder, "config.ini") && (dun_claim_marks(folder) || holds_any(folder, trained));
}

/* The first file of a run, or of several, half written: by one that was killed, or by others at this moment.
 */
static bool is_leftover(const void *marked, const char *name) {
    static const char run[] = "config.ini.tmp", plan[] = DUN_PLAN_FILE ".tmp";
    return (*(const bool *)marked && strncmp(name, run, sizeof run - 1) == 0) ||
           strncmp(name, plan, sizeof plan - 1) == 0;
}

static int refuse_content(const char *folder) {
    int rc = DUN_OK;
    static const char *const tables[] = {"sweep.csv", "sweep.json", DUN_PLAN_FILE, NULL};
    dun_place_content content;
    const bool marked = dun_claim_marks(folder);
    TRY(dun_place_look(&content, folder, is_leftover, &marked));
    if (content.n == 0)
        goto out;
    if (dun_folder_is_run(folder))
        TRY(dun_error(DUN_FAILED, "%s: holds a run already, which is never overwritten; name another --out%s",
                      folder,
                      holds(folder, "metrics.json") ? "" : ", or go on with it: dunlin train --resume"));
    if (marked || holds_any(folder, tables))
        TRY(dun_error(
            DUN_FAILED,
            "%s: holds what dunlin made before, as %s, which is never overwritten; name another --out%s",
            folder, content.first,
            holds(folder, DUN_PLAN_FILE) ? ", or go on with these runs: --claim" : ""));
    TRY(dun_error(DUN_FAILED,
                  "%s: holds files that dunlin did not make there: %s%s; name a new folder or an empty one",
                  folder, content.first, content.n > 1 ? " and others" : ""));
out:
    return rc;
}

int dun_folder_look(const char *folder) {
    int rc = DUN_OK;
    TRY(dun_place_for_folder(*folder ? folder : "runs"));
    if (!*folder)
        goto out;
    TRY(dun_claim_refuse_held(folder));
    TRY(refuse_content(folder));
out:
    return rc;
}

/* What was seen before the claim was ours may have changed until then. */
static int claim_seen(dun_claim **out, bool *held, const char *folder, size_t there) {
    int rc = DUN_OK;
    *held = false;
    TRY(refuse_content(folder));
    TRY(dun_claim_take(out, held, folder));
    TRY(refuse_content(folder));
    dun_claim_made(*out, there);
    dun_claim_tell(*out);
out:
    if (rc < 0) {
        dun_claim_undo(*out);
        *out = NULL;
        if (!*held)
            dun_dir_remove_new(folder, there);
    }
    return rc;
}

int dun_folder_claim(dun_claim **out, const char *folder) {
    int rc = DUN_OK;
    bool held;
    size_t there;
    *out = NULL;
    TRY(dun_folder_look(folder));
    TRY(dun_dir_make_new(&there, folder));
    TRY(claim_seen(out, &held, folder, there));
out:
    return rc;
}

int dun_folder_share(dun_claim **out, const char *folder) {
    enum { TRIES = 10 };
    int rc = DUN_OK;
    bool held = false;
    size_t there;
    *out = NULL;
    for (int i = 0; !*out && !held; i++) {
        TRY(dun_dir_make_new(&there, folder));
        rc = dun_claim_take(out, &held, folder);
        if (rc < 0 && !held &&
            (dun_dir_exists(folder) || i == TRIES)) /* else another one took it away again */
            goto out;
    }
    rc = DUN_OK;
    if (held) {
        dun_error_clear();
        goto out;
    }
    dun_claim_made(*out, there);
    if (!dun_folder_is_run(folder))
        TRY(refuse_content(folder));
out:
    if (rc < 0) {
        dun_claim_undo(*out);
        *out = NULL;
    }
    return rc;
}

int dun_folder_claim_name(dun_claim **out, char **path, const char *name) {
    int rc = DUN_OK;
    dun_str folder = {0};
    bool made = false, held = false;
    size_t there;
    *out = NULL;
    for (unsigned i = 1; !*out; i++) {
        dun_str_clear(&folder);
        TRY(i == 1 ? dun_str_addf(&folder, "runs/%s", name) : dun_str_addf(&folder, "runs/%s-%u", name, i));
        TRY(dun_dir_claim(&made, &there, folder.bytes));
        if (made && claim_seen(out, &held, folder.bytes, there) < 0 && !held)
            TRY(DUN_FAILED);
    }
    *path = folder.bytes;
    folder = (dun_str){0};
out:
    dun_str_free(&folder);
    return rc;
}
