/* Makes, reads and judges the record of a claim. */
#include "run/claim_record.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/machine.h"
#include "base/process.h"
#include "base/utf8.h"
#include "run/claim.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void read_host(char host[DUN_HOST_BYTES]) {
    if (gethostname(host, DUN_HOST_BYTES) < 0)
        strcpy(host, "?");
    host[DUN_HOST_BYTES - 1] = '\0';
}

void dun_holder_self(dun_holder *self) {
    struct tm parts;
    const time_t now = (time_t)dun_clock_now();
    *self = (dun_holder){.held = true, .pid = getpid(), .start = dun_process_began(getpid())};
    read_host(self->host);
    dun_machine_boot(self->boot);
    dun_machine_pids(self->pids);
    gmtime_r(&now, &parts);
    strftime(self->since, sizeof self->since, "%Y-%m-%dT%H:%M:%SZ", &parts);
    if (!getcwd(self->from, sizeof self->from))
        self->from[0] = '\0';
}

/* What is no UTF-8, as the name of a folder may be, is left out. */
static json_t *text_json(const char *text) {
    const size_t length = strlen(text);
    return json_string(dun_utf8_valid(text, length) == length ? text : "");
}

int dun_holder_write(dun_str *out, const dun_holder *holder) {
    int rc = DUN_OK;
    json_t *record = json_object();
    TRY(dun_json_set(record, "version", json_string(DUN_VERSION)));
    TRY(dun_json_set(record, "host", text_json(holder->host)));
    TRY(dun_json_set(record, "boot", text_json(holder->boot)));
    TRY(dun_json_set(record, "pids", text_json(holder->pids)));
    TRY(dun_json_set(record, "pid", json_integer((json_int_t)holder->pid)));
    TRY(dun_json_set(record, "start", json_integer((json_int_t)holder->start)));
    TRY(dun_json_set(record, "since", json_string(holder->since)));
    TRY(dun_json_set(record, "from", text_json(holder->from)));
    TRY(dun_json_set(record, "held", json_boolean(holder->held)));
    TRY(dun_json_dump(out, record));
    TRY(dun_str_add(out, "\n", 1));
out:
    json_decref(record);
    return rc;
}

static void copy_text(char *to, size_t size, const json_t *record, const char *key) {
    const char *text = json_string_value(json_object_get(record, key));
    snprintf(to, size, "%s", text ? text : "");
}

int dun_holder_read(dun_holder *holder, const char *bytes, size_t n, const char *path) {
    int rc = DUN_OK;
    json_t *record = NULL;
    *holder = (dun_holder){0};
    if (n == 0)
        return DUN_OK;
    if (dun_json_parse(&record, bytes, n, path, 1) < 0 || !json_is_boolean(json_object_get(record, "held")))
        TRY(dun_error(DUN_FAILED,
                      "%s: is not what dunlin writes there; if nobody works in that folder, remove the file",
                      path));
    holder->held = json_is_true(json_object_get(record, "held"));
    holder->pid = (pid_t)json_integer_value(json_object_get(record, "pid"));
    holder->start = (uint64_t)json_integer_value(json_object_get(record, "start"));
    copy_text(holder->host, sizeof holder->host, record, "host");
    copy_text(holder->boot, sizeof holder->boot, record, "boot");
    copy_text(holder->pids, sizeof holder->pids, record, "pids");
    copy_text(holder->since, sizeof holder->since, record, "since");
    copy_text(holder->from, sizeof holder->from, record, "from");
out:
    json_decref(record);
    return rc;
}

bool dun_holder_is_here(const dun_holder *holder) {
    char boot[DUN_BOOT_BYTES];
    dun_machine_boot(boot);
    return *boot && strcmp(holder->boot, boot) == 0;
}

static bool is_process(const dun_holder *holder) {
    return holder->start && dun_process_began(holder->pid) == holder->start;
}

/* Can its number be asked for? */
static bool is_in_sight(const dun_holder *holder) {
    char pids[DUN_PIDS_BYTES];
    dun_machine_pids(pids);
    return dun_holder_is_here(holder) && *pids && strcmp(holder->pids, pids) == 0;
}

/* A host of this name that was another kernel: this one before it was started anew, unless the file was
 * touched since. Another one of the same name would have touched it within the last minute and a half. */
static bool is_before_start(const dun_holder *holder, const dun_sight *sight) {
    char host[DUN_HOST_BYTES];
    read_host(host);
    return *holder->boot && !dun_holder_is_here(holder) && strcmp(holder->host, host) == 0 &&
           sight->untouched_s > sight->up_s && sight->untouched_s > 3 * DUN_CLAIM_TOUCH_S;
}

bool dun_holder_is_alive(const dun_holder *holder, const dun_sight *sight) {
    if (!holder->held)
        return false;
    if (dun_holder_is_here(holder) && sight->lock != DUN_LOCK_NONE)
        return sight->lock == DUN_LOCK_UNTRIED && is_in_sight(holder) && is_process(holder);
    if (is_in_sight(holder))
        return is_process(holder);
    return sight->untouched_s < DUN_CLAIM_STALE_S && !is_before_start(holder, sight);
}

int dun_holder_refuse(const dun_holder *holder, bool locks, const char *path) {
    const char *slash = strrchr(path, '/');
    const int folder = slash ? (int)(slash - path) : 0;
    if (!holder->held)
        return dun_error(DUN_FAILED,
                         "%.*s: another process works there; wait for its end, or take another folder",
                         folder, path);
    if (is_in_sight(holder) || (locks && dun_holder_is_here(holder)))
        return dun_error(
            DUN_FAILED,
            "%.*s: process %ld on this host, %s, works there since %s; wait for its end, or take "
            "another folder",
            folder, path, (long)holder->pid, holder->host, holder->since);
    return dun_error(
        DUN_FAILED,
        "%.*s: process %ld on host %s works there since %s; if it does no more, it is taken for gone "
        "%d minutes after its last sign, or at once without the file %s",
        folder, path, (long)holder->pid, holder->host, holder->since, DUN_CLAIM_STALE_S / 60, path);
}
