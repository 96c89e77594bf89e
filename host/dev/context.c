/* Counted contexts by device, and counted programs by context and key; see context.h. */
#include "dev/context.h"

#include "base/hash.h"
#include "base/mem.h"

#include <pthread.h>
#include <string.h>

typedef struct shared_context {
    cl_device_id id;
    cl_context context;
    size_t uses;
    struct shared_context *next;
} shared_context;

typedef struct shared_program {
    cl_context context;
    cl_program program;
    uint64_t hash; /* of the key */
    char *key;
    size_t length, uses;
    struct shared_program *next;
} shared_program;

static struct {
    pthread_mutex_t lock, building;
    shared_context *contexts;
    shared_program *programs;
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER, .building = PTHREAD_MUTEX_INITIALIZER};

static shared_context **find_context(const dun_device *device) {
    shared_context **at = &shared.contexts;
    while (*at && (*at)->id != device->id)
        at = &(*at)->next;
    return at;
}

static int create_context(shared_context **out, dun_device *device) {
    int rc = DUN_OK;
    shared_context *made = NULL;
    TRY_NEW(made, 1);
    made->id = device->id;
    TRY_CL_NEW(made->context, device, "creating a context",
               clCreateContext(NULL, 1, &device->id, NULL, NULL, &code));
    *out = made;
    made = NULL;
out:
    dun_free(made);
    return rc;
}

int dun_context_take(dun_device *device) {
    int rc = DUN_OK;
    pthread_mutex_lock(&shared.lock);
    shared_context **at = find_context(device);
    if (!*at)
        TRY(create_context(at, device));
    (*at)->uses++;
    device->context = (*at)->context;
out:
    pthread_mutex_unlock(&shared.lock);
    return rc;
}

void dun_context_give_back(dun_device *device) {
    if (!device->context)
        return;
    pthread_mutex_lock(&shared.lock);
    shared_context **at = find_context(device), *found = *at;
    if (found && --found->uses == 0) {
        *at = found->next;
        CL_RELEASE(clReleaseContext, found->context);
        dun_free(found);
    }
    pthread_mutex_unlock(&shared.lock);
    device->context = NULL;
}

void dun_program_sharing_begin(void) {
    pthread_mutex_lock(&shared.building);
}

void dun_program_sharing_end(void) {
    pthread_mutex_unlock(&shared.building);
}

cl_program dun_program_shared(const dun_device *device, const dun_str *key) {
    const uint64_t hash = dun_hash(DUN_HASH_START, key->bytes, key->length);
    cl_program found = NULL;
    pthread_mutex_lock(&shared.lock);
    for (shared_program *p = shared.programs; p && !found; p = p->next)
        if (p->context == device->context && p->hash == hash && p->length == key->length &&
            memcmp(p->key, key->bytes, key->length) == 0 && clRetainProgram(p->program) == CL_SUCCESS) {
            found = p->program;
            p->uses++;
            dun_cl_count(found, 1);
        }
    pthread_mutex_unlock(&shared.lock);
    return found;
}

void dun_program_share(cl_program program, const dun_device *device, const dun_str *key) {
    int rc = DUN_OK;
    shared_program *made = NULL;
    TRY_NEW(made, 1);
    TRY_PTR(made->key, dun_strndup(key->bytes, key->length));
    made->length = key->length;
    made->hash = dun_hash(DUN_HASH_START, key->bytes, key->length);
    made->context = device->context;
    made->program = program;
    made->uses = 1;
    pthread_mutex_lock(&shared.lock);
    made->next = shared.programs;
    shared.programs = made;
    pthread_mutex_unlock(&shared.lock);
    made = NULL;
out:
    if (rc < 0)
        dun_error_clear();
    dun_free(made);
}

void dun_program_let_go(cl_program program) {
    pthread_mutex_lock(&shared.lock);
    for (shared_program **at = &shared.programs; *at; at = &(*at)->next) {
        shared_program *found = *at;
        if (found->program != program)
            continue;
        if (--found->uses == 0) {
            *at = found->next;
            dun_free(found->key);
            dun_free(found);
        }
        break;
    }
    pthread_mutex_unlock(&shared.lock);
}
