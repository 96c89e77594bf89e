/* Copies, steps and swaps of the averaged tensors. */
#include "learn/average.h"

#include "base/err.h"

#include <assert.h>
#include <math.h>

void dun_average_init(dun_average *average, const dun_compute *compute, double decay) {
    *average = (dun_average){.compute = compute, .decay = decay};
}

int dun_average_add(dun_average *average, dun_buffer *live, const char *what) {
    int rc = DUN_OK;
    if (!(average->decay > 0.0))
        goto out;
    assert(average->n_tensors < DUN_MAX_AVERAGED);
    TRY(dun_learn_use(average->compute, DUN_TOPIC_optim));
    size_t i = average->n_tensors++;
    average->tensors[i].live = live;
    TRY(dun_buffer_create(&average->tensors[i].mean, live->device, live->bytes, what));
    TRY(dun_buffer_create(&average->tensors[i].kept, live->device, live->bytes, what));
out:
    return rc;
}

void dun_average_free(dun_average *average) {
    for (size_t i = 0; i < average->n_tensors; i++) {
        dun_buffer_free(&average->tensors[i].mean);
        dun_buffer_free(&average->tensors[i].kept);
    }
    *average = (dun_average){0};
}

static int copy(dun_buffer *to, const dun_buffer *from) {
    return dun_buffer_copy(to, 0, from, 0, from->bytes);
}

int dun_average_start(dun_average *average) {
    int rc = DUN_OK;
    for (size_t i = 0; i < average->n_tensors; i++)
        TRY(copy(&average->tensors[i].mean, average->tensors[i].live));
out:
    return rc;
}

int dun_average_step(dun_average *average, uint64_t step) {
    int rc = DUN_OK;
    size_t vector = average->compute->tiles.vector;
    double decay = fmin(average->decay, (1.0 + (double)step) / (10.0 + (double)step));
    for (size_t i = 0; i < average->n_tensors; i++) {
        size_t n = average->tensors[i].mean.bytes / sizeof(float);
        TRY(DUN_LAUNCH(dun_learn_kernel(average->compute, DUN_K_average_step),
                       dun_items(average->compute, (n + vector - 1) / vector),
                       DUN_BUF(average->tensors[i].mean), DUN_BUF(*average->tensors[i].live),
                       DUN_FLOAT(1.0 - decay), DUN_INT(n)));
    }
out:
    return rc;
}

int dun_average_swap_in(dun_average *average) {
    int rc = DUN_OK;
    for (size_t i = 0; i < average->n_tensors; i++) {
        TRY(copy(&average->tensors[i].kept, average->tensors[i].live));
        TRY(copy(average->tensors[i].live, &average->tensors[i].mean));
    }
out:
    return rc;
}

int dun_average_swap_out(dun_average *average) {
    int rc = DUN_OK;
    for (size_t i = 0; i < average->n_tensors; i++)
        TRY(copy(average->tensors[i].live, &average->tensors[i].kept));
out:
    return rc;
}
