/* Energy of the processor packages through Linux's powercap; usually for root only. */
#include "cmd/compare.h"

#include <stdio.h>

static double read_number(const char *name, const char *file) {
    char path[160];
    double value = -1;
    snprintf(path, sizeof path, "/sys/class/powercap/%s/%s", name, file);
    FILE *stream = fopen(path, "r");
    if (!stream || fscanf(stream, "%lf", &value) != 1)
        value = -1;
    if (stream)
        fclose(stream);
    return value;
}

double dun_energy_joules(void) {
    double sum = -1;
    for (int package = 0; package < 16; package++) {
        char name[32];
        snprintf(name, sizeof name, "intel-rapl:%d", package);
        double microjoules = read_number(name, "energy_uj");
        if (microjoules >= 0)
            sum = (sum < 0 ? 0 : sum) + microjoules * 1e-6;
    }
    return sum;
}
