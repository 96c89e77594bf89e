/* Reads the launchers' variables, finds the object of an MPI, and shares a host's processors out. */
#define _GNU_SOURCE /* sched_setaffinity */
#include "ranks/launch.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/process.h"

#include <dlfcn.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char off_variable[] = "DUNLIN_RANKS", mpi_variable[] = "DUNLIN_MPI";

static const struct {
    const char *size, *rank, *mpi;
} launchers[] = {
    {"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "openmpi"}, /* Open MPI's mpirun */
    {"PMI_SIZE", "PMI_RANK", "mpich"},                           /* MPICH's mpiexec, srun --mpi=pmi2 */
    {"SLURM_NTASKS", "PMIX_RANK", "openmpi"},                    /* srun --mpi=pmix */
};

static bool read_number(uint32_t *out, const char *variable) {
    const char *text = getenv(variable);
    char *end;
    if (!text || !*text)
        return false;
    const unsigned long value = strtoul(text, &end, 10);
    *out = (uint32_t)value;
    return *end == '\0' && value <= INT_MAX;
}

bool dun_launch_find(dun_launch *out) {
    const char *off = getenv(off_variable);
    if (off && strcmp(off, "off") == 0)
        return false;
    for (size_t i = 0; i < sizeof launchers / sizeof *launchers; i++) {
        *out = (dun_launch){.mpi = launchers[i].mpi, .by = launchers[i].size};
        if (read_number(&out->n, launchers[i].size) && read_number(&out->rank, launchers[i].rank))
            return true;
    }
    return false;
}

void dun_launch_hide(void) {
    (void)setenv(off_variable, "off", 1);
}

/* Loads one file, and notes why not. */
static bool try_file(const dun_mpi_calls **out, dun_str *tried, const char *path) {
    /* Parts of an MPI that it loads itself look for its symbols among all. */
    void *object = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    const char *why = object ? NULL : dlerror();
    void *symbol = object ? dlsym(object, DUN_MPI_SYMBOL) : NULL;
    dun_mpi_entry *entry;
    memcpy(&entry, &symbol, sizeof entry);
    *out = symbol ? entry() : NULL;
    if (*out && (*out)->version == DUN_MPI_VERSION)
        return true;
    if (object)
        why = *out ? "is of another version of dunlin" : "has no " DUN_MPI_SYMBOL;
    (void)dun_str_addf(tried, "%s%s%s%s", tried->length ? "; " : "", object ? path : "", object ? " " : "",
                       why ? why : "cannot be loaded");
    *out = NULL;
    return false;
}

/* libdunlin-mpi-MPI.so, beside the program as it is built and where it is installed. */
static bool try_places(const dun_mpi_calls **out, dun_str *tried, const char *mpi) {
    static const char *const ways[] = {"", DUN_MPI_WAY "/"};
    dun_str program = {0};
    char path[PATH_MAX];
    bool found = false;
    if (dun_process_self(&program) < 0)
        dun_error_clear();
    const char *slash = program.bytes ? strrchr(program.bytes, '/') : NULL;
    const int folder = slash ? (int)(slash - program.bytes) : 0;
    for (size_t i = 0; slash && !found && i < sizeof ways / sizeof *ways; i++) {
        if (snprintf(path, sizeof path, "%.*s/%slibdunlin-mpi-%s.so", folder, program.bytes, ways[i], mpi) <
            (int)sizeof path)
            found = try_file(out, tried, path);
    }
    dun_str_free(&program);
    return found;
}

int dun_launch_load(const dun_mpi_calls **out, const dun_launch *launch) {
    int rc = DUN_OK;
    dun_str tried = {0};
    char host[DUN_MPI_HOST_BYTES] = "";
    const char *named = getenv(mpi_variable), *mpi = named && *named ? named : launch->mpi;
    (void)gethostname(host, sizeof host - 1);
    if (strchr(mpi, '/') ? try_file(out, &tried, mpi) : try_places(out, &tried, mpi))
        goto out;
    rc = dun_error(
        DUN_FAILED,
        "%s says that this is rank %u of %u, here on %s, but there is nothing to speak with its MPI (%s); "
        "build dunlin where libopenmpi-dev or libmpich-dev is installed, name a file in DUNLIN_MPI, or set "
        "DUNLIN_RANKS=off for as many runs on their own",
        launch->by, launch->rank, launch->n, host, tried.bytes ? tried.bytes : "no memory");
out:
    dun_str_free(&tried);
    return rc;
}

/* The share of the processors in `mask` that is the local-th of n_local. */
static void take_share(const cpu_set_t *mask, uint32_t local, uint32_t n_local) {
    const uint32_t n = (uint32_t)CPU_COUNT(mask), begin = (uint32_t)((uint64_t)local * n / n_local);
    uint32_t end = (uint32_t)(((uint64_t)local + 1) * n / n_local), seen = 0;
    cpu_set_t share;
    CPU_ZERO(&share);
    end = end > begin ? end : begin + 1;
    for (size_t i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, mask)) {
            if (seen >= begin && seen < end)
                CPU_SET(i, &share);
            seen++;
        }
    (void)sched_setaffinity(0, sizeof share, &share);
}

void dun_launch_share_processors(const dun_launch *launch, uint32_t local, uint32_t n_local) {
    cpu_set_t mask;
    const dun_limits_source here = dun_limits_of_process();
    dun_limits_source unbound = here;
    unbound.processors = 0;
    const uint32_t all = dun_limits_processors(&unbound).n, fair = all / n_local ? all / n_local : 1;
    if (sched_getaffinity(0, sizeof mask, &mask) != 0)
        return;
    const uint32_t bound = (uint32_t)CPU_COUNT(&mask);
    if (bound < fair && launch->rank == 0)
        dun_warn(
            "the launcher binds each rank to %u of this host's %u processors, where %u are its share, and a "
            "driver for the CPU computes on no others: mpirun --bind-to none",
            bound, all, fair);
    if (n_local > 1 && bound > fair)
        take_share(&mask, local, n_local);
}
