/* Graphs made by hand: residual streams that the planner must serve whatever reads what, and graphs that it
 * must refuse. */
#include "base/err.h"
#include "device_check.h"
#include "plan_walk.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static dun_device *device;

/* A residual stream of `blocks` blocks, each x + f(n(x)) + g(n(y)): y is x (a parallel residual) or the first
 * sum (a sequential one). The second sum is a product's own, or a step. */
static void build_stream(dun_graph *graph, uint32_t blocks, bool parallel, bool add) {
    enum { C = 32 };
    int x, y, f, g;
    *graph = (dun_graph){.output = DUN_NONE};
    check_ok(dun_graph_push(&x, graph, (dun_step){.op = DUN_OP_EMBED}, C));
    for (uint32_t b = 0; b < blocks; b++) {
        const dun_step norm = {.op = DUN_OP_NORM, .in = {[DUN_IN_X] = x}, .layer = b};
        check_ok(dun_graph_push(&f, graph, norm, C));
        const dun_step first = {.op = DUN_OP_LINEAR, .in = {[DUN_IN_X] = f, [DUN_IN_SUM] = x}, .layer = b};
        check_ok(dun_graph_push(&y, graph, first, C));
        const dun_step other = {.op = DUN_OP_NORM, .in = {[DUN_IN_X] = parallel ? x : y}, .layer = b};
        check_ok(dun_graph_push(&g, graph, other, C));
        const dun_step product = {
            .op = DUN_OP_LINEAR, .in = {[DUN_IN_X] = g, [DUN_IN_SUM] = add ? DUN_NONE : y}, .layer = b};
        check_ok(dun_graph_push(&x, graph, product, C));
        const dun_step sum = {.op = DUN_OP_ADD, .in = {[DUN_IN_X] = x, [DUN_IN_SUM] = y}, .layer = b};
        if (add)
            check_ok(dun_graph_push(&x, graph, sum, C));
    }
    graph->output = x;
}

static void test_streams(void **state) {
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        dun_graph graph;
        char what[60];
        bool parallel = i & 1, add = i & 2;
        snprintf(what, sizeof what, "a %s stream%s", parallel ? "parallel" : "sequential",
                 add ? " with steps that add" : "");
        build_stream(&graph, i & 4 ? 3 : 1, parallel, add);
        plan_walk_check(&graph, device, 8, 8, false, what);
        plan_walk_check(&graph, device, 8, 8, true, what);
        dun_graph_free(&graph);
    }
}

/* A value twice in one sum owes its gradient twice. */
static void test_doubled(void **state) {
    dun_graph graph = {.output = DUN_NONE};
    int x, y;
    (void)state;
    check_ok(dun_graph_push(&x, &graph, (dun_step){.op = DUN_OP_EMBED}, 8));
    const dun_step sum = {.op = DUN_OP_ADD, .in = {[DUN_IN_X] = x, [DUN_IN_SUM] = x}};
    check_ok(dun_graph_push(&y, &graph, sum, 8));
    const dun_step product = {.op = DUN_OP_LINEAR, .in = {[DUN_IN_X] = y, [DUN_IN_SUM] = y}};
    check_ok(dun_graph_push(&graph.output, &graph, product, 8));
    plan_walk_check(&graph, device, 4, 4, true, "doubled values");
    dun_graph_free(&graph);
}

/* One gradient buffer for a sum and its addend is right where nobody reads the addend later, and seen to be
 * wrong where somebody does. */
static void test_shared_gradients(void **state) {
    (void)state;
    for (int parallel = 0; parallel < 2; parallel++) {
        dun_graph graph;
        dun_plan plan;
        build_stream(&graph, 2, parallel, false);
        check_ok(dun_plan_create(&plan, &graph, device, 8, 8, true));
        for (size_t i = 0; i < graph.n_steps; i++) {
            int sum = graph.steps[i].in[DUN_IN_SUM];
            if (sum < 0)
                continue;
            dun_value *out = &graph.values[graph.steps[i].out], *in = &graph.values[sum];
            assert_true(parallel || out->grad_owner == in->grad_owner);
            out->grad_owner = in->grad_owner;
            out->grad_buffer = in->grad_buffer;
        }
        const char *failure = plan_walk(&graph, &plan, 8, 8, true);
        print_message("one buffer for a %s stream: %s\n", parallel ? "parallel" : "sequential",
                      failure ? failure : "right");
        assert_int_equal(failure != NULL, parallel);
        dun_plan_free(&plan);
        dun_graph_free(&graph);
    }
}

/* Graphs that no plan can serve are refused by step and value. */
static void test_refused(void **state) {
    enum { EMBED, TURN, PRODUCT, GATE, SUM, N };
    static const struct {
        size_t step;
        int input, value;
        const char *message;
    } rows[] = {
        {PRODUCT, DUN_IN_X, 0,
         "step 2 of the graph (LINEAR of layer 0): its input x, value 0, was overwritten"},
        {PRODUCT, DUN_IN_X, 2, "its input x, value 2, was not made before"},
        {PRODUCT, DUN_IN_X, DUN_NONE, "its input x, value -1, is missing"},
        {PRODUCT, DUN_IN_Q, 1, "its input q, value 1, is none that the op has"},
        {SUM, DUN_IN_X, 2,
         "step 4 of the graph (ADD of layer 0): its input x, value 2, is read after a step"},
        {SUM, DUN_IN_X, 3, "its input x, value 3, has another shape than the sum"}, /* of 16 columns then */
    };
    (void)state;
    for (size_t i = 0; i <= sizeof rows / sizeof *rows; i++) {
        dun_graph graph = {.output = DUN_NONE};
        dun_plan plan;
        int value[N];
        check_ok(dun_graph_push(&value[0], &graph, (dun_step){.op = DUN_OP_EMBED}, 8));
        check_ok(dun_graph_push(&value[1], &graph, (dun_step){.op = DUN_OP_ROPE, .in = {0}}, 8));
        const dun_step product = {.op = DUN_OP_LINEAR, .in = {[DUN_IN_X] = 1, [DUN_IN_SUM] = DUN_NONE}};
        check_ok(dun_graph_push(&value[2], &graph, product, i == 4 ? 8 : 16));
        check_ok(
            dun_graph_push(&value[3], &graph, (dun_step){.op = DUN_OP_GATE, .in = {2}}, i == 5 ? 16 : 8));
        const dun_step sum = {.op = DUN_OP_ADD, .in = {[DUN_IN_X] = 3, [DUN_IN_SUM] = 1}};
        check_ok(dun_graph_push(&graph.output, &graph, sum, 8));
        if (i == sizeof rows / sizeof *rows) {
            check_ok(dun_graph_check(&graph));
        } else {
            graph.steps[rows[i].step].in[rows[i].input] = rows[i].value;
            assert_int_equal(dun_plan_create(&plan, &graph, device, 4, 4, true), DUN_FAILED);
            if (!strstr(dun_error_message(), rows[i].message))
                fail_msg("%s", dun_error_message());
        }
        dun_graph_free(&graph);
    }
}

/* A tensor that a backward reads is not overwritten in place, nor is the output. */
static void test_overwritten(void **state) {
    dun_graph graph = {.output = DUN_NONE};
    int x, y, z;
    (void)state;
    check_ok(dun_graph_push(&x, &graph, (dun_step){.op = DUN_OP_EMBED}, 8));
    check_ok(dun_graph_push(&y, &graph, (dun_step){.op = DUN_OP_NORM, .in = {x}}, 8));
    check_ok(dun_graph_push(&z, &graph, (dun_step){.op = DUN_OP_ROPE, .in = {x}}, 8));
    graph.output = z;
    assert_int_equal(dun_graph_check(&graph), DUN_FAILED);
    assert_non_null(strstr(dun_error_message(), "though the backward of an earlier step reads it"));
    graph.steps[2].in[DUN_IN_X] = y;
    check_ok(dun_graph_check(&graph));
    graph.output = y;
    assert_int_equal(dun_graph_check(&graph), DUN_FAILED);
    assert_non_null(strstr(dun_error_message(), "is the graph's output too"));
    dun_graph_free(&graph);
}

/* Every op of op.def has a name, a formula, and a step in a model's graph or above. */
static void test_ops(void **state) {
    static const dun_traits traits[] = {
        {.placement = DUN_PLACE_SANDWICH, .qk_norm = DUN_QK_HEAD},
        {.norm = DUN_NORM_LAYER, .position = DUN_POSITION_LEARNED, .ffn = DUN_FFN_PLAIN}};
    dun_spec spec = {.n_layers = 2,
                     .width = 32,
                     .n_heads = 4,
                     .n_kv_heads = 2,
                     .head_dim = 8,
                     .ffn_width = 48,
                     .vocab = 50,
                     .logit_cap = 3};
    bool met[DUN_N_OPS] = {0};
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        dun_graph graph;
        spec.traits = traits[k];
        check_ok(dun_graph_build(&graph, &spec,
                                 &(dun_point_spec){.n_blocks = 2,
                                                   .final_norm = true,
                                                   .logits = k == 0,
                                                   .mean = k == 1,
                                                   .n_earlier = (uint32_t)k,
                                                   .earlier = {1}},
                                 DUN_GRAPH_POINTS));
        for (size_t i = 0; i < graph.n_steps; i++)
            met[graph.steps[i].op] = true;
        dun_graph_free(&graph);
    }
    for (size_t i = 0; i < DUN_N_OPS; i++) {
        assert_true(dun_op_table[i].name[0] && dun_op_table[i].formula[0]);
        if (!met[i])
            fail_msg("no tested graph has the op %s", dun_op_table[i].name);
    }
}

static int open_all(void **state) {
    (void)state;
    device = check_open_device();
    return 0;
}

static int close_all(void **state) {
    (void)state;
    return check_close_device(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams),          cmocka_unit_test(test_doubled),
        cmocka_unit_test(test_shared_gradients), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_overwritten),      cmocka_unit_test(test_ops),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
