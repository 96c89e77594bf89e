/* Writes to stdout and notices what was lost; a reader that went away is no message. */
#include "cmd/out.h"

#include "base/err.h"
#include "base/fault.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void dun_out_init(void) {
    struct stat info;
    signal(SIGPIPE, SIG_IGN);
    /* A closed standard stream is opened the wrong way round, so that its use fails as it should. */
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
    if (fstat(1, &info) == 0 && !S_ISREG(info.st_mode))
        setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
}

static int failed(void) {
    if (errno != EPIPE)
        return dun_error(DUN_FAILED, "standard output cannot be written: %s", strerror(errno));
    dun_error_clear();
    return DUN_FAILED;
}

int dun_out_write(const char *bytes, size_t length) {
    errno = EIO;
    if (dun_fault_here() || fwrite(bytes, 1, length, stdout) != length)
        return failed();
    return DUN_OK;
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

int dun_out_flush(void) {
    errno = EIO;
    if (dun_fault_here() || fflush(stdout) != 0 || ferror(stdout))
        return failed();
    return DUN_OK;
}
