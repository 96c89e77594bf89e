/* The metadata of a GGUF file as a model: its row of archs.def, and how its hyper-parameters become a spec.
 */
#ifndef DUN_SPEC_GGUF_H
#define DUN_SPEC_GGUF_H

#include "io/model/weights.h"
#include "io/store/gguf.h"

/* The row of a file's architecture. DUN_BAD_INPUT says what comes near, or lists the known ones. */
int dun_spec_gguf_arch(const dun_arch **out, const dun_gguf *file);

/* The architecture's name for people, as the file gives it; "" where it does not. */
void dun_spec_gguf_name(char *out, size_t size, const dun_gguf *file);

/* The repository on Hugging Face's hub that a file says it was made of, ORG/NAME; else one that it says it
 * lies in; "" where it says none. */
void dun_spec_gguf_repository(char *out, size_t size, const dun_gguf *file);

/* What weights are made of: the tensors, listed, and the hyper-parameters, checked; refuses settings that the
 * engine would silently leave out. `out` points into the file; its list is to be freed, or given to weights,
 * also after a failure. DUN_BAD_INPUT names the key, the value and what would be right. */
int dun_spec_gguf(dun_weights_from *out, const dun_gguf *file);

/* The weights of a file, which must outlive them: both steps in one. */
int dun_weights_of_gguf(dun_weights **out, const dun_gguf *file);

#endif
