/* Makes the file that lets one process alone take a claim over. */
#include "run/claim_gate.h"

#include "base/clock.h"
#include "base/err.h"
#include "run/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int dun_claim_gate_open(double *now, bool *held, const char *path) {
    struct stat info;
    for (int i = 0; i < 2; i++) {
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0) {
            const bool known = fstat(fd, &info) == 0;
            *now = known ? dun_clock_of(info.st_mtim) : dun_clock_now();
            close(fd);
            return DUN_OK;
        }
        if (errno != EEXIST)
            return dun_error(DUN_FAILED, "%s: cannot be written: %s", path, strerror(errno));
        if (stat(path, &info) == 0 && dun_clock_now() - dun_clock_of(info.st_mtim) > DUN_CLAIM_STALE_S)
            (void)unlink(path);
    }
    *held = true;
    return dun_error(DUN_FAILED,
                     "%s: another process takes that folder over at this moment; if not, remove the file",
                     path);
}
