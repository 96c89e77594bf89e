/* Asks /proc and the clock which machine this is. */
#include "base/machine.h"

#include "base/hash.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void dun_machine_boot(char boot[DUN_BOOT_BYTES]) {
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, boot, DUN_BOOT_BYTES - 1);
    if (fd >= 0)
        close(fd);
    boot[n > 0 ? n : 0] = '\0';
    boot[strcspn(boot, "\n")] = '\0';
}

void dun_machine_pids(char pids[DUN_PIDS_BYTES]) {
    const ssize_t n = readlink("/proc/self/ns/pid", pids, DUN_PIDS_BYTES - 1);
    pids[n > 0 ? n : 0] = '\0';
}

uint32_t dun_machine_tag(void) {
    char boot[DUN_BOOT_BYTES], pids[DUN_PIDS_BYTES];
    dun_machine_boot(boot);
    dun_machine_pids(pids);
    return (uint32_t)dun_hash(dun_hash(DUN_HASH_START, boot, strlen(boot)), pids, strlen(pids));
}

double dun_machine_up(void) {
    struct timespec up = {0};
    clock_gettime(CLOCK_BOOTTIME, &up);
    return (double)up.tv_sec + 1e-9 * (double)up.tv_nsec;
}
