/* A model, some texts and some sequences after them, as an engine sees them: shared by the tests of the
 * engine. */
#ifndef ENGINE_SCENE_H
#define ENGINE_SCENE_H

#include "check/random_model.h"
#include "nn/engine.h"

enum {
    N_TEXTS = 5,
    N_SEQUENCES = 7,
    N_MODELS = 4, /* plain ones, one with biases, one with parallel residuals too */
    P = 3,        /* prompt rows that sequences use */
    MAX_P = 5,    /* room for them */
    CACHE_ROWS = 40,
    MAX_TEXT = 12,
    MAX_OWN = 5,
    MAX_WIDTH = 64,
    MAX_POINT = 3 * MAX_WIDTH
};

extern const dun_spec scene_models[N_MODELS];
extern const int scene_text_length[N_TEXTS];

/* Own rows after a text: soft, hard, mixed, a lone one; texts used twice and not at all. */
typedef struct {
    int text, n;
    int ids[MAX_OWN];
} scene_sequence;
extern const scene_sequence scene_sequences[N_SEQUENCES];

extern const int scene_in_order[N_SEQUENCES];

/* What an engine of a scene runs on; weights and prompt (P, C) are the caller's. */
typedef struct {
    dun_engine engine;
    const dun_random_model *weights; /* what it is compared with */
    const double *prompt;            /* (P, C) */
    const dun_spec *spec;            /* the weights' */
    dun_point_spec point;
    int cache_row[N_TEXTS];
    uint32_t width;
    float points[N_SEQUENCES][MAX_POINT]; /* by sequence, whatever the order they ran in */
} scene;

int scene_create(scene *s, dun_compute *compute, const dun_random_model *weights, const double *prompt,
                 const dun_point_spec *point, bool backward);
void scene_free(scene *s);

/* Sets the prompt's rows (P, C), which an engine loses when it is resized. */
int scene_set_prompt(scene *s, const double *prompt);

/* Fills cache, activations and gradients with NaN, to show that only what was written is read. */
int scene_spoil(scene *s);

/* Caches texts [first, end) in one batch, from a cache row on. */
int scene_cache(scene *s, int first, int end, int row);

/* Runs the sequences order[0..n) in one batch; their points go where they belong. */
int scene_points(scene *s, const int *order, int n);

/* The gradient (MAX_P, C) of sum_q slope(q, j) * point_q[j] over the sequences that just ran in this order.
 */
int scene_backward(float *d_prompt, scene *s, const int *order, int n);
double scene_slope(int q, uint32_t j);

/* Fail the test where points, or the gradient of scene_backward, are not those of the scene's weights as
 * plain loops. Return the largest relative error. */
double scene_compare_points(const scene *s);
double scene_compare_gradient(const scene *s, const float *d_prompt);

/* Tokens of a text; ids of text and own rows of a sequence together, of which the count is returned. */
int scene_token(const dun_spec *spec, int text, int i);
int scene_ids(int *ids, const dun_spec *spec, int q);

#endif
