/* A library of NVIDIA's counters without a device: two of one name and one of another, whose counter of
 * millijoules goes up by 1500 at every reading. */
#include <stdio.h>

int nvmlInit_v2(void);
int nvmlShutdown(void);
int nvmlDeviceGetCount_v2(unsigned *n);
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device);
int nvmlDeviceGetName(void *device, char *name, unsigned size);
int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *millijoules);

static const char *const names[] = {"Twin", "Single", "Twin", "Old"};
static unsigned long long total = 4000000000000ull;

int nvmlInit_v2(void) {
    return 0;
}

int nvmlShutdown(void) {
    return 0;
}

int nvmlDeviceGetCount_v2(unsigned *n) {
    *n = sizeof names / sizeof *names;
    return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
    *device = (void *)&names[index];
    return 0;
}

int nvmlDeviceGetName(void *device, char *name, unsigned size) {
    snprintf(name, size, "%s", *(const char *const *)device);
    return 0;
}

int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *millijoules) {
    if (device == (void *)&names[3])
        return 3; /* not supported */
    *millijoules = total += 1500;
    return 0;
}
