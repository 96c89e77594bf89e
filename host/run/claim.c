/* The file .dunlin: its lock, its record, and who touches it. */
#include "run/claim.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/leftovers.h"
#include "base/machine.h"
#include "base/mem.h"
#include "base/place.h"
#include "base/stream.h"
#include "run/claim_gate.h"
#include "run/claim_keeper.h"
#include "run/claim_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char mark[] = ".dunlin", gate[] = ".dunlin.takeover";
enum { RECORD_BYTES = 16384 };

struct dun_claim {
    char *path; /* of the file */
    int fd;
    bool made;    /* the file was not there before */
    size_t there; /* bytes of the folder's path that were */
    bool locked;  /* the kernel's lock is ours; false: the file system has none */
    dun_holder holder;
    dun_str record;  /* of that holder: what stands in the file while the claim is ours */
    dun_str parting; /* what stands there then */
    dun_str before;  /* whose it was; "": it was given back */
    dun_claim_keeper keeper;
};

static char *path_of(const char *folder, const char *name) {
    dun_str path = {0};
    return dun_str_addf(&path, "%s/%s", folder, name) < 0 ? NULL : path.bytes;
}

/* The first line of a file, its length in *n; nothing where a crash left it without one. */
static int read_line(char line[RECORD_BYTES], size_t *n, int fd) {
    const ssize_t got = pread(fd, line, RECORD_BYTES - 1, 0);
    line[got > 0 ? got : 0] = '\0';
    *n = strcspn(line, "\n");
    return got < 0 ? errno : 0;
}

static int read_record(dun_holder *holder, int fd, const char *path) {
    char line[RECORD_BYTES];
    size_t n;
    const int why = read_line(line, &n, fd);
    if (why)
        return dun_error(DUN_FAILED, "%s: cannot be read: %s", path, strerror(why));
    return dun_holder_read(holder, line, n, path);
}

/* Somebody has the lock; the record is his once he has written it. */
static int refuse_locked(const dun_claim *claim) {
    enum { TRIES = 100 };
    static const dun_sight held = {.lock = DUN_LOCK_NONE}; /* for us */
    dun_holder holder = {0};
    for (int i = 0; i < TRIES; i++) {
        if (read_record(&holder, claim->fd, claim->path) == DUN_OK && dun_holder_is_alive(&holder, &held))
            break;
        holder.held = false;
        (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    return dun_holder_refuse(&holder, true, claim->path);
}

static bool same_file(const char *path, int fd) {
    struct stat named, open_one;
    return stat(path, &named) == 0 && fstat(fd, &open_one) == 0 && named.st_dev == open_one.st_dev &&
           named.st_ino == open_one.st_ino;
}

/* Opens the file, or makes it; its number stays -1 where that cannot be. */
static void open_file(dun_claim *claim) {
    enum { FLAGS = O_RDWR | O_CLOEXEC | O_NOFOLLOW };
    if (claim->fd >= 0)
        close(claim->fd);
    claim->fd = open(claim->path, FLAGS);
    claim->made = claim->fd < 0 && errno == ENOENT;
    if (claim->made)
        claim->fd = open(claim->path, FLAGS | O_CREAT | O_EXCL, 0666);
}

/* The file, and the kernel's lock of it. *busy: somebody else has that. */
static int open_mark(dun_claim *claim, bool *busy) {
    int code = EINTR;
    while (code == EINTR) {
        errno = EACCES;
        if (!dun_fault_here())
            open_file(claim);
        if (claim->fd < 0 && claim->made && errno == EEXIST)
            continue; /* another one made it at this moment */
        if (claim->fd < 0)
            return dun_error(DUN_FAILED, "%s: cannot be written: %s", claim->path, strerror(errno));
        code = flock(claim->fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
        if (!code && !same_file(claim->path, claim->fd))
            code = EINTR; /* somebody removed it in between */
    }
    claim->locked = code == 0;
    *busy = code == EWOULDBLOCK;
    return DUN_OK;
}

static int write_record(const dun_claim *claim, const dun_str *text) {
    int why = lseek(claim->fd, 0, SEEK_SET) < 0 ? errno : 0;
    if (!why)
        why = dun_write_all(claim->fd, text->bytes, text->length);
    if (!why && ftruncate(claim->fd, (off_t)text->length) < 0)
        why = errno;
    if (!why && fsync(claim->fd) < 0 && errno != EINVAL)
        why = errno;
    return why ? dun_error(DUN_FAILED, "%s: cannot be written: %s", claim->path, strerror(why)) : DUN_OK;
}

/* What is left of files that a holder wrote when it was killed. */
static void clear_leftovers(const dun_claim *claim, pid_t was) {
    dun_str folder = {0};
    if (dun_str_add(&folder, claim->path, (size_t)(strrchr(claim->path, '/') - claim->path)) == DUN_OK)
        dun_leftovers_clear(folder.bytes, NULL, was);
    dun_str_free(&folder);
}

/* Judges the record and puts ours in its place. */
static int settle(dun_claim *claim, bool *held, double now) {
    int rc = DUN_OK;
    dun_holder holder;
    struct stat info;
    TRY(read_record(&holder, claim->fd, claim->path));
    if (fstat(claim->fd, &info) < 0)
        TRY(dun_error(DUN_FAILED, "%s: %s", claim->path, strerror(errno)));
    const dun_sight sight = {.lock = claim->locked ? DUN_LOCK_OURS : DUN_LOCK_NONE,
                             .untouched_s = now - dun_clock_of(info.st_mtim),
                             .up_s = dun_machine_up()};
    *held = dun_holder_is_alive(&holder, &sight);
    if (*held)
        TRY(dun_holder_refuse(&holder, false, claim->path));
    if (holder.held)
        TRY(dun_str_addf(&claim->before, "process %ld on host %s, which worked there since %s",
                         (long)holder.pid, holder.host, holder.since));
    const pid_t was = holder.held ? holder.pid : 0;
    dun_holder_self(&claim->holder);
    if (*holder.from) /* of a run that is gone on with: its paths are from there */
        strcpy(claim->holder.from, holder.from);
    TRY(dun_holder_write(&claim->record, &claim->holder));
    holder = claim->holder;
    holder.held = false;
    TRY(dun_holder_write(&claim->parting, &holder));
    TRY(write_record(claim, &claim->record));
    clear_leftovers(claim, was);
out:
    return rc;
}

static int settle_through_gate(dun_claim *claim, bool *held, const char *folder) {
    int rc = DUN_OK;
    double now = 0;
    char *path = NULL;
    TRY_PTR(path, path_of(folder, gate));
    TRY(dun_claim_gate_open(&now, held, path));
    rc = settle(claim, held, now);
    (void)unlink(path);
out:
    dun_free(path);
    return rc;
}

/* The file, locked where that can be, and the record ours. */
static int take(dun_claim *claim, bool *held, const char *folder) {
    int rc = DUN_OK;
    dun_holder holder;
    TRY(open_mark(claim, held));
    if (*held)
        TRY(refuse_locked(claim));
    TRY(read_record(&holder, claim->fd, claim->path));
    /* Among processes of one machine the kernel's lock is enough. */
    if (claim->locked && (!holder.held || dun_holder_is_here(&holder)))
        TRY(settle(claim, held, dun_clock_now()));
    else
        TRY(settle_through_gate(claim, held, folder));
out:
    return rc;
}

static void free_claim(dun_claim *claim) {
    if (claim->fd >= 0)
        close(claim->fd);
    dun_str_free(&claim->record);
    dun_str_free(&claim->parting);
    dun_str_free(&claim->before);
    dun_free(claim->path);
    dun_free(claim);
}

int dun_claim_take(dun_claim **out, bool *held, const char *folder) {
    int rc = DUN_OK;
    dun_claim *claim = NULL;
    *out = NULL;
    *held = false;
    TRY_NEW(claim, 1);
    claim->fd = -1;
    claim->there = SIZE_MAX;
    TRY_PTR(claim->path, path_of(folder, mark));
    TRY(take(claim, held, folder));
    rc = dun_claim_keeper_start(&claim->keeper, claim->fd, claim->path);
    *out = claim;
    claim = NULL;
    if (rc < 0) {
        dun_claim_undo(*out);
        *out = NULL;
    }
out:
    if (claim) { /* a mark that was made in vain is nobody's, as long as the lock keeps others from it */
        if (claim->made && claim->locked && same_file(claim->path, claim->fd))
            (void)unlink(claim->path);
        free_claim(claim);
    }
    return rc;
}

bool dun_claim_marks(const char *folder) {
    struct stat info;
    char *path = path_of(folder, mark);
    const bool marked = path && stat(path, &info) == 0 && S_ISREG(info.st_mode);
    dun_free(path);
    return marked;
}

/* The record of a folder; zeros where there is none. */
static int look(dun_holder *holder, double *untouched_s, const char *path) {
    int rc = DUN_OK;
    struct stat info;
    *holder = (dun_holder){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &info) < 0)
        goto out;
    *untouched_s = dun_clock_now() - dun_clock_of(info.st_mtim);
    TRY(read_record(holder, fd, path));
out:
    if (fd >= 0)
        close(fd);
    return rc;
}

int dun_claim_refuse_held(const char *folder) {
    int rc = DUN_OK;
    dun_sight sight = {.lock = DUN_LOCK_UNTRIED, .up_s = dun_machine_up()};
    dun_holder holder;
    char *path = NULL;
    TRY_PTR(path, path_of(folder, mark));
    TRY(look(&holder, &sight.untouched_s, path));
    if (dun_holder_is_alive(&holder, &sight))
        TRY(dun_holder_refuse(&holder, false, path));
out:
    dun_free(path);
    return rc;
}

char *dun_claim_from(const char *folder) {
    double untouched_s;
    dun_holder holder;
    char *path = path_of(folder, mark);
    const int rc = path ? look(&holder, &untouched_s, path) : DUN_FAILED;
    dun_free(path);
    return rc < 0 ? NULL : dun_strdup(holder.from);
}

void dun_claim_tell(dun_claim *claim) {
    const int folder = (int)(strrchr(claim->path, '/') - claim->path);
    if (claim->before.length)
        dun_warn(
            "%.*s: taken over from %s and has gone without giving it back (killed, or its machine stopped)",
            folder, claim->path, claim->before.bytes);
    dun_str_clear(&claim->before);
}

static bool says(int fd, const dun_str *record) {
    char line[RECORD_BYTES];
    size_t n;
    return read_line(line, &n, fd) == 0 && n + 1 == record->length && memcmp(line, record->bytes, n) == 0;
}

int dun_claim_check(const dun_claim *claim) {
    int rc = DUN_OK;
    double untouched_s;
    dun_holder now;
    if (same_file(claim->path, claim->fd) && says(claim->fd, &claim->record))
        return DUN_OK;
    TRY(look(&now, &untouched_s, claim->path));
    if (now.pid) /* else somebody removed the file, and has the folder no more than before */
        TRY(dun_error(
            DUN_FAILED,
            "%s: process %ld on host %s took the folder over at %s, while this one stood still; this one "
            "stops",
            claim->path, (long)now.pid, now.host, now.since));
out:
    return rc;
}

/* Without a way to fail: where nothing can be written the next one finds out that nobody is there. */
void dun_claim_give_back(dun_claim *claim) {
    if (!claim)
        return;
    dun_claim_keeper_stop(&claim->keeper);
    if (claim->parting.length && says(claim->fd, &claim->record) &&
        pwrite(claim->fd, claim->parting.bytes, claim->parting.length, 0) == (ssize_t)claim->parting.length)
        (void)!ftruncate(claim->fd, (off_t)claim->parting.length);
    free_claim(claim);
}

void dun_claim_undo(dun_claim *claim) {
    if (!claim || !claim->made) {
        dun_claim_give_back(claim);
        return;
    }
    dun_claim_keeper_stop(&claim->keeper);
    if (same_file(claim->path, claim->fd) && says(claim->fd, &claim->record))
        (void)unlink(claim->path);
    free_claim(claim);
}

static bool is_listed(const void *self, const char *name) {
    const char *const *files = self;
    while (*files && strcmp(*files, name) != 0)
        files++;
    return *files != NULL;
}

void dun_claim_made(dun_claim *claim, size_t there) {
    claim->there = there;
}

/* Nothing but the mark and these files is in the folder. */
static bool holds_only(const dun_claim *claim, const char *folder, const char *const *files) {
    dun_place_content content;
    return claim->made && says(claim->fd, &claim->record) && same_file(claim->path, claim->fd) &&
           dun_place_look(&content, folder, is_listed, files) == DUN_OK && content.n == 0;
}

static void unlink_in(const char *folder, const char *file) {
    dun_str path = {0};
    if (dun_str_addf(&path, "%s/%s", folder, file) == DUN_OK)
        (void)unlink(path.bytes);
    dun_str_free(&path);
}

bool dun_claim_withdraw(dun_claim *claim, const char *const *files) {
    if (!claim)
        return false;
    const size_t there = claim->there;
    char *folder = dun_strndup(claim->path, (size_t)(strrchr(claim->path, '/') - claim->path));
    char *said = dun_strdup(dun_error_message());
    const bool gone = folder && said && holds_only(claim, folder, files);
    for (; gone && *files; files++)
        unlink_in(folder, *files);
    (gone ? dun_claim_undo : dun_claim_give_back)(claim);
    if (gone)
        dun_dir_remove_new(folder, there);
    if (said)
        (void)dun_error(DUN_BAD_DEVICE, "%s", said); /* which may have several lines */
    dun_free(said);
    dun_free(folder);
    return gone;
}
