/* What spec_hf.c (sizes, what is refused) and spec_hf_rope.c (positions, scaling, windows) share; nobody else
 * includes this. */
#ifndef DUN_SPEC_HF_INSIDE_H
#define DUN_SPEC_HF_INSIDE_H

#include "io/model/spec_check.h"
#include "io/model/spec_hf.h"

/* Which layers slide, where no list says so. */
enum dun_hf_slide {
    DUN_SLIDE_NONE, /* what a config says of windows changes nothing, as in transformers */
    DUN_SLIDE_ALL,
    DUN_SLIDE_PATTERN, /* of the architecture (spec_check.h) */
    DUN_SLIDE_FROM,    /* those from max_window_layers on */
    DUN_SLIDE_STILL    /* those that do not turn */
};

/* What holds where a config is silent; 0: nothing is said, or what follows from the other sizes. */
typedef struct {
    const char *type; /* model_type */
    uint32_t context, kv_heads, head_dim, window;
    double eps, part, base, base_window; /* of the norms; the share of a head that turns; of the turns */
    enum dun_hf_slide slide;
    bool flagged; /* only with use_sliding_window */
} dun_hf_usual;
const dun_hf_usual *dun_hf_usual_of(const char *type);

/* An object of config.json. */
typedef struct {
    const char *file;
    const json_t *object;
    const dun_hf_usual *usual;
} dun_hf_config;

/* The value of the first of several spellings "a|b|c" that is there and not null; NULL: none is. */
const json_t *dun_hf_find(const dun_hf_config *config, const char *names);

/* Values that stay as they are where none of the spellings is there. DUN_BAD_INPUT: another type, or outside
 * of least .. most, or for reals below least or not finite. */
int dun_hf_count(uint32_t *value, const dun_hf_config *config, const char *names, uint32_t least,
                 uint32_t most);
int dun_hf_real(double *value, const dun_hf_config *config, const char *names, double least);
int dun_hf_float(float *value, const dun_hf_config *config, const char *names, double least);
int dun_hf_flag(bool *value, const dun_hf_config *config, const char *names);
int dun_hf_text(const char **value, const dun_hf_config *config, const char *names);

/* DUN_BAD_INPUT: "file: key 'names' is ...; expected ...". */
int dun_hf_refuse(const dun_hf_config *config, const char *key, const json_t *found, const char *expected);

/* How many components turn, by which base and how scaled; which layers see a window or do not turn. The sizes
 * are known. */
int dun_hf_positions(dun_spec *spec, const dun_hf_config *config);
int dun_hf_windows(dun_spec *spec, const dun_hf_config *config);

#endif
