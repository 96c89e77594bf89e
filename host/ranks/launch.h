/* What a launcher of MPI (mpirun, mpiexec, srun) says in the environment of the processes that it starts, and
 * the shared object that speaks with its MPI. */
#ifndef DUN_LAUNCH_H
#define DUN_LAUNCH_H

#include "ranks/mpi_calls.h"

#include <stdint.h>

typedef struct {
    const char *mpi; /* "openmpi", "mpich": whose launcher it is */
    const char *by;  /* the variable that says so */
    uint32_t rank, n;
} dun_launch;

/* False: this process was started alone, or DUNLIN_RANKS is "off". */
bool dun_launch_find(dun_launch *out);

/* Programs that this process starts are no ranks. */
void dun_launch_hide(void);

/* Loads the object of that MPI, or the one that DUNLIN_MPI names: a path, openmpi or mpich. DUN_FAILED: there
 * is none, with what was tried. */
int dun_launch_load(const dun_mpi_calls **out, const dun_launch *launch);

/* A launcher may bind a process to fewer processors than are its share of the host's: DUN_OK, and a warning
 * that says so. Where it binds none of n_local, each takes its share: the local-th of n_local parts. To be
 * called before there are drivers. */
void dun_launch_share_processors(const dun_launch *launch, uint32_t local, uint32_t n_local);

#endif
