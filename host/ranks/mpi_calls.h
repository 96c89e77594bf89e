/* What the shared object of an MPI (host/mpi/) offers the program: the few calls that ranks need, without a
 * type of MPI's, which differ from one to the next. One thread makes all of them. */
#ifndef DUN_MPI_CALLS_H
#define DUN_MPI_CALLS_H

#include <stdbool.h>
#include <stddef.h>

/* Raise it when anything here changes: program and object may be of different builds. */
enum { DUN_MPI_VERSION = 1, DUN_MPI_HOST_BYTES = 256, DUN_MPI_NAME_BYTES = 256 };

typedef struct {
    int rank, n;                      /* of all */
    int local, n_local;               /* of those on the same host */
    char library[DUN_MPI_NAME_BYTES]; /* "Open MPI v4.1.4, ..." */
} dun_mpi_place;

/* All return 0, or a code that `say` knows. Tags tell the kinds of messages apart. */
typedef struct {
    int version;
    int (*start)(dun_mpi_place *place);
    int (*hosts)(char (*names)[DUN_MPI_HOST_BYTES]); /* of all ranks, [n]; every rank calls it */

    /* Begins to send or receive n bytes, which stay there until `test` says `done`, once. */
    int (*send)(void **request, const void *bytes, int n, int to, int tag);
    int (*receive)(void **request, void *bytes, int n, int from, int tag);
    int (*test)(bool *done, void *request);

    /* Whether a message has come, from whom and how long it is. */
    int (*look)(bool *found, int *from, int *n, int tag);

    /* Takes a short message that has come. */
    int (*take)(void *bytes, int n, int from, int tag);

    int (*stop)(void);
    void (*say)(char *out, size_t size, int code);
} dun_mpi_calls;

/* The one symbol of the object. */
#define DUN_MPI_SYMBOL "dunlin_mpi_calls"
typedef const dun_mpi_calls *dun_mpi_entry(void);

#endif
