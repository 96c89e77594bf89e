/* The engine: a frozen model on one device that turns texts into cached keys and values, and prompts after
 * those texts into points; and carries gradients of points back to the prompt. */
#ifndef DUN_ENGINE_H
#define DUN_ENGINE_H

#include "nn/batch.h"
#include "nn/model.h"
#include "nn/plan.h"

typedef struct {
    dun_point_spec point;
    enum dun_weight_form form;    /* of the weights; not float32: the source must stay open */
    bool backward;                /* gradients to the prompt are wanted */
    uint32_t max_text_rows;       /* most text rows in one call of dun_engine_text */
    uint32_t max_texts;           /* most texts in it */
    uint32_t max_rows;            /* most rows in one call of dun_engine_points */
    uint32_t max_sequences;       /* most texts in it, S: as many sequences, or `prompts` times as many */
    uint32_t max_prompt;          /* P: most rows of the prompt */
    uint32_t prompts;             /* that are run after each text, as sequences one after another; 0: 1 */
    uint32_t max_position;        /* longest text and prompt together */
    const dun_observer *observer; /* hears of the loading of a large model; NULL: nobody */
    const dun_model
        *loaded; /* on the device, by the same products and tiles, with at least what `point`, `form` and
                    `backward` need: stays whose it is; NULL: the engine loads its own */
    struct dun_common *common; /* of weights that are loaded (dev/common.h), or NULL */
    uint32_t rows_after_text;  /* how many will follow a text that is run by itself: where positions differ in
                                  sequences that are long, its rows must know */
} dun_engine_options;

typedef struct {
    dun_compute *compute; /* borrowed */
    dun_engine_options options;
    dun_model model;
    dun_graph text, points;
    dun_plan text_plan, points_plan; /* both in the same */
    dun_plan_memory memory;
    bool has_points; /* the points' plan holds what dun_engine_points left: no text was run since */
    dun_device_batch batch;
    dun_long_positions positions;
    dun_buffer rope_tables[DUN_MAX_TABLES]; /* (max_position, dim) cosines, then sines, as points.tables; then
                                               those of long sequences */
    dun_buffer delta;                       /* (max_rows, H) scratch of attention's backward */
    dun_buffer prompt;                      /* (prompts, P, C) the prompt rows in use */
    dun_buffer d_prompt;                    /* (prompts, P, C) */
    dun_buffer d_texts; /* (max_sequences, prompts, P, C) what each text of a batch adds to it */
    dun_buffer *cache;  /* [n_blocks] (cache_rows, 2*G*D) */
    uint32_t cache_rows;
    dun_buffer *kept; /* [n_blocks] (kept_rows, 2*G*D) halves, or NULL */
    uint32_t kept_rows;
    dun_buffer recalled; /* (cache_rows, 2) what dun_engine_recall copies: to a cached row, from a kept one */
    bool *gradient_written; /* [points.n_values] scratch of the backward walk */
} dun_engine;

int dun_engine_create(dun_engine *engine, dun_compute *compute, const dun_spec *spec,
                      const dun_weight_source *source, const dun_engine_options *options);
void dun_engine_free(dun_engine *engine);

/* The same engine for other batches or another length of prompt: weights and the cache stay, the prompt in
 * use is gone. `point` and `backward` must not change, and `loaded` does not. After a failure it can only be
 * freed. */
int dun_engine_resize(dun_engine *engine, const dun_engine_options *options);

/* Bytes of keys and values that one text token takes in the cache, all layers. */
uint64_t dun_engine_cache_bytes_per_row(const dun_spec *spec, const dun_point_spec *point);

/* Room for the keys and values of `rows` text tokens; needed before any text or point is run, even with 0
 * rows. Replaces an earlier cache. */
int dun_engine_create_cache(dun_engine *engine, uint32_t rows);

/* Room for the keys and values of `rows` text tokens in half precision beside the cache, whose rows they are
 * recalled into. The cache comes first. */
int dun_engine_create_kept(dun_engine *engine, uint32_t rows);

/* Rounds n cached rows into kept ones. */
int dun_engine_keep(dun_engine *engine, uint32_t kept_row, uint32_t cache_row, uint32_t n);

/* Widens n kept rows into cached ones: pairs (n, 2) of a cached and a kept row. */
int dun_engine_recall(dun_engine *engine, const int32_t *pairs, uint32_t n);

/* Copies n rows of keys and values, (n_blocks, n, 2*G*D) floats or, for kept rows, halves, from or to the
 * host; both wait. */
int dun_engine_read_rows(void *rows, dun_engine *engine, bool kept, uint32_t row, uint32_t n);
int dun_engine_write_rows(dun_engine *engine, bool kept, uint32_t row, const void *rows, uint32_t n);

/* Runs whole texts and leaves their keys and values in the cache from row `cache_row` on, one row a token in
 * the batch's order. Sequences have no prefix. What dun_engine_points left, points included, is gone. */
int dun_engine_text(dun_engine *engine, const dun_batch *batch, uint32_t cache_row);

/* Runs the batch's rows (usually the prompt) after their cached texts; leaves (S, D) points in
 * dun_engine_point_buffer. With several prompts a text's sequences stand side by side in the batch, and so do
 * their points, which are a row of D. */
int dun_engine_points(dun_engine *engine, const dun_batch *batch);
dun_buffer *dun_engine_point_buffer(dun_engine *engine);
uint32_t dun_engine_point_width(const dun_engine *engine);

/* After dun_engine_points and with the gradient (S, D) of the points written to
 * dun_engine_point_gradient: leaves the gradient of the prompt in engine->d_prompt. What the caller made of
 * the points themselves does not matter. */
dun_buffer *dun_engine_point_gradient(dun_engine *engine);
int dun_engine_backward(dun_engine *engine);

/* The part of it that comes last: the gradient of the prompts from those of n texts (n, prompts, P, C) in
 * engine->d_texts, summed in blocks of DUN_BLOCK_TEXTS. Texts that were run elsewhere may be among them. */
int dun_engine_sum_texts(dun_engine *engine, uint32_t n);

/* out (n, columns) = row ends[i + 1] - 1 of `in` for every i < n; ends[0] is not read. */
int dun_engine_pick_rows(dun_engine *engine, dun_buffer *out, const dun_buffer *in, const dun_buffer *ends,
                         uint32_t n, uint32_t columns);

#endif
