/* The metadata of a GGUF file as a model: its row of archs.def, and how its hyper-parameters become a spec.
 */
#ifndef DUN_ARCHITECTURE_H
#define DUN_ARCHITECTURE_H

#include "io/store/gguf.h"
#include "model/spec.h"

/* The row of a file's architecture. DUN_BAD_INPUT lists the known ones. */
int dun_architecture_find(const dun_arch **out, const dun_gguf *file);

/* Its name for people, as the file gives it; "" where it does not. */
void dun_architecture_name(char *out, size_t size, const dun_gguf *file);

/* Reads and checks the hyper-parameters and the vocabulary's size, and refuses settings that the engine
 * would silently leave out. DUN_BAD_INPUT names the key, the value and what would be right. */
int dun_architecture_spec(dun_spec *spec, const dun_arch *arch, const dun_gguf *file);

/* The name in the file of a slot's tensor; `layer` counts for per-layer slots only. */
void dun_architecture_tensor(char *out, size_t size, enum dun_slot slot, uint32_t layer);

#endif
