/* Writes to stdout and notices what was lost; a reader that went away is no message. */
#include "cmd/out.h"

#include "base/err.h"
#include "base/json.h"
#include "base/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Not stdio: fwrite to a stream that is buffered by lines can report success for what was lost. */
static struct {
    bool gathers; /* stdout is a file: what is printed leaves in large pieces */
    bool pipe;    /* it has a reader, who may go */
    bool gone;    /* and who went */
    bool for_listeners;
    size_t n;
    char bytes[1 << 16]; /* gathered */
} out;

void dun_out_init(void) {
    struct stat info;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    /* A closed standard stream is opened the wrong way round, so that its use fails as it should. */
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
    const bool known = fstat(STDOUT_FILENO, &info) == 0;
    out.gathers = known && S_ISREG(info.st_mode);
    out.pipe = known && (S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode));
}

void dun_out_for_listeners(void) {
    out.for_listeners = true;
}

static int reader_gone(void) {
    out.gone = true;
    if (out.for_listeners)
        return DUN_OK;
    dun_error_clear();
    return DUN_FAILED;
}

static int put(const char *bytes, size_t length) {
    if (out.gone)
        return reader_gone();
    const int why = dun_write_all(STDOUT_FILENO, bytes, length);
    if (!why)
        return DUN_OK;
    if (why == EPIPE || why == ECONNRESET)
        return reader_gone();
    return dun_error(DUN_FAILED, "standard output cannot be written: %s", strerror(why));
}

int dun_out_flush(void) {
    const size_t n = out.n;
    out.n = 0;
    return n ? put(out.bytes, n) : DUN_OK;
}

int dun_out_write(const char *bytes, size_t length) {
    int rc = DUN_OK;
    if (length > sizeof out.bytes - out.n)
        TRY(dun_out_flush());
    if (!out.gathers || length > sizeof out.bytes)
        return put(bytes, length);
    memcpy(out.bytes + out.n, bytes, length);
    out.n += length;
out:
    return rc;
}

int dun_out_text(const dun_str *text) {
    return text->length ? dun_out_write(text->bytes, text->length) : DUN_OK;
}

int dun_out_json(const json_t *value) {
    int rc = DUN_OK;
    dun_str line = {0};
    TRY(dun_json_dump(&line, value));
    TRY(dun_str_add(&line, "\n", 1));
    TRY(dun_out_text(&line));
out:
    dun_str_free(&line);
    return rc;
}

/* Of a pipe whose other end was closed only an error can come. */
static bool lost_reader(const struct pollfd *reader) {
    return (reader->revents & (POLLERR | POLLHUP)) != 0;
}

bool dun_out_is_gone(void) {
    struct pollfd reader = {.fd = STDOUT_FILENO};
    if (out.pipe && !out.gone && poll(&reader, 1, 0) > 0)
        out.gone = lost_reader(&reader);
    return out.gone && !out.for_listeners;
}

int dun_out_wanted(void) {
    return dun_out_is_gone() ? reader_gone() : DUN_OK;
}

int dun_out_await(int fd) {
    int rc = DUN_OK;
    struct pollfd both[] = {{.fd = fd, .events = POLLIN}, {.fd = STDOUT_FILENO}};
    TRY(dun_out_flush());
    TRY(dun_out_wanted());
    while (poll(both, out.pipe && !out.gone ? 2 : 1, -1) < 0)
        if (errno != EINTR)
            TRY(dun_error(DUN_FAILED, "standard input cannot be waited for: %s", strerror(errno)));
    if (both[1].revents && lost_reader(&both[1]))
        TRY(dun_out_wanted());
out:
    return rc;
}
