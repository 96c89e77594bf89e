/* What every reader of a model's sizes ends with: defaults that follow from other sizes, and how all must
 * fit. */
#ifndef DUN_SPEC_CHECK_H
#define DUN_SPEC_CHECK_H

#include "model/spec.h"

/* Most of a size; 0 is no size. The layers are DUN_MAX_LAYERS at most. */
enum {
    DUN_MOST_WIDTH = 1 << 16,
    DUN_MOST_FFN = 1 << 20,
    DUN_MOST_HEADS = 1024,
    DUN_MOST_HEAD_DIM = 1024,
    DUN_MOST_CONTEXT = 1 << 24,
    DUN_MOST_VOCAB = 1 << 22
};

/* Fills head_dim, n_kv_heads and rope_dim where they are 0 and checks the whole. DUN_BAD_INPUT: `file: found;
 * expected`. */
int dun_spec_finish(dun_spec *spec, const char *file);

/* Whether a model is of this architecture. */
bool dun_spec_is(const dun_spec *spec, const char *arch);

/* What no key need say of an architecture whose layers differ: every how many-th layer has no window; 0:
 * none. */
uint32_t dun_spec_window_pattern(const dun_spec *spec);

/* Layers whose number satisfies layer % n < n - 1 slide, n = 0: all. */
void dun_spec_set_windows(dun_spec *spec, uint32_t n);

/* Refuses a kind of model that is not followed, by the name it has in files (general.architecture,
 * model_type, or the class "...ForCausalLM"), with the nearest that is; one that nobody knows with the list
 * of those that are. */
int dun_spec_refuse(const char *file, const char *kind);

#endif
