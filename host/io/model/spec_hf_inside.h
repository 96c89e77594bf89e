/* What spec_hf.c (sizes, what is refused) and spec_hf_rope.c (positions, scaling, windows) share; nobody else
 * includes this. */
#ifndef DUN_SPEC_HF_INSIDE_H
#define DUN_SPEC_HF_INSIDE_H

#include "io/model/spec_check.h"
#include "io/model/spec_hf.h"

/* An object of config.json. */
typedef struct {
    const char *file;
    const json_t *object;
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
