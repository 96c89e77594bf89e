/* Which tensor or which terms of a gradient a buffer holds, step by step; see plan_walk.h. */
#include "plan_walk.h"

#include "base/err.h"
#include "base/mem.h"
#include "device_check.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* What is in a buffer: nothing, the tensor of a value, or a sum of terms of a gradient. A term is what one
 * input of one step owes the value it reads; the caller's owes the output. A gradient is whole when it has
 * the terms of all readers of its value and no other. */
typedef struct {
    int value;   /* the tensor's, or NOTHING, or GRADIENT: terms below */
    bool *terms; /* [n_terms] */
} content;
enum { NOTHING = -1, GRADIENT = -2 };

typedef struct {
    const dun_graph *graph;
    const dun_plan *plan;
    uint32_t N, S;
    size_t n_terms;    /* one a step and input, and the caller's */
    content *holds;    /* [n_buffers] */
    bool *written;     /* per value, as the engine counts: its gradient buffer has something to add to */
    char failure[200]; /* the first */
} walk;

static void note(walk *w, size_t step, const char *what, int value) {
    if (!w->failure[0])
        snprintf(w->failure, sizeof w->failure, "step %zu (%s): %s, value %d", step,
                 dun_op_table[w->graph->steps[step].op].name, what, value);
}

/* The value that first owned this memory: in-place ops pass it on. */
static int home_of(const walk *w, int value) {
    while (w->graph->values[value].same_as != DUN_NONE)
        value = w->graph->values[value].same_as;
    return value;
}

static size_t bytes_of(const walk *w, int value) {
    const dun_value *v = &w->graph->values[value];
    return sizeof(float) * v->columns * (v->last_rows ? w->S : w->N);
}

static bool in_cache(const walk *w, int value) {
    return w->graph->values[home_of(w, value)].cached;
}

/* The buffer of a tensor, checked to exist and to be large enough; -1 after a note. */
static int buffer_for(walk *w, size_t step, int value, int buffer) {
    if (buffer < 0 || (size_t)buffer >= w->plan->n_buffers) {
        note(w, step, "no buffer", value);
        return -1;
    }
    if (w->plan->places[buffer].bytes < bytes_of(w, value)) {
        note(w, step, "the buffer is too small", value);
        return -1;
    }
    return buffer;
}

static void expect(walk *w, size_t step, int value) {
    if (in_cache(w, value))
        return;
    int buffer = buffer_for(w, step, value, w->graph->values[value].buffer);
    if (buffer >= 0 && w->holds[buffer].value != home_of(w, value))
        note(w, step, "it was overwritten", value);
}

static void put(walk *w, size_t step, int value) {
    if (in_cache(w, value))
        return;
    int buffer = buffer_for(w, step, value, w->graph->values[value].buffer);
    if (buffer >= 0)
        w->holds[buffer].value = home_of(w, value);
}

static size_t term_of(size_t step, int input) {
    return step * DUN_N_INPUTS + (size_t)input;
}

/* The term's value is the one that input reads; the last term is the caller's. */
static bool owes(const walk *w, size_t term, int value) {
    if (term + 1 == w->n_terms)
        return value == w->graph->output;
    return w->graph->steps[term / DUN_N_INPUTS].in[term % DUN_N_INPUTS] == value;
}

/* The gradient of a value is in its buffer, whole. */
static void expect_gradient(walk *w, size_t step, int value) {
    int buffer = buffer_for(w, step, value, w->graph->values[value].grad_buffer);
    if (buffer < 0)
        return;
    const content *c = &w->holds[buffer];
    if (c->value != GRADIENT)
        note(w, step, "its gradient was overwritten", value);
    for (size_t term = 0; c->value == GRADIENT && term < w->n_terms; term++)
        if (c->terms[term] != owes(w, term, value))
            note(w, step, c->terms[term] ? "its gradient has a foreign term" : "its gradient lacks a term",
                 value);
}

/* Puts a term into the gradient of the value that owes it. `anew`: instead of what was there. */
static void put_term(walk *w, size_t step, int value, size_t term, bool anew) {
    int buffer = buffer_for(w, step, value, w->graph->values[value].grad_buffer);
    if (buffer < 0)
        return;
    content *c = &w->holds[buffer];
    if (anew || c->value != GRADIENT)
        memset(c->terms, 0, w->n_terms * sizeof *c->terms);
    c->value = GRADIENT;
    c->terms[term] = true;
}

/* Adds to a gradient that exists, or is the first to write it. */
static void add_term(walk *w, size_t step, int value, size_t term) {
    bool *written = &w->written[w->graph->values[value].grad_owner];
    put_term(w, step, value, term, !*written);
    *written = true;
}

/* A turn, what is added to a row, a function of each number. */
static bool in_place(enum dun_op op) {
    return op == DUN_OP_ROPE || op == DUN_OP_POSITION;
}

/* Kernels read while they write: an output may lie on an input only where the op turns it in place. A product
 * may also add in place. */
static bool may_cover(enum dun_op op, int input) {
    return in_place(op) || (op == DUN_OP_LINEAR && input == DUN_IN_SUM);
}

static void step_forward(walk *w, size_t i) {
    const dun_step *s = &w->graph->steps[i];
    for (int k = 0; k < DUN_N_INPUTS; k++)
        if (s->in[k] >= 0)
            expect(w, i, s->in[k]);
    put(w, i, s->out);
    if (s->stats >= 0)
        put(w, i, s->stats);
    for (int k = 0; k < DUN_N_INPUTS; k++)
        if (s->in[k] >= 0 && !may_cover(s->op, k))
            expect(w, i, s->in[k]);
    if (s->stats >= 0)
        expect(w, i, s->out);
}

/* What the backward formula of each op needs besides the gradient of its output. */
static void expect_kept(walk *w, size_t i) {
    const dun_step *s = &w->graph->steps[i];
    switch (s->op) {
    case DUN_OP_ATTENTION: /* q, k, v; o for do . o; the softmax's totals */
        expect(w, i, s->in[DUN_IN_Q]);
        expect(w, i, s->in[DUN_IN_KV]);
        expect(w, i, s->out);
        expect(w, i, s->stats);
        break;
    case DUN_OP_NORM: /* x */
    case DUN_OP_HEAD_NORM:
    case DUN_OP_GATE: /* gate and up */
    case DUN_OP_CAP:
        expect(w, i, s->in[DUN_IN_X]);
        break;
    default: /* linear in their input */
        break;
    }
}

/* Whether the gradient of an input is the output's buffer, taken over as it is. */
static bool takes_over(const walk *w, const dun_step *s, int input) {
    bool term = s->op == DUN_OP_ADD || (s->op == DUN_OP_LINEAR && input == DUN_IN_SUM);
    return in_place(s->op) ||
           (term && w->graph->values[s->in[input]].grad_owner == w->graph->values[s->out].grad_owner);
}

static void step_backward(walk *w, size_t i) {
    const dun_step *s = &w->graph->steps[i];
    expect_gradient(w, i, s->out);
    expect_kept(w, i);
    for (int k = 0; k < DUN_N_INPUTS; k++)
        if (s->in[k] >= 0 && !takes_over(w, s, k))
            add_term(w, i, s->in[k], term_of(i, k));
    /* the gradient that was read, and all that was kept, is still whole after the step's writes */
    expect_kept(w, i);
    expect_gradient(w, i, s->out);
    for (int k = 0; k < DUN_N_INPUTS; k++)
        if (s->in[k] >= 0 && takes_over(w, s, k)) {
            if (w->graph->values[s->in[k]].grad_buffer != w->graph->values[s->out].grad_buffer)
                note(w, i, "its gradient is elsewhere", s->in[k]);
            put_term(w, i, s->in[k], term_of(i, k), true);
        }
}

static void start_walk(walk *w, const dun_graph *graph, const dun_plan *plan, uint32_t N, uint32_t S) {
    *w = (walk){.graph = graph, .plan = plan, .N = N, .S = S};
    w->n_terms = graph->n_steps * DUN_N_INPUTS + 1;
    w->holds = dun_calloc(plan->n_buffers, sizeof *w->holds);
    w->written = dun_calloc(graph->n_values, sizeof *w->written);
    assert_true(w->holds && w->written);
    for (size_t i = 0; i < plan->n_buffers; i++) {
        w->holds[i] = (content){.value = NOTHING, .terms = dun_calloc(w->n_terms, sizeof(bool))};
        assert_non_null(w->holds[i].terms);
    }
}

static void end_walk(walk *w) {
    for (size_t i = 0; i < w->plan->n_buffers; i++)
        dun_free(w->holds[i].terms);
    dun_free(w->holds);
    dun_free(w->written);
}

const char *plan_walk(const dun_graph *graph, const dun_plan *plan, uint32_t N, uint32_t S, bool backward) {
    static walk of_all;
    walk *w = &of_all;
    start_walk(w, graph, plan, N, S);
    for (size_t i = 0; i < graph->n_steps; i++)
        step_forward(w, i);
    size_t last = graph->n_steps - 1;
    if (graph->output >= 0)
        expect(w, last, graph->output);
    if (backward) {
        add_term(w, last, graph->output, w->n_terms - 1); /* by the caller */
        expect(w, last, graph->output);
        for (size_t i = graph->n_steps; i-- > 0;)
            step_backward(w, i);
        expect(w, 0, graph->output); /* points stay readable */
    }
    end_walk(w);
    return w->failure[0] ? w->failure : NULL;
}

uint64_t plan_walk_check(dun_graph *graph, dun_device *device, uint32_t N, uint32_t S, bool backward,
                         const char *what) {
    dun_plan plan;
    uint64_t together = 0;
    check_ok(dun_plan_create(&plan, graph, device, N, S, backward));
    const char *failure = plan_walk(graph, &plan, N, S, backward);
    if (failure)
        fail_msg("%s, %s: %s", what, backward ? "backward" : "forward", failure);
    for (size_t i = 0; i < graph->n_values; i++)
        together += bytes_of(&(walk){.graph = graph, .N = N, .S = S}, (int)i);
    assert_true(plan.bytes <= (backward ? 2 : 1) * together);
    uint64_t bytes = plan.bytes;
    dun_plan_free(&plan);
    return bytes;
}
