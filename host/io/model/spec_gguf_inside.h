/* What spec_gguf.c (sizes, what is refused) and spec_gguf_keys.c (scaling, windows) share; nobody else
 * includes this. */
#ifndef DUN_SPEC_GGUF_INSIDE_H
#define DUN_SPEC_GGUF_INSIDE_H

#include "io/model/spec_check.h"
#include "io/model/spec_gguf.h"

enum { DUN_KEY_BYTES = 128, DUN_SHOWN_BYTES = 64 };

/* key with '*' replaced by the architecture's name. */
void dun_spec_gguf_key(char out[DUN_KEY_BYTES], const char *key, const dun_arch *arch);

/* A file's text for a terminal: cut at a character's start to fit, control characters blanked. */
void dun_spec_gguf_show(char *out, size_t size, dun_gguf_string text);

/* The model's own name for people; where the file gives none, the file's. */
int dun_spec_gguf_title(char *out, size_t size, const dun_gguf *file);

/* Values that stay as they are where the key, with '*' for the architecture, is absent. A float is finite and
 * at least `least`. */
int dun_spec_gguf_real(float *value, const dun_gguf *file, const char *name, const dun_arch *arch,
                       float least);
int dun_spec_gguf_count(uint32_t *value, const dun_gguf *file, const char *name, const dun_arch *arch);

/* How turns are scaled, once all sizes are known; which layers see a window, and the base of their turns. */
int dun_spec_gguf_scaling(dun_spec *spec, const dun_arch *arch, const dun_gguf *file);
int dun_spec_gguf_windows(dun_spec *spec, const dun_arch *arch, const dun_gguf *file);

#endif
