/* The engine on graphs that no model has yet: changed by hand, and compared with a model changed to mean the
 * same. */
#include "base/mem.h"
#include "base/rng.h"
#include "device_check.h"
#include "engine_scene.h"

#include <setjmp.h>

#include <cmocka.h>

static dun_device *device;
static dun_compute compute;
static dun_random_model weights;
static double prompt[P * MAX_WIDTH];

/* Every sum of a product and the residual as two steps. */
static void split_sums(dun_graph *graph) {
    dun_step *steps = graph->steps;
    size_t n_steps = graph->n_steps;
    graph->steps = dun_calloc(2 * n_steps, sizeof *steps);
    assert_non_null(graph->steps);
    graph->step_capacity = 2 * n_steps;
    graph->n_steps = 0;
    for (size_t i = 0; i < n_steps; i++) {
        dun_step step = steps[i];
        if (step.op == DUN_OP_LINEAR && step.in[DUN_IN_SUM] >= 0) {
            dun_step sum = {.op = DUN_OP_ADD, .out = step.out, .stats = DUN_NONE, .layer = step.layer};
            for (int k = 0; k < DUN_N_INPUTS; k++)
                sum.in[k] = DUN_NONE;
            sum.in[DUN_IN_SUM] = step.in[DUN_IN_SUM];
            check_ok(dun_graph_add_value(&step.out, graph, graph->values[step.out].columns, step.out));
            sum.in[DUN_IN_X] = step.out;
            step.in[DUN_IN_SUM] = DUN_NONE;
            graph->steps[graph->n_steps++] = step;
            step = sum;
        }
        graph->steps[graph->n_steps++] = step;
    }
    dun_free(steps);
}

/* All rotations by a second table. */
static const float other_base = 77.0f;
static void turn_otherwise(dun_graph *graph) {
    graph->tables[graph->n_tables] = (dun_rotary){other_base, graph->tables[0].dim, true};
    for (size_t i = 0; i < graph->n_steps; i++)
        if (graph->steps[i].op == DUN_OP_ROPE)
            graph->steps[i].table = graph->n_tables;
    graph->n_tables++;
}
static void turn_reference(dun_random_model *model) {
    model->spec.rope_base = model->spec.rope_base == other_base ? scene_models[0].rope_base : other_base;
}

/* The scores of the second block scaled by more: as if its queries were longer. */
static const float longer = 1.75f;
static void scale_scores(dun_graph *graph) {
    for (size_t i = 0; i < graph->n_steps; i++)
        if (graph->steps[i].op == DUN_OP_ATTENTION && graph->steps[i].layer == 1)
            graph->steps[i].scale *= longer;
}
static void scale_queries(dun_random_model *model) {
    static bool scaled;
    size_t n = (size_t)model->spec.n_heads * model->spec.head_dim * model->spec.width;
    for (size_t i = n; i < 2 * n; i++)
        model->slots[DUN_W_Q][i] *= scaled ? 1.0 / (double)longer : (double)longer;
    scaled = !scaled;
}

static void test_edited(void **state) {
    static const struct {
        void (*edit)(dun_graph *graph);
        void (*follow)(dun_random_model *model); /* and, called again, back */
        const char *what;
    } rows[] = {{split_sums, NULL, "sums as steps"},
                {turn_otherwise, turn_reference, "a second rotary table"},
                {scale_scores, scale_queries, "a layer's own scale"}};
    const dun_point_spec point = {.n_blocks = 3, .final_norm = true};
    float d_prompt[MAX_P * MAX_WIDTH];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        scene s;
        check_ok(scene_create(&s, &compute, &weights, prompt, &point, true));
        rows[i].edit(&s.engine.text);
        rows[i].edit(&s.engine.points);
        const dun_engine_options options = s.engine.options;
        check_ok(dun_engine_resize(&s.engine, &options));
        check_ok(scene_set_prompt(&s, prompt));
        check_ok(scene_spoil(&s));
        check_ok(scene_cache(&s, 0, N_TEXTS, 3));
        check_ok(scene_points(&s, scene_in_order, N_SEQUENCES));
        if (rows[i].follow)
            rows[i].follow(&weights);
        print_message("%s\n", rows[i].what);
        scene_compare_points(&s);
        check_ok(scene_backward(d_prompt, &s, scene_in_order, N_SEQUENCES));
        scene_compare_gradient(&s, d_prompt);
        if (rows[i].follow)
            rows[i].follow(&weights);
        scene_free(&s);
    }
}

static int open_all(void **state) {
    (void)state;
    device = check_open_device();
    check_ok(dun_compute_create(&compute, device, scene_models[0].head_dim, "auto"));
    check_ok(dun_random_model_create(&weights, &scene_models[0], 20));
    for (size_t i = 0; i < sizeof prompt / sizeof *prompt; i++)
        prompt[i] = (float)dun_random_normal(9, DUN_STREAM_TEST, i);
    return 0;
}

static int close_all(void **state) {
    (void)state;
    dun_random_model_free(&weights);
    dun_compute_free(&compute);
    return check_close_device(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_edited)};
    return cmocka_run_group_tests(tests, open_all, close_all);
}
