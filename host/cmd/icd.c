/* Tries each driver in a process of its own, and makes a folder of links to those that live. */
#define _XOPEN_SOURCE 700 /* realpath */
#include "cmd/icd.h"

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/str.h"
#include "dev/icd_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIMIT_SECONDS = 20 };

static const char vendors[] = "OCL_ICD_VENDORS", trying[] = "DUNLIN_TRIES_ICD";

bool dun_icds_trying(void) {
    return getenv(trying) != NULL;
}

/* What the loader does with this driver alone. */
static int try_one(dun_icd *icd, const dun_icd_file *file) {
    int rc = DUN_OK;
    const char *argv[] = {"dunlin", "devices", "--json", NULL};
    dun_process_end end = {0};
    pid_t child;
    dun_str problem = {0};
    TRY_PTR(icd->path, dun_strdup(file->path));
    setenv(vendors, icd->path, 1);
    setenv(trying, "1", 1);
    rc = dun_process_start(&child, argv, "/dev/null", "/dev/null");
    if (rc == DUN_OK)
        rc = dun_process_wait(&end, child, LIMIT_SECONDS);
    unsetenv(trying);
    TRY(rc);
    icd->fatal = end.timed_out || end.signal || (end.status != 0 && end.status != 4);
    if (end.timed_out)
        TRY(dun_str_addf(&problem, "hangs: nothing within %d s", LIMIT_SECONDS));
    else if (end.signal)
        TRY(dun_str_addf(&problem, "crashes when it is loaded (%s)", strsignal(end.signal)));
    else if (end.status == 4) {
        TRY(dun_str_addf(&problem, "gives no platform: "));
        TRY(dun_icd_file_explain(&problem, file));
    } else if (end.status != 0)
        TRY(dun_str_addf(&problem, "ends its process with status %d", end.status));
    if (problem.length)
        TRY_PTR(icd->problem, dun_strdup(problem.bytes));
out:
    dun_str_free(&problem);
    return rc;
}

/* A folder of links to the drivers that work. */
static int make_folder(dun_icds *icds) {
    int rc = DUN_OK;
    dun_str link = {0};
    char target[4096];
    TRY(dun_dir_temporary(&link, "icd"));
    TRY_PTR(icds->folder, dun_strdup(link.bytes));
    for (size_t i = 0; i < icds->n; i++) {
        if (icds->icds[i].problem || !realpath(icds->icds[i].path, target))
            continue;
        dun_str_clear(&link);
        TRY(dun_str_addf(&link, "%s/%zu.icd", icds->folder, i));
        if (symlink(target, link.bytes) < 0)
            TRY(dun_error(DUN_FAILED, "%s cannot be made", link.bytes));
    }
out:
    dun_str_free(&link);
    return rc;
}

int dun_icds_try(dun_icds *icds) {
    int rc = DUN_OK;
    const char *set = getenv(vendors);
    char *before = NULL;
    bool any_fatal = false;
    dun_icd_files files = {0};
    *icds = (dun_icds){0};
    if (set && *set)
        TRY_PTR(before, dun_strdup(set));
    TRY(dun_icd_files_find(&files));
    TRY_NEW(icds->icds, files.n);
    icds->n = files.n;
    for (size_t i = 0; i < icds->n; i++) {
        TRY(try_one(&icds->icds[i], &files.files[i]));
        any_fatal |= icds->icds[i].fatal;
    }
    if (any_fatal)
        TRY(make_folder(icds));
out:
    if (icds->folder)
        setenv(vendors, icds->folder, 1);
    else if (before)
        setenv(vendors, before, 1);
    else
        unsetenv(vendors);
    dun_icd_files_free(&files);
    dun_free(before);
    return rc;
}

void dun_icds_free(dun_icds *icds) {
    char link[4200];
    for (size_t i = 0; i < icds->n; i++) {
        if (icds->folder) {
            snprintf(link, sizeof link, "%s/%zu.icd", icds->folder, i);
            unlink(link);
        }
        dun_free(icds->icds[i].path);
        dun_free(icds->icds[i].problem);
    }
    if (icds->folder)
        rmdir(icds->folder);
    dun_free(icds->folder);
    dun_free(icds->icds);
    *icds = (dun_icds){0};
}
