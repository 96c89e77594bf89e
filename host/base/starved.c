/* Reads what Linux counts of each thread's waiting for a processor. */
#include "base/starved.h"

#include "base/err.h"
#include "base/names.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static double thread_starved(const char *folder, const char *thread) {
    char path[PATH_MAX], line[128];
    uint64_t ns = 0;
    if (snprintf(path, sizeof path, "%s/%s/schedstat", folder, thread) >= (int)sizeof path)
        return 0;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? 0 : read(fd, line, sizeof line - 1);
    if (fd >= 0)
        close(fd);
    line[n > 0 ? n : 0] = '\0';
    return sscanf(line, "%*u %" SCNu64, &ns) == 1 ? (double)ns * 1e-9 : 0;
}

double dun_starved_threads(const char *folder) {
    dun_names threads = {0};
    double most = 0;
    if (dun_names_read(&threads, folder) < 0)
        dun_error_clear();
    for (size_t i = 0; i < threads.n; i++) {
        const double starved = thread_starved(folder, threads.names[i]);
        most = starved > most ? starved : most;
    }
    dun_names_free(&threads);
    return most;
}

double dun_starved(pid_t process) {
    char folder[40];
    snprintf(folder, sizeof folder, "/proc/%ld/task", (long)process);
    return dun_starved_threads(folder);
}

bool dun_starved_is_late(double spent, double starved, double limit_s) {
    const double most = 10;
    return spent - starved > limit_s || spent > most * limit_s;
}
