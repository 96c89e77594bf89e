/* An engine's life, and the walks over its graphs. */
#include "nn/engine.h"

#include "base/err.h"
#include "base/mem.h"
#include "nn/engine_inside.h"
#include "nn/ops.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* The angle of pair i at a position. */
static double angle_of(uint32_t position, uint32_t i, const dun_rotary *rotary, const float *divisor) {
    double angle = position * pow(rotary->base, -2.0 * i / rotary->dim);
    return rotary->scaled && divisor[i] > 0 ? angle / divisor[i] : angle;
}

/* Cosines, then sines, of a table's angles at every position, computed in double; where long sequences have
 * angles of their own, those follow (dun_device_batch_upload). */
static int create_rope_table(dun_buffer *out, const dun_engine *engine, const dun_rotary *rotary) {
    int rc = DUN_OK;
    float *table = NULL, *at;
    const dun_rope_scaling *rope = &engine->model.spec.rope;
    const uint32_t half = rotary->dim / 2, positions = engine->options.max_position;
    const double m = rotary->scaled && rope->magnitude > 0 ? rope->magnitude : 1.0;
    size_t parts = engine->positions.shift ? 2 : 1, floats = parts * positions * rotary->dim;
    TRY_NEW(table, floats);
    at = table;
    for (size_t part = 0; part < parts; part++)
        for (uint32_t position = 0; position < positions; position++, at += rotary->dim)
            for (uint32_t i = 0; i < half; i++) {
                double angle = angle_of(position, i, rotary, part ? rope->long_divisor : rope->divisor);
                at[i] = (float)(m * cos(angle));
                at[half + i] = (float)(m * sin(angle));
            }
    TRY(dun_buffer_create(out, engine->compute->device, floats * sizeof(float), "the rotary table"));
    TRY(dun_buffer_write(out, 0, table, floats * sizeof(float)));
out:
    dun_free(table);
    return rc;
}

static int create_scratch(dun_engine *engine) {
    int rc = DUN_OK;
    const dun_engine_options *o = &engine->options;
    dun_device *device = engine->compute->device;
    size_t prompt_bytes = (size_t)o->prompts * o->max_prompt * engine->model.spec.width * sizeof(float);
    size_t delta_bytes = (size_t)o->max_rows * engine->model.spec.n_heads * sizeof(float);
    TRY(dun_buffer_create(&engine->prompt, device, prompt_bytes, "the prompt"));
    if (o->backward) {
        TRY_NEW(engine->gradient_written, engine->points.n_values);
        TRY(dun_buffer_create(&engine->d_prompt, device, prompt_bytes, "the prompt's gradient"));
        TRY(dun_buffer_create(&engine->d_texts, device, o->max_sequences * prompt_bytes,
                              "the prompt's gradients of texts"));
        TRY(dun_buffer_create(&engine->delta, device, delta_bytes, "attention's backward scratch"));
    }
out:
    return rc;
}

/* Which positions there are, and from which length of a sequence on it has other angles. */
static int set_positions(dun_engine *engine) {
    const dun_spec *spec = &engine->model.spec;
    const uint32_t most = engine->options.max_position, long_from = spec->rope.long_from;
    engine->positions = (dun_long_positions){0};
    if (spec->traits.position == DUN_POSITION_LEARNED && most > spec->context)
        return dun_error(DUN_BAD_INPUT,
                         "a text and what stands around it may have %u rows; the model '%s' has %u positions",
                         most, spec->name, spec->context);
    if (spec->traits.position == DUN_POSITION_ROPE && long_from && most > long_from)
        engine->positions = (dun_long_positions){long_from, most};
    return DUN_OK;
}

/* Everything whose size follows from the options. */
static int create_sized(dun_engine *engine) {
    int rc = DUN_OK;
    const dun_engine_options *o = &engine->options;
    dun_device *device = engine->compute->device;
    /* both number their rotary tables alike */
    assert(engine->text.n_tables <= engine->points.n_tables &&
           memcmp(engine->text.tables, engine->points.tables,
                  engine->text.n_tables * sizeof *engine->text.tables) == 0);
    TRY(set_positions(engine));
    uint32_t rows = o->max_rows > o->max_text_rows ? o->max_rows : o->max_text_rows;
    uint32_t in_points = o->max_sequences * o->prompts;
    uint32_t sequences = in_points > o->max_texts ? in_points : o->max_texts;
    TRY(dun_plan_create(&engine->text_plan, &engine->text, device, o->max_text_rows, o->max_texts, false));
    TRY(dun_plan_create(&engine->points_plan, &engine->points, device, o->max_rows, in_points, o->backward));
    dun_plan *const plans[] = {&engine->text_plan, &engine->points_plan};
    TRY(dun_plan_memory_create(&engine->memory, device, plans, 2));
    TRY(dun_device_batch_create(&engine->batch, device, sequences, rows));
    for (uint32_t i = 0; i < engine->points.n_tables; i++)
        TRY(create_rope_table(&engine->rope_tables[i], engine, &engine->points.tables[i]));
    TRY(create_scratch(engine));
out:
    return rc;
}

static void free_sized(dun_engine *engine) {
    for (uint32_t i = 0; i < DUN_MAX_TABLES; i++)
        dun_buffer_free(&engine->rope_tables[i]);
    dun_buffer_free(&engine->delta);
    dun_buffer_free(&engine->prompt);
    dun_buffer_free(&engine->d_prompt);
    dun_buffer_free(&engine->d_texts);
    dun_device_batch_free(&engine->batch);
    dun_plan_free(&engine->text_plan);
    dun_plan_free(&engine->points_plan);
    dun_plan_memory_free(&engine->memory);
    engine->has_points = false;
    dun_free(engine->gradient_written);
    engine->gradient_written = NULL;
}

/* Weights of the engine's own, or those that another has. */
static int create_model(dun_engine *engine, const dun_spec *spec, const dun_weight_source *source) {
    int rc = DUN_OK;
    const dun_engine_options *o = &engine->options;
    if (!o->loaded) {
        TRY(dun_model_create(&engine->model, engine->compute, spec, source, &o->point, o->form, o->backward,
                             o->observer));
        goto out;
    }
    engine->model = *o->loaded;
    if (o->form != DUN_FORM_F32)
        TRY(dun_gemm_use_stored(engine->compute->gemm));
out:
    return rc;
}

int dun_engine_create(dun_engine *engine, dun_compute *compute, const dun_spec *spec,
                      const dun_weight_source *source, const dun_engine_options *options) {
    int rc = DUN_OK;
    *engine = (dun_engine){.compute = compute, .options = *options};
    const dun_engine_options *o = &engine->options;
    if (o->prompts == 0)
        engine->options.prompts = 1;
    TRY(dun_graph_build(&engine->text, spec, &o->point, DUN_GRAPH_TEXT));
    TRY(dun_graph_build(&engine->points, spec, &o->point, DUN_GRAPH_POINTS));
    TRY(dun_nn_use(compute, dun_graph_has_traits(&engine->points) || dun_graph_has_traits(&engine->text),
                   o->form != DUN_FORM_F32));
    TRY(create_model(engine, spec, source));
    TRY(create_sized(engine));
out:
    if (rc < 0)
        dun_engine_free(engine);
    return rc;
}

int dun_engine_resize(dun_engine *engine, const dun_engine_options *options) {
    assert(dun_point_spec_equal(&options->point, &engine->options.point) &&
           options->form == engine->options.form && options->backward == engine->options.backward);
    const dun_model *loaded = engine->options.loaded;
    free_sized(engine);
    engine->options = *options;
    engine->options.loaded = loaded;
    if (options->prompts == 0)
        engine->options.prompts = 1;
    return create_sized(engine);
}

void dun_engine_free(dun_engine *engine) {
    dun_engine_free_cache(engine);
    free_sized(engine);
    dun_graph_free(&engine->text);
    dun_graph_free(&engine->points);
    if (!engine->options.loaded)
        dun_model_free(&engine->model);
    *engine = (dun_engine){0};
}

static int walk_forward(dun_run *run) {
    int rc = DUN_OK;
    for (size_t i = 0; i < run->graph->n_steps; i++) {
        const dun_step *step = &run->graph->steps[i];
        TRY(dun_op_code_table[step->op].forward(run, step));
    }
out:
    return rc;
}

int dun_engine_text(dun_engine *engine, const dun_batch *batch, uint32_t cache_row) {
    int rc = DUN_OK;
    assert(batch->n_rows <= engine->options.max_text_rows && batch->n_sequences <= engine->options.max_texts);
    assert(batch->n_rows <= engine->cache_rows - cache_row);
    dun_run run = {
        .engine = engine, .graph = &engine->text, .plan = &engine->text_plan, .cache_row = cache_row};
    engine->has_points = false; /* overwritten */
    TRY(dun_device_batch_upload(&engine->batch, batch, &engine->positions, engine->options.rows_after_text));
    dun_gemm_in_texts(engine->compute->gemm, true);
    rc = walk_forward(&run);
    dun_gemm_in_texts(engine->compute->gemm, false);
out:
    return rc;
}

int dun_engine_points(dun_engine *engine, const dun_batch *batch) {
    int rc = DUN_OK;
    assert(batch->n_rows <= engine->options.max_rows &&
           batch->n_sequences <= engine->options.max_sequences * engine->options.prompts);
    dun_run run = {.engine = engine, .graph = &engine->points, .plan = &engine->points_plan};
    TRY(dun_device_batch_upload(&engine->batch, batch, &engine->positions, 0));
    TRY(walk_forward(&run));
    engine->has_points = true;
out:
    return rc;
}

dun_buffer *dun_engine_point_buffer(dun_engine *engine) {
    return &engine->points_plan.buffers[engine->points.values[engine->points.output].buffer];
}

dun_buffer *dun_engine_point_gradient(dun_engine *engine) {
    return &engine->points_plan.buffers[engine->points.values[engine->points.output].grad_buffer];
}

uint32_t dun_engine_point_width(const dun_engine *engine) {
    return engine->options.prompts * dun_point_width(&engine->model.spec, &engine->options.point);
}

int dun_engine_backward(dun_engine *engine) {
    int rc = DUN_OK;
    dun_run run = {.engine = engine,
                   .graph = &engine->points,
                   .plan = &engine->points_plan,
                   .written = engine->gradient_written};
    assert(engine->options.backward && engine->has_points);
    memset(run.written, 0, engine->points.n_values * sizeof *run.written);
    run.written[engine->points.values[engine->points.output].grad_owner] = true;
    for (size_t i = engine->points.n_steps; i-- > 0;) {
        const dun_step *step = &engine->points.steps[i];
        TRY(dun_op_code_table[step->op].backward(&run, step));
    }
out:
    return rc;
}

int dun_engine_sum_texts(dun_engine *engine, uint32_t n) {
    const dun_compute *compute = engine->compute;
    uint32_t floats = engine->options.prompts * engine->options.max_prompt * engine->model.spec.width;
    return DUN_LAUNCH(dun_compute_kernel(compute, &dun_nn_kernels, DUN_K_block_sum),
                      dun_items(compute, floats / compute->tiles.vector + 1), DUN_BUF(engine->d_prompt),
                      DUN_BUF(engine->d_texts), DUN_INT(n), DUN_INT(floats));
}

int dun_engine_pick_rows(dun_engine *engine, dun_buffer *out, const dun_buffer *in, const dun_buffer *ends,
                         uint32_t n, uint32_t columns) {
    const dun_compute *compute = engine->compute;
    return DUN_LAUNCH(dun_compute_kernel(compute, &dun_nn_kernels, DUN_K_last_fwd), dun_rows(compute, n),
                      DUN_BUF(*out), DUN_BUF(*in), DUN_BUF(*ends), DUN_INT(columns));
}
