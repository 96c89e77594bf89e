/* The calls of one MPI for ranks, compiled against its own header: the only code that names it. See
 * ranks/mpi_calls.h. */
#define _XOPEN_SOURCE 700 /* sigaltstack */
#include "ranks/mpi_calls.h"

#include <mpi.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static MPI_Comm all = MPI_COMM_NULL;

static void name_library(char out[DUN_MPI_NAME_BYTES]) {
    char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
    int length = 0;
    if (MPI_Get_library_version(text, &length) != MPI_SUCCESS)
        text[0] = '\0';
    text[strcspn(text, "\n,")] = '\0';
    for (char *c = text; *c; c++)
        if (*c == '\t')
            *c = ' ';
    snprintf(out, DUN_MPI_NAME_BYTES, "%.*s", DUN_MPI_NAME_BYTES - 1, text);
}

static int place_on_host(dun_mpi_place *place) {
    MPI_Comm host;
    int code = MPI_Comm_split_type(all, MPI_COMM_TYPE_SHARED, place->rank, MPI_INFO_NULL, &host);
    if (code != MPI_SUCCESS)
        return code;
    MPI_Comm_rank(host, &place->local);
    MPI_Comm_size(host, &place->n_local);
    return MPI_Comm_free(&host);
}

/* A transport of MPI's (UCX, which MPICH has) gives the thread that starts it a stack for signals and leaves
 * it there. A sanitizer frees the stack that it finds at the end of a thread as its own. */
static int initialize(void) {
    stack_t stack;
    int level;
    const bool known = sigaltstack(NULL, &stack) == 0;
    const int code = MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &level);
    if (known)
        (void)sigaltstack(&stack, NULL);
    return code;
}

static int start(dun_mpi_place *place) {
    int code = initialize();
    if (code == MPI_SUCCESS)
        code = MPI_Comm_dup(MPI_COMM_WORLD, &all);
    if (code == MPI_SUCCESS)
        code = MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    if (code == MPI_SUCCESS)
        code = MPI_Comm_set_errhandler(all, MPI_ERRORS_RETURN);
    if (code != MPI_SUCCESS)
        return code;
    MPI_Comm_rank(all, &place->rank);
    MPI_Comm_size(all, &place->n);
    name_library(place->library);
    return place_on_host(place);
}

static int hosts(char (*names)[DUN_MPI_HOST_BYTES]) {
    char own[MPI_MAX_PROCESSOR_NAME + DUN_MPI_HOST_BYTES] = "";
    int length = 0, code = MPI_Get_processor_name(own, &length);
    if (code != MPI_SUCCESS)
        return code;
    own[DUN_MPI_HOST_BYTES - 1] = '\0';
    return MPI_Allgather(own, DUN_MPI_HOST_BYTES, MPI_BYTE, names, DUN_MPI_HOST_BYTES, MPI_BYTE, all);
}

/* A request of MPI's is a number in one MPI and a pointer in the other. */
static MPI_Request *new_request(void **out) {
    MPI_Request *request = malloc(sizeof *request);
    *out = request;
    return request;
}

static int end_request(int code, void **out) {
    if (code == MPI_SUCCESS)
        return code;
    free(*out);
    *out = NULL;
    return code;
}

static int send_bytes(void **out, const void *bytes, int n, int to, int tag) {
    MPI_Request *request = new_request(out);
    return request ? end_request(MPI_Isend(bytes, n, MPI_BYTE, to, tag, all, request), out) : MPI_ERR_NO_MEM;
}

static int receive_bytes(void **out, void *bytes, int n, int from, int tag) {
    MPI_Request *request = new_request(out);
    return request ? end_request(MPI_Irecv(bytes, n, MPI_BYTE, from, tag, all, request), out)
                   : MPI_ERR_NO_MEM;
}

static int test(bool *done, void *request) {
    int flag = 0, code = MPI_Test(request, &flag, MPI_STATUS_IGNORE);
    *done = flag || code != MPI_SUCCESS;
    if (*done)
        free(request);
    return code;
}

static int look(bool *found, int *from, int *n, int tag) {
    MPI_Status status;
    int flag = 0, code = MPI_Iprobe(MPI_ANY_SOURCE, tag, all, &flag, &status);
    *found = code == MPI_SUCCESS && flag;
    if (!*found)
        return code;
    *from = status.MPI_SOURCE;
    return MPI_Get_count(&status, MPI_BYTE, n);
}

static int take(void *bytes, int n, int from, int tag) {
    return MPI_Recv(bytes, n, MPI_BYTE, from, tag, all, MPI_STATUS_IGNORE);
}

static int stop(void) {
    int code = MPI_Comm_free(&all);
    return code == MPI_SUCCESS ? MPI_Finalize() : code;
}

static void say(char *out, size_t size, int code) {
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    if (MPI_Error_string(code, text, &length) != MPI_SUCCESS)
        snprintf(text, sizeof text, "code %d", code);
    snprintf(out, size, "%s", text);
}

static const dun_mpi_calls calls = {
    .version = DUN_MPI_VERSION,
    .start = start,
    .hosts = hosts,
    .send = send_bytes,
    .receive = receive_bytes,
    .test = test,
    .look = look,
    .take = take,
    .stop = stop,
    .say = say,
};

dun_mpi_entry dunlin_mpi_calls __attribute__((visibility("default")));

const dun_mpi_calls *dunlin_mpi_calls(void) {
    return &calls;
}
