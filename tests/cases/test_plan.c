/* The memory plan on the graphs of real specs: walked (plan_walk.h), tight, refused where it cannot be. */
#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "device_check.h"
#include "plan_walk.h"

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
    {"norms before and behind",
     {.traits = {.placement = DUN_PLACE_SANDWICH, .qk_norm = DUN_QK_HEAD},
      .n_layers = 3,
      .width = 32,
      .n_heads = 4,
      .n_kv_heads = 2,
      .head_dim = 8,
      .ffn_width = 48,
      .vocab = 50,
      .logit_cap = 5},
     37,
     8},
    {"norms behind, of whole rows",
     {.traits = {.placement = DUN_PLACE_POST, .qk_norm = DUN_QK_ROW},
      .n_layers = 3,
      .width = 32,
      .n_heads = 4,
      .n_kv_heads = 2,
      .head_dim = 8,
      .ffn_width = 48,
      .vocab = 50,
      .logit_cap = 5},
     37,
     8},
    {"parallel, one norm, learned positions",
     {.traits = {.norm = DUN_NORM_LAYER,
                 .residual = DUN_RESIDUAL_SHARED,
                 .position = DUN_POSITION_LEARNED,
                 .ffn = DUN_FFN_PLAIN},
      .n_layers = 3,
      .width = 32,
      .n_heads = 4,
      .n_kv_heads = 2,
      .head_dim = 8,
      .ffn_width = 48,
      .vocab = 50,
      .logit_cap = 5},
     37,
     8},
    {"parallel, norms of each head, normed rows",
     {.traits = {.norm = DUN_NORM_LAYER,
                 .residual = DUN_RESIDUAL_PARALLEL,
                 .qk_norm = DUN_QK_EACH,
                 .embedding = DUN_EMBEDDING_NORM},
      .n_layers = 3,
      .width = 32,
      .n_heads = 4,
      .n_kv_heads = 2,
      .head_dim = 8,
      .ffn_width = 48,
      .vocab = 50,
      .logit_cap = 5},
     37,
     8},
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

/* The same of a model's graph. */
static uint64_t check_graph(size_t model, const dun_point_spec *point, enum dun_graph_kind kind,
                            bool backward) {
    dun_graph graph;
    char what[100];
    snprintf(what, sizeof what, "%s, %u blocks%s%s%s%s, %s", models[model].name, point->n_blocks,
             point->final_norm ? ", final norm" : "", point->logits ? ", logits" : "",
             point->mean ? ", mean" : "", point->n_earlier ? ", two before it" : "",
             kind == DUN_GRAPH_TEXT ? "text" : "points");
    check_ok(dun_graph_build(&graph, &models[model].spec, point, kind));
    uint64_t bytes = plan_walk_check(&graph, device, models[model].N, models[model].S, backward, what);
    dun_graph_free(&graph);
    return bytes;
}

static void test_model(void **state) {
    size_t model = (size_t)(uintptr_t)*state;
    uint32_t L = models[model].spec.n_layers;
    const uint32_t blocks[] = {1, L / 2 ? L / 2 : 1, L};
    for (size_t b = 0; b < 3; b++)
        for (unsigned traits = 0; traits < 8; traits++) {
            dun_point_spec point = {
                .n_blocks = blocks[b], .final_norm = traits & 1, .logits = traits & 2, .mean = traits & 4};
            if (!point.logits && blocks[b] > 1) /* the walk sees to their gradients */
                point.earlier[point.n_earlier++] = blocks[b] - 1;
            if (!point.logits)
                point.earlier[point.n_earlier++] = blocks[b];
            check_graph(model, &point, DUN_GRAPH_TEXT, false);
            uint64_t forward = check_graph(model, &point, DUN_GRAPH_POINTS, false);
            assert_true(check_graph(model, &point, DUN_GRAPH_POINTS, true) > forward);
        }
}

/* Without gradients a block leaves nothing behind but its output: depth costs no memory. */
static void test_reuse(void **state) {
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        dun_point_spec shallow = {.n_blocks = 3, .final_norm = true},
                       deep = {.n_blocks = 30, .final_norm = true};
        enum dun_graph_kind graph = kind ? DUN_GRAPH_POINTS : DUN_GRAPH_TEXT;
        assert_int_equal(check_graph(N_MODELS - 1, &shallow, graph, false),
                         check_graph(N_MODELS - 1, &deep, graph, false));
    }
}

/* The walk must see a plan that is wrong: no two buffers of a plan as tight as this one can be merged. */
static void test_broken_plans(void **state) {
    dun_point_spec point = {.n_blocks = 2, .final_norm = true};
    const dun_spec *spec = &models[1].spec;
    size_t n_seen = 0, n_tried = 0;
    dun_graph graph;
    dun_plan plan;
    (void)state;
    check_ok(dun_graph_build(&graph, spec, &point, DUN_GRAPH_POINTS));
    check_ok(dun_plan_create(&plan, &graph, device, 8, 8, true));
    for (int a = 0; a < (int)plan.n_buffers; a++)
        for (int b = 0; b < (int)plan.n_buffers; b++) {
            dun_graph merged = graph;
            if (a == b || plan.places[b].bytes < plan.places[a].bytes)
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
            n_seen += plan_walk(&merged, &plan, 8, 8, true) != NULL;
            n_tried++;
            dun_free(merged.values);
        }
    print_message("%zu of %zu merged plans seen as wrong\n", n_seen, n_tried);
    assert_true(n_tried > 0 && n_seen == n_tried);
    assert_non_null(plan_walk(&graph, &plan, 9, 8, true)); /* too small for a ninth row */
    dun_plan_free(&plan);
    dun_graph_free(&graph);
}

/* Too many rows: refused with the estimate, before any buffer is made. */
static void test_too_large(void **state) {
    dun_point_spec point = {.n_blocks = 2, .final_norm = true};
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

/* Where no buffer may be large, plans take several; in each, no two buffers of a plan overlap, and the plan
 * that needs most says how large it is. */
static void test_memory(void **state) {
    (void)state;
    dun_point_spec point = {.n_blocks = 3, .final_norm = true, .logits = true};
    dun_device_info *info = (dun_device_info *)(uintptr_t)dun_device_describe(device);
    const uint64_t kept = info->largest_buffer_bytes;
    const uint64_t limits[] = {kept, 16384};
    for (size_t limit = 0; limit < 2; limit++) {
        dun_graph graphs[2];
        dun_plan text, points, *const plans[] = {&text, &points};
        dun_plan_memory memory;
        uint64_t live = dun_buffer_live_bytes();
        check_ok(dun_graph_build(&graphs[0], &models[1].spec, &point, DUN_GRAPH_TEXT));
        check_ok(dun_graph_build(&graphs[1], &models[1].spec, &point, DUN_GRAPH_POINTS));
        info->largest_buffer_bytes = limits[limit];
        check_ok(dun_plan_create(&text, &graphs[0], device, 40, 40, false));
        check_ok(dun_plan_create(&points, &graphs[1], device, 40, 20, true));
        check_ok(dun_plan_memory_create(&memory, device, plans, 2));
        info->largest_buffer_bytes = kept;
        assert_int_equal(dun_buffer_live_bytes() - live, memory.bytes);
        assert_true(limit == 0 ? memory.n_chunks == 1 : memory.n_chunks > 3);
        size_t most[2] = {0};
        for (int p = 0; p < 2; p++)
            for (size_t i = 0; i < plans[p]->n_buffers; i++) {
                const dun_plan_place *a = &plans[p]->places[i];
                assert_int_equal(plans[p]->buffers[i].bytes, a->bytes);
                assert_true(a->offset + a->bytes <= memory.chunks[a->chunk].bytes);
                most[p] = most[p] < a->offset + a->bytes ? a->offset + a->bytes : most[p];
                for (size_t j = 0; j < i; j++) {
                    const dun_plan_place *b = &plans[p]->places[j];
                    assert_true(a->chunk != b->chunk || a->offset + a->bytes <= b->offset ||
                                b->offset + b->bytes <= a->offset);
                }
            }
        if (limit == 0)
            assert_int_equal(memory.bytes, most[0] > most[1] ? most[0] : most[1]);
        for (size_t i = 0; limit == 1 && i < memory.n_chunks; i++)
            assert_true(memory.chunks[i].bytes <= limits[1]);
        dun_plan_free(&text);
        dun_plan_free(&points);
        dun_plan_memory_free(&memory);
        dun_graph_free(&graphs[0]);
        dun_graph_free(&graphs[1]);
        assert_int_equal(dun_buffer_live_bytes(), live);
    }
}

/* Every allocation on the way may fail; nothing stays behind. */
static void test_faults(void **state) {
    dun_point_spec point = {.n_blocks = 2, .final_norm = true, .logits = true};
    unsigned long n = 0;
    int rc;
    (void)state;
    size_t live = dun_mem_live(), objects = dun_device_live_objects();
    do {
        dun_graph graph = {0};
        dun_plan plan = {0}, *const plans[] = {&plan};
        dun_plan_memory memory = {0};
        dun_fault_set(++n);
        rc = dun_graph_build(&graph, &models[1].spec, &point, DUN_GRAPH_POINTS);
        if (rc == DUN_OK)
            rc = dun_plan_create(&plan, &graph, device, 8, 4, true);
        if (rc == DUN_OK)
            rc = dun_plan_memory_create(&memory, device, plans, 1);
        dun_fault_set(0);
        dun_plan_free(&plan);
        dun_plan_memory_free(&memory);
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
    return check_close_device(device);
}

int main(void) {
    struct CMUnitTest tests[N_MODELS + 5];
    size_t n = 0;
    for (; n < N_MODELS; n++)
        tests[n] = (struct CMUnitTest){models[n].name, test_model, NULL, NULL, (void *)(uintptr_t)n};
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_reuse);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_broken_plans);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_too_large);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_memory);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_faults);
    return cmocka_run_group_tests(tests, open_all, close_all);
}
