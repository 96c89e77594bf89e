/* The memory plan on the graphs of real specs: a walk that notes in every buffer what was last put there, and
 * looks at each read whether it is still there. What each op reads and writes is stated here again, from its
 * formula, so that op.def and the planner are checked and not repeated. */
#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "device_check.h"
#include "nn/plan.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static dun_device *device;

static const struct {
    const char *name;
    dun_spec spec;
    uint32_t N, S;
} models[] = {
    {"tiny",
     {.n_layers = 1, .width = 32, .n_heads = 1, .n_kv_heads = 1, .head_dim = 8, .ffn_width = 48, .vocab = 50},
     1,
     1},
    {"small",
     {.n_layers = 3, .width = 32, .n_heads = 4, .n_kv_heads = 2, .head_dim = 8, .ffn_width = 48, .vocab = 50},
     37,
     8},
    {"narrow ffn",
     {.n_layers = 4, .width = 64, .n_heads = 4, .n_kv_heads = 4, .head_dim = 16, .ffn_width = 5, .vocab = 7},
     20,
     20},
    {"wide heads",
     {.n_layers = 2,
      .width = 32,
      .n_heads = 8,
      .n_kv_heads = 1,
      .head_dim = 64,
      .ffn_width = 33,
      .vocab = 1000},
     11,
     3},
    {"135M",
     {.n_layers = 30,
      .width = 576,
      .n_heads = 9,
      .n_kv_heads = 3,
      .head_dim = 64,
      .ffn_width = 1536,
      .vocab = 49152},
     40,
     8},
};
enum { N_MODELS = sizeof models / sizeof *models };

/* What a buffer holds: nothing, value v (as v + 1), or the gradient of value v (as -v - 1). */
typedef struct {
    const dun_graph *graph;
    const dun_plan *plan;
    uint32_t N, S;
    int *holds;
    bool *written; /* per value: its gradient was written in this walk */
    bool ops[DUN_N_OPS];
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

/* A residual sum hands its gradient on unchanged, so that both sides are one tensor. */
static int gradient_home_of(const walk *w, int value) {
    for (;;) {
        int home = home_of(w, value), next = w->graph->values[home].residual_of;
        if (next == DUN_NONE)
            return home;
        value = next;
    }
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
    if (w->plan->buffers[buffer].bytes < bytes_of(w, value)) {
        note(w, step, "the buffer is too small", value);
        return -1;
    }
    return buffer;
}

static void expect(walk *w, size_t step, int value, bool gradient) {
    const dun_value *v = &w->graph->values[value];
    if (!gradient && in_cache(w, value))
        return;
    int buffer = buffer_for(w, step, value, gradient ? v->grad_buffer : v->buffer);
    int want = gradient ? -1 - gradient_home_of(w, value) : 1 + home_of(w, value);
    if (buffer >= 0 && w->holds[buffer] != want)
        note(w, step, gradient ? "its gradient was overwritten" : "it was overwritten", value);
}

static void put(walk *w, size_t step, int value) {
    if (in_cache(w, value))
        return;
    int buffer = buffer_for(w, step, value, w->graph->values[value].buffer);
    if (buffer >= 0)
        w->holds[buffer] = 1 + home_of(w, value);
}

/* A step adds to a gradient that exists, or is the first to write it. */
static void put_gradient(walk *w, size_t step, int value) {
    int home = gradient_home_of(w, value);
    if (w->written[home])
        expect(w, step, value, true);
    int buffer = buffer_for(w, step, value, w->graph->values[value].grad_buffer);
    if (buffer >= 0)
        w->holds[buffer] = -1 - home;
    w->written[home] = true;
}

static void step_forward(walk *w, size_t i) {
    const dun_step *s = &w->graph->steps[i];
    w->ops[s->op] = true;
    for (int k = 0; k < 2; k++)
        if (s->in[k] >= 0)
            expect(w, i, s->in[k], false);
    put(w, i, s->out);
    if (s->stats >= 0)
        put(w, i, s->stats);
    /* Kernels read while they write: an output may lie on an input only where the op turns it in place. A
     * product may also add its residual in place. */
    for (int k = 0; k < 2; k++)
        if (s->in[k] >= 0 && s->op != DUN_OP_ROPE && !(s->op == DUN_OP_LINEAR && k == 1))
            expect(w, i, s->in[k], false);
    if (s->stats >= 0)
        expect(w, i, s->out, false);
}

/* What the backward formula of each op needs besides the gradient of its output. */
static void expect_kept(walk *w, size_t i) {
    const dun_step *s = &w->graph->steps[i];
    switch (s->op) {
    case DUN_OP_ATTENTION: /* q, k, v; o for do . o; the softmax's totals */
        expect(w, i, s->in[0], false);
        expect(w, i, s->in[1], false);
        expect(w, i, s->out, false);
        expect(w, i, s->stats, false);
        break;
    case DUN_OP_NORM:   /* x */
    case DUN_OP_SWIGLU: /* gate and up */
        expect(w, i, s->in[0], false);
        break;
    default: /* linear in their input */
        break;
    }
}

static void step_backward(walk *w, size_t i) {
    const dun_step *s = &w->graph->steps[i];
    expect(w, i, s->out, true);
    expect_kept(w, i);
    for (int k = 0; k < 2 && s->in[k] >= 0; k++)
        put_gradient(w, i, s->in[k]);
    /* the gradient that was read, and all that was kept, is still whole after the step's first writes */
    expect_kept(w, i);
    expect(w, i, s->out, true);
}

/* Walks the graph over its plan. Returns what is wrong, or NULL. */
static const char *simulate(walk *w, const dun_graph *graph, const dun_plan *plan, uint32_t N, uint32_t S,
                            bool backward) {
    *w = (walk){.graph = graph, .plan = plan, .N = N, .S = S};
    w->holds = dun_calloc(plan->n_buffers, sizeof *w->holds);
    w->written = dun_calloc(graph->n_values, sizeof *w->written);
    assert_non_null(w->holds);
    assert_non_null(w->written);
    for (size_t i = 0; i < graph->n_steps; i++)
        step_forward(w, i);
    size_t last = graph->n_steps - 1;
    if (graph->output >= 0)
        expect(w, last, graph->output, false);
    if (backward) {
        put_gradient(w, last, graph->output); /* by the caller */
        expect(w, last, graph->output, false);
        for (size_t i = graph->n_steps; i-- > 0;)
            step_backward(w, i);
        expect(w, 0, graph->output, false); /* points stay readable */
    }
    dun_free(w->holds);
    dun_free(w->written);
    return w->failure[0] ? w->failure : NULL;
}

static bool ops_met[DUN_N_OPS];

/* Builds, plans and walks one graph; returns the plan's bytes. */
static uint64_t check_graph(size_t model, const dun_point_spec *point, enum dun_graph_kind kind,
                            bool backward) {
    dun_graph graph;
    dun_plan plan;
    walk w;
    uint32_t N = models[model].N, S = models[model].S;
    uint64_t together = 0;
    check_ok(dun_graph_build(&graph, &models[model].spec, point, kind));
    uint64_t live = dun_buffer_live_bytes();
    check_ok(dun_plan_create(&plan, &graph, device, N, S, backward));
    assert_int_equal(dun_buffer_live_bytes() - live, plan.bytes);
    const char *failure = simulate(&w, &graph, &plan, N, S, backward);
    if (failure)
        fail_msg("%s, %u blocks%s%s, %s, %s: %s", models[model].name, point->n_blocks,
                 point->final_norm ? ", final norm" : "", point->logits ? ", logits" : "",
                 kind == DUN_GRAPH_TEXT ? "text" : "points", backward ? "backward" : "forward", failure);
    for (size_t i = 0; i < DUN_N_OPS; i++)
        ops_met[i] |= w.ops[i];
    for (size_t i = 0; i < graph.n_values; i++)
        together += bytes_of(&w, (int)i);
    assert_true(plan.bytes <= (backward ? 2 : 1) * together);
    uint64_t bytes = plan.bytes;
    dun_plan_free(&plan);
    assert_int_equal(dun_buffer_live_bytes(), live);
    dun_graph_free(&graph);
    return bytes;
}

static void test_model(void **state) {
    size_t model = (size_t)(uintptr_t)*state;
    uint32_t L = models[model].spec.n_layers;
    const uint32_t blocks[] = {1, L / 2 ? L / 2 : 1, L};
    for (size_t b = 0; b < 3; b++)
        for (unsigned traits = 0; traits < 4; traits++) {
            dun_point_spec point = {blocks[b], traits & 1, traits & 2};
            check_graph(model, &point, DUN_GRAPH_TEXT, false);
            uint64_t forward = check_graph(model, &point, DUN_GRAPH_POINTS, false);
            assert_true(check_graph(model, &point, DUN_GRAPH_POINTS, true) > forward);
        }
}

/* Without gradients a block leaves nothing behind but its output: depth costs no memory. */
static void test_reuse(void **state) {
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        dun_point_spec shallow = {3, true, false}, deep = {30, true, false};
        enum dun_graph_kind graph = kind ? DUN_GRAPH_POINTS : DUN_GRAPH_TEXT;
        assert_int_equal(check_graph(N_MODELS - 1, &shallow, graph, false),
                         check_graph(N_MODELS - 1, &deep, graph, false));
    }
}

/* The walk must see a plan that is wrong: no two buffers of a plan as tight as this one can be merged. */
static void test_broken_plans(void **state) {
    dun_point_spec point = {2, true, false};
    const dun_spec *spec = &models[1].spec;
    size_t n_seen = 0, n_tried = 0;
    dun_graph graph;
    dun_plan plan;
    walk w;
    (void)state;
    check_ok(dun_graph_build(&graph, spec, &point, DUN_GRAPH_POINTS));
    check_ok(dun_plan_create(&plan, &graph, device, 8, 8, true));
    for (int a = 0; a < (int)plan.n_buffers; a++)
        for (int b = 0; b < (int)plan.n_buffers; b++) {
            dun_graph merged = graph;
            if (a == b || plan.buffers[b].bytes < plan.buffers[a].bytes)
                continue;
            merged.values = dun_calloc(graph.n_values, sizeof *merged.values);
            assert_non_null(merged.values);
            for (size_t i = 0; i < graph.n_values; i++) {
                merged.values[i] = graph.values[i];
                if (merged.values[i].buffer == a)
                    merged.values[i].buffer = b;
                if (merged.values[i].grad_buffer == a)
                    merged.values[i].grad_buffer = b;
            }
            n_seen += simulate(&w, &merged, &plan, 8, 8, true) != NULL;
            n_tried++;
            dun_free(merged.values);
        }
    print_message("%zu of %zu merged plans seen as wrong\n", n_seen, n_tried);
    assert_true(n_tried > 0 && n_seen == n_tried);
    assert_non_null(simulate(&w, &graph, &plan, 9, 8, true)); /* too small for a ninth row */
    dun_plan_free(&plan);
    dun_graph_free(&graph);
}

/* Every op of op.def occurs in the graphs above. */
static void test_ops(void **state) {
    (void)state;
    for (size_t i = 0; i < DUN_N_OPS; i++) {
        assert_true(dun_op_table[i].name[0] && dun_op_table[i].formula[0]);
        if (!ops_met[i])
            fail_msg("no tested graph has the op %s", dun_op_table[i].name);
    }
}

/* Too many rows: refused with the estimate, before any buffer is made. */
static void test_too_large(void **state) {
    dun_point_spec point = {2, true, false};
    dun_graph graph;
    dun_plan plan;
    (void)state;
    uint64_t live = dun_buffer_live_bytes();
    check_ok(dun_graph_build(&graph, &models[1].spec, &point, DUN_GRAPH_POINTS));
    assert_int_equal(dun_plan_create(&plan, &graph, device, UINT32_MAX / 2, 32, true), DUN_BAD_DEVICE);
    print_message("%s\n", dun_error_message());
    assert_non_null(strstr(dun_error_message(), "2147483647 rows of 32 texts at once need"));
    assert_int_equal(dun_buffer_live_bytes(), live);
    dun_graph_free(&graph);
}

/* Every allocation on the way may fail; nothing stays behind. */
static void test_faults(void **state) {
    dun_point_spec point = {2, true, true};
    unsigned long n = 0;
    int rc;
    (void)state;
    size_t live = dun_mem_live(), objects = dun_device_live_objects();
    do {
        dun_graph graph = {0};
        dun_plan plan = {0};
        dun_fault_set(++n);
        rc = dun_graph_build(&graph, &models[1].spec, &point, DUN_GRAPH_POINTS);
        if (rc == DUN_OK)
            rc = dun_plan_create(&plan, &graph, device, 8, 4, true);
        dun_fault_set(0);
        dun_plan_free(&plan);
        dun_graph_free(&graph);
        assert_int_equal(dun_mem_live(), live);
        assert_int_equal(dun_device_live_objects(), objects);
    } while (rc != DUN_OK && n < 500);
    assert_true(n > 5 && n < 500);
}

static int open_all(void **state) {
    (void)state;
    device = check_open_device();
    return 0;
}

static int close_all(void **state) {
    (void)state;
    dun_device_close(device);
    assert_int_equal(dun_device_live_objects(), 0);
    assert_int_equal(dun_mem_live(), 0);
    return 0;
}

int main(void) {
    struct CMUnitTest tests[N_MODELS + 5];
    size_t n = 0;
    for (; n < N_MODELS; n++)
        tests[n] = (struct CMUnitTest){models[n].name, test_model, NULL, NULL, (void *)(uintptr_t)n};
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_reuse);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_ops);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_broken_plans);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_too_large);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_faults);
    return cmocka_run_group_tests(tests, open_all, close_all);
}
