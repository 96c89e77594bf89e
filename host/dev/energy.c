/* Counters of energy: which are a device's, reading them, and what they come to when they begin again. */
#include "dev/energy.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_COUNTERS = 32, PATH_BYTES = 256 };
static const double LOOK_SECONDS = 0.1;

/* The names of NVML that are called. */
typedef struct {
    void *library;
    int (*init)(void);
    int (*shutdown)(void);
    int (*count)(unsigned *n);
    int (*by_index)(unsigned index, void **device);
    int (*name)(void *device, char *name, unsigned size);
    int (*energy)(void *device, unsigned long long *millijoules);
    void *device;
} nvml;

typedef struct {
    char path[PATH_BYTES]; /* empty: NVML */
    double last, range;    /* joules; where it begins again, 0: nowhere */
} counter;

struct dun_energy {
    const char *by;
    char reason[160];
    counter counters[MAX_COUNTERS];
    size_t n;
    bool is_power; /* watts instead of joules, to be summed over time */
    nvml nvml;
    double sum, looked; /* since it was taken; when */
};

dun_energy_source dun_energy_of_system(void) {
    return (dun_energy_source){.root = "", .nvml = "libnvidia-ml.so.1"};
}

/* A number in millionths, as Linux writes joules and watts. */
static int read_micro(double *out, const char *path) {
    double value = 0;
    FILE *stream = fopen(path, "r");
    if (!stream)
        return errno;
    const bool read = fscanf(stream, "%lf", &value) == 1 && isfinite(value) && value >= 0;
    fclose(stream);
    *out = value * 1e-6;
    return read ? 0 : EIO;
}

/* The first line of a file; empty: there is none. */
static void read_line(char *out, int size, const char *path) {
    FILE *stream = fopen(path, "r");
    if (!stream || !fgets(out, size, stream))
        *out = '\0';
    out[strcspn(out, "\n")] = '\0';
    if (stream)
        fclose(stream);
}

static void refuse(dun_energy *e, const char *reason) {
    e->by = NULL;
    e->n = 0;
    snprintf(e->reason, sizeof e->reason, "%s", reason);
}

static bool read_counter(double *out, dun_energy *e, const counter *c) {
    unsigned long long millijoules = 0;
    if (*c->path)
        return read_micro(out, c->path) == 0;
    if (e->nvml.energy(e->nvml.device, &millijoules) != 0)
        return false;
    *out = 1e-3 * (double)millijoules;
    return true;
}

/* What came since a reading before; a counter that stands lower than then began again at its range. */
static double since(const counter *c, double now) {
    return now >= c->last ? now - c->last : c->range > c->last ? c->range - c->last + now : NAN;
}

static void look(dun_energy *e) {
    const double now = dun_clock_seconds(), passed = now - e->looked;
    for (size_t i = 0; i < e->n; i++) {
        counter *c = &e->counters[i];
        double value = 0;
        if (!read_counter(&value, e, c)) {
            refuse(e, "a counter of energy could not be read any more");
            return;
        }
        e->sum += e->is_power ? passed * (c->last + value) / 2 : since(c, value);
        c->last = value;
    }
    e->looked = now;
}

void dun_energy_look(dun_energy *e) {
    if (e->n > 0 && dun_clock_seconds() - e->looked >= LOOK_SECONDS)
        look(e);
}

double dun_energy_take(dun_energy *e) {
    if (e->n > 0)
        look(e);
    const double joules = e->n > 0 ? e->sum : NAN;
    if (e->n > 0 && isnan(joules))
        refuse(e, "a counter of energy went back");
    e->sum = 0;
    return joules;
}

/* Takes a file as a counter if it can be read; else the errno. */
static int add_file(dun_energy *e, const char *path, double range) {
    counter *c = &e->counters[e->n];
    const int code = read_micro(&c->last, path);
    if (code)
        return code;
    snprintf(c->path, sizeof c->path, "%s", path);
    c->range = range;
    e->n++;
    return 0;
}

/* Every package. Zones below these are parts of one; what stands beside them is the whole machine (psys), in
 * which they are once more. */
static void find_rapl(dun_energy *e, const char *root) {
    int code = 0;
    for (int zone = 0; zone < MAX_COUNTERS && code == 0; zone++) {
        char path[PATH_BYTES], name[64];
        double range = 0;
        snprintf(path, sizeof path, "%s/sys/class/powercap/intel-rapl:%d/name", root, zone);
        read_line(name, sizeof name, path);
        if (*name && strncmp(name, "package", strlen("package")) != 0)
            continue;
        snprintf(path, sizeof path, "%s/sys/class/powercap/intel-rapl:%d/max_energy_range_uj", root, zone);
        if (read_micro(&range, path) != 0)
            range = 0;
        snprintf(path, sizeof path, "%s/sys/class/powercap/intel-rapl:%d/energy_uj", root, zone);
        code = add_file(e, path, range);
    }
    if (e->n > 0 && code == ENOENT)
        e->by = "RAPL";
    else if (code == EACCES || code == EPERM)
        refuse(e, "the processor's counters (RAPL) may be read by root only");
    else if (code == ENOENT)
        refuse(e, "this system shows no counters of the processor (RAPL); few virtual machines do");
    else
        refuse(e, "the processor's counters (RAPL) cannot be read");
}

static void *symbol(nvml *n, const char *name) {
    return n->library ? dlsym(n->library, name) : NULL;
}

/* dlsym gives a pointer to an object; the memory of one is copied into a pointer to a function. */
#define LOOK_UP(n, field, name)                                                                              \
    do {                                                                                                     \
        void *found_ = symbol((n), (name));                                                                  \
        memcpy(&(n)->field, &found_, sizeof found_);                                                         \
    } while (0)

static bool load_nvml(nvml *n, const char *library) {
    n->library = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    LOOK_UP(n, init, "nvmlInit_v2");
    LOOK_UP(n, shutdown, "nvmlShutdown");
    LOOK_UP(n, count, "nvmlDeviceGetCount_v2");
    LOOK_UP(n, by_index, "nvmlDeviceGetHandleByIndex_v2");
    LOOK_UP(n, name, "nvmlDeviceGetName");
    LOOK_UP(n, energy, "nvmlDeviceGetTotalEnergyConsumption");
    const bool whole = n->init && n->shutdown && n->count && n->by_index && n->name && n->energy;
    if (whole && n->init() == 0)
        return true;
    if (n->library)
        dlclose(n->library);
    *n = (nvml){0};
    return false;
}

/* The one device that bears the name; of several it is not known which. */
static void find_nvml(dun_energy *e, const dun_energy_source *source, const dun_device_info *info) {
    unsigned n = 0, n_found = 0;
    double first = 0;
    if (!load_nvml(&e->nvml, source->nvml)) {
        refuse(e, "NVIDIA's library of counters (NVML) is not there or does not start");
        return;
    }
    if (e->nvml.count(&n) != 0)
        n = 0;
    for (unsigned i = 0; i < n; i++) {
        char name[128] = "";
        void *device = NULL;
        if (e->nvml.by_index(i, &device) != 0 || e->nvml.name(device, name, sizeof name - 1) != 0 ||
            strcmp(name, info->name) != 0)
            continue;
        e->nvml.device = device;
        n_found++;
    }
    if (n_found == 1 && read_counter(&first, e, &e->counters[0])) {
        e->counters[0].last = first;
        e->n = 1;
        e->by = "NVML";
    } else {
        refuse(e, n_found > 1    ? "several devices bear this one's name, and which one it is is not known"
                  : n_found == 1 ? "this device does not count its energy (NVML)"
                                 : "NVML knows no device of this name");
    }
}

/* Sensors by the driver of the kernel; of power where a device does not count its energy. */
static const struct {
    const char *vendor, *driver, *file;
    bool is_power;
} sensors[] = {
    {"Intel", "xe", "energy1_input", false},
    {"Intel", "i915", "energy1_input", false},
    {"AMD", "amdgpu", "power1_average", true},
    {"AMD", "amdgpu", "power1_input", true},
    {"Advanced Micro Devices", "amdgpu", "power1_average", true},
    {"Advanced Micro Devices", "amdgpu", "power1_input", true},
};
enum { N_SENSORS = sizeof sensors / sizeof *sensors, MAX_HWMON = 64 };

static bool is_driver(const char *root, int number, const char *driver) {
    char path[PATH_BYTES], name[64];
    snprintf(path, sizeof path, "%s/sys/class/hwmon/hwmon%d/name", root, number);
    read_line(name, sizeof name, path);
    return strcmp(name, driver) == 0;
}

static void find_hwmon(dun_energy *e, const char *root, const dun_device_info *info) {
    char path[PATH_BYTES];
    for (size_t s = 0; s < N_SENSORS && e->n == 0; s++)
        for (int number = 0; number < MAX_HWMON && e->n < MAX_COUNTERS; number++) {
            if (!dun_text_contains(info->vendor, sensors[s].vendor) ||
                !is_driver(root, number, sensors[s].driver))
                continue;
            snprintf(path, sizeof path, "%s/sys/class/hwmon/hwmon%d/%s", root, number, sensors[s].file);
            if (add_file(e, path, 0) == 0)
                e->is_power = sensors[s].is_power;
        }
    if (e->n > 1)
        refuse(e, "there are several devices of this kind, and which one it is is not known");
    else if (e->n == 0)
        refuse(e, "the system has no sensor of this device's energy or power");
    else
        e->by = "hwmon";
}

int dun_energy_begin(dun_energy **out, const dun_energy_source *source, const dun_device_info *info) {
    int rc = DUN_OK;
    dun_energy *e;
    TRY_NEW(e, 1);
    *out = e;
    if (info->type == DUN_DEVICE_CPU)
        find_rapl(e, source->root);
    else if (dun_text_contains(info->vendor, "NVIDIA"))
        find_nvml(e, source, info);
    else
        find_hwmon(e, source->root, info);
    e->looked = dun_clock_seconds();
out:
    return rc;
}

void dun_energy_end(dun_energy *e) {
    if (!e)
        return;
    if (e->nvml.library) {
        (void)e->nvml.shutdown();
        dlclose(e->nvml.library);
    }
    dun_free(e);
}

const char *dun_energy_by(const dun_energy *e) {
    return e->by;
}

const char *dun_energy_reason(const dun_energy *e) {
    return e->reason;
}
