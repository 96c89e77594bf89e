/* The models on this computer: what lies in the folders where dunlin and other programs keep models, each
 * with a name that model.path takes.
 *
 * Places, in this order, and the names of what lies there:
 *   models/ here, of the user and of the installed program   FILE, or FOLDER (Hugging Face)
 *   the folders of DUNLIN_MODELS (a list with ':')            the same, with the folders between:
 * "qwen/q8_0.gguf" Hugging Face's cache   $HF_HUB_CACHE, $HF_HOME/hub, ~/.cache/huggingface/hub hf:ORG/NAME,
 * hf:ORG/NAME/FILE Ollama                 $OLLAMA_MODELS, ~/.ollama/models, /usr/share/ollama/...
 * ollama:NAME:TAG LM Studio              ~/.lmstudio/models, ~/.cache/lm-studio/models
 * lmstudio:PUBLISHER/NAME/FILE */
#ifndef DUN_MODEL_PLACES_H
#define DUN_MODEL_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    char *name;
    char *path;     /* of the file or folder, absolute where it can be had */
    uint64_t bytes; /* of the file and its parts, or of the folder's weights */
    char *fault;    /* why there is no model, or NULL */
} dun_model_entry;

typedef struct {
    dun_model_entry *entries; /* by place, then by name; no name of a path twice */
    size_t n, capacity;
} dun_model_entries;

/* What there is. `folders` are the model folders of dunlin itself, NULL at the end; one that is not there is
 * no error. */
int dun_model_entries_list(dun_model_entries *out, const char *const *folders);
void dun_model_entries_free(dun_model_entries *entries);

/* The entry that `name` means: the one of that name ("ollama:NAME" is NAME:latest), else the only one that
 * has it as a part, letters of either case being equal, else the only one that has its letters and digits.
 * What is no model (a fault) counts where nothing else
 * has the name. *out is NULL where there is none. DUN_USAGE: several have; the message names them. */
int dun_model_entries_find(const dun_model_entry **out, bool *exact, const dun_model_entries *entries,
                           const char *name);

#endif
