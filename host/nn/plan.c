/* Lifetimes of values and gradients, and the buffers that hold them in turn. Time runs over the steps: step i
 * forward at i, backward at 2T - 1 - i. */
#include "nn/plan.h"

#include "base/err.h"
#include "base/mem.h"

typedef struct {
    size_t first, last; /* times it must hold; first > last: not needed */
    size_t floats;
    int buffer;
} lifetime;

/* Whether an input of step i has no other reader from there on: nobody reads x after a sum replaced it. */
static bool read_last(const dun_graph *graph, size_t i, int input) {
    int value = graph->steps[i].in[input];
    for (size_t j = i; j < graph->n_steps; j++)
        for (int k = 0; k < DUN_N_INPUTS; k++)
            if (graph->steps[j].in[k] == value && (j != i || k != input))
                return false;
    return value != graph->output;
}

/* Finds for every value the one whose gradient buffer it has: the one it overwrites in place; or, if it is a
 * sum, an addend whose gradient is the sum's until the addend's own readers, all of them earlier steps, add
 * to it. An addend that is read again later is owed other gradients while the sum's must still be whole, and
 * gets a buffer of its own. */
static void share_gradients(dun_graph *graph) {
    for (size_t v = 0; v < graph->n_values; v++)
        graph->values[v].grad_owner = (int)v;
    for (size_t i = 0; i < graph->n_steps; i++) {
        const dun_step *step = &graph->steps[i];
        const unsigned *use = dun_op_table[step->op].in;
        int shared = DUN_NONE;
        for (int k = 0; k < DUN_N_INPUTS && shared < 0; k++)
            if (step->in[k] >= 0 &&
                (DUN_HAS(use[k], DUN_IN_PLACE) || (DUN_HAS(use[k], DUN_ADDEND) && read_last(graph, i, k))))
                shared = step->in[k];
        if (shared >= 0)
            graph->values[step->out].grad_owner = graph->values[shared].grad_owner;
    }
}

static void extend(lifetime *life, size_t time) {
    if (life->first > time)
        life->first = time;
    if (life->last < time)
        life->last = time;
}

/* `lives` holds forward lifetimes for every value, then gradients. */
static void measure(lifetime *lives, const dun_graph *graph, bool backward) {
    size_t T = graph->n_steps, n = graph->n_values;
    for (size_t i = 0; i < T; i++) {
        const dun_step *step = &graph->steps[i];
        const dun_op_info *op = &dun_op_table[step->op];
        size_t back = 2 * T - 1 - i;
        int out = dun_graph_home(graph, step->out);
        extend(&lives[out], i);
        if (backward && DUN_HAS(op->output, DUN_KEPT))
            extend(&lives[out], back);
        if (backward)
            extend(&lives[n + (size_t)graph->values[step->out].grad_owner], back);
        if (step->stats >= 0) {
            extend(&lives[step->stats], i);
            extend(&lives[step->stats], backward ? back : i);
        }
        for (int k = 0; k < DUN_N_INPUTS; k++) {
            if (step->in[k] < 0)
                continue;
            int in = dun_graph_home(graph, step->in[k]);
            extend(&lives[in], i);
            if (backward && DUN_HAS(op->in[k], DUN_KEPT))
                extend(&lives[in], back);
            if (backward)
                extend(&lives[n + (size_t)graph->values[step->in[k]].grad_owner], back);
        }
    }
    if (graph->output >= 0) {
        extend(&lives[dun_graph_home(graph, graph->output)], backward ? 2 * T : T);
        if (backward)
            extend(&lives[n + (size_t)graph->values[graph->output].grad_owner], T);
    }
}

typedef struct {
    size_t floats;
    size_t busy_until;
} slot;

/* The free slot that fits best: the smallest large enough, else the largest, which then grows. */
static size_t best_slot(const slot *slots, size_t n_slots, const lifetime *life) {
    size_t best = n_slots;
    for (size_t i = 0; i < n_slots; i++) {
        if (slots[i].busy_until >= life->first)
            continue;
        if (best == n_slots) {
            best = i;
            continue;
        }
        bool fits = slots[i].floats >= life->floats, best_fits = slots[best].floats >= life->floats;
        if (fits != best_fits ? fits : fits == (slots[i].floats < slots[best].floats))
            best = i;
    }
    return best;
}

/* Hands out slots in order of first use. Returns how many there are. */
static size_t assign(slot *slots, lifetime *lives, size_t n_lives, size_t n_times) {
    size_t n_slots = 0;
    for (size_t time = 0; time < n_times; time++)
        for (size_t i = 0; i < n_lives; i++) {
            lifetime *life = &lives[i];
            if (life->first != time || life->floats == 0)
                continue;
            size_t at = best_slot(slots, n_slots, life);
            if (at == n_slots)
                slots[n_slots++] = (slot){0};
            if (slots[at].floats < life->floats)
                slots[at].floats = life->floats;
            slots[at].busy_until = life->last;
            life->buffer = (int)at;
        }
    return n_slots;
}

/* Says how much is wanted before the driver is asked for any of it. */
static int check_memory(const slot *slots, size_t n_slots, const dun_device *device, uint32_t N, uint32_t S) {
    const dun_device_info *info = dun_device_describe(device);
    double bytes = 0;
    for (size_t i = 0; i < n_slots; i++)
        bytes += (double)slots[i].floats * sizeof(float);
    if (bytes > (double)info->memory_bytes)
        return dun_error(
            DUN_BAD_DEVICE,
            "%u rows of %u texts at once need %.0f MB of activations; %s has %.0f MB: use a smaller "
            "batch or shorter texts",
            N, S, bytes / 1e6, info->name, (double)info->memory_bytes / 1e6);
    return DUN_OK;
}

/* One behind the other, in as many chunks as the device's largest buffer asks for. */
static void lay_out(dun_plan_place *places, const slot *slots, size_t n, const dun_device_info *info) {
    const size_t align = info->part_alignment;
    size_t chunk = 0, end = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t bytes = slots[i].floats * sizeof(float);
        end = (end + align - 1) / align * align;
        if (end > 0 && (end > info->largest_buffer_bytes || bytes > info->largest_buffer_bytes - end)) {
            chunk++;
            end = 0;
        }
        places[i] = (dun_plan_place){.chunk = chunk, .offset = end, .bytes = bytes};
        end += bytes;
    }
}

int dun_plan_create(dun_plan *plan, dun_graph *graph, const dun_device *device, uint32_t N, uint32_t S,
                    bool backward) {
    int rc = DUN_OK;
    lifetime *lives = NULL;
    slot *slots = NULL;
    size_t n = graph->n_values;
    *plan = (dun_plan){0};
    TRY(dun_graph_check(graph));
    share_gradients(graph);
    TRY_NEW(lives, 2 * n);
    TRY_NEW(slots, 2 * n);
    for (size_t i = 0; i < 2 * n; i++) {
        const dun_value *value = &graph->values[i % n];
        lives[i] = (lifetime){.first = SIZE_MAX, .buffer = DUN_NONE};
        lives[i].floats = value->cached ? 0 : (size_t)value->columns * (value->last_rows ? S : N);
    }
    measure(lives, graph, backward);
    size_t n_slots = assign(slots, lives, 2 * n, 2 * graph->n_steps + 1);
    TRY(check_memory(slots, n_slots, device, N, S));
    TRY_NEW(plan->places, n_slots);
    plan->n_buffers = n_slots;
    lay_out(plan->places, slots, n_slots, dun_device_describe(device));
    for (size_t i = 0; i < n_slots; i++)
        plan->bytes += plan->places[i].bytes;
    for (size_t i = 0; i < n; i++) {
        graph->values[i].buffer = lives[dun_graph_home(graph, (int)i)].buffer;
        graph->values[i].grad_buffer = lives[n + (size_t)graph->values[i].grad_owner].buffer;
    }
out:
    dun_free(slots);
    dun_free(lives);
    if (rc < 0)
        dun_plan_free(plan);
    return rc;
}

static void free_buffers(dun_plan *plan) {
    for (size_t i = 0; plan->buffers && i < plan->n_buffers; i++)
        dun_buffer_free(&plan->buffers[i]);
    dun_free(plan->buffers);
    plan->buffers = NULL;
}

void dun_plan_free(dun_plan *plan) {
    free_buffers(plan);
    dun_free(plan->places);
    *plan = (dun_plan){0};
}

/* Bytes of a chunk: what the plan takes that takes most of it. */
static size_t chunk_bytes(dun_plan *const *plans, size_t n, size_t chunk) {
    size_t bytes = 0;
    for (size_t p = 0; p < n; p++)
        for (size_t i = 0; i < plans[p]->n_buffers; i++) {
            const dun_plan_place *place = &plans[p]->places[i];
            if (place->chunk == chunk && bytes < place->offset + place->bytes)
                bytes = place->offset + place->bytes;
        }
    return bytes;
}

static int create_parts(dun_plan *plan, const dun_plan_memory *memory) {
    int rc = DUN_OK;
    TRY_NEW(plan->buffers, plan->n_buffers);
    for (size_t i = 0; i < plan->n_buffers; i++) {
        const dun_plan_place *place = &plan->places[i];
        TRY(dun_buffer_create_part(&plan->buffers[i], &memory->chunks[place->chunk], place->offset,
                                   place->bytes, "an activation"));
    }
out:
    return rc;
}

int dun_plan_memory_create(dun_plan_memory *memory, dun_device *device, dun_plan *const *plans, size_t n) {
    int rc = DUN_OK;
    size_t n_chunks = 0;
    *memory = (dun_plan_memory){0};
    while (chunk_bytes(plans, n, n_chunks) > 0)
        n_chunks++;
    TRY_NEW(memory->chunks, n_chunks);
    for (; memory->n_chunks < n_chunks; memory->n_chunks++) {
        const size_t bytes = chunk_bytes(plans, n, memory->n_chunks);
        TRY(dun_buffer_create_matrix(&memory->chunks[memory->n_chunks], device, bytes, "activations"));
        memory->bytes += bytes;
    }
    for (size_t i = 0; i < n; i++)
        TRY(create_parts(plans[i], memory));
out:
    if (rc < 0) {
        for (size_t i = 0; i < n; i++)
            free_buffers(plans[i]);
        dun_plan_memory_free(memory);
    }
    return rc;
}

void dun_plan_memory_free(dun_plan_memory *memory) {
    for (size_t i = 0; i < memory->n_chunks; i++)
        dun_buffer_free(&memory->chunks[i]);
    dun_free(memory->chunks);
    *memory = (dun_plan_memory){0};
}
