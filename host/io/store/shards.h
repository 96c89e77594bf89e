/* The weights of a Hugging Face folder: one safetensors file, or several with an index of which tensor is in
 * which. */
#ifndef DUN_SHARDS_H
#define DUN_SHARDS_H

#include "io/model/stored.h"
#include "io/store/safetensors.h"

typedef struct {
    dun_safetensors *files;
    char **paths;
    size_t n_files;
    dun_stored_list list; /* all tensors, sorted; they point into the files */
} dun_shards;

/* Opens model.safetensors, or what model.safetensors.index.json names. DUN_BAD_INPUT: neither is there (with
 * what the folder holds instead), an index that is none or names a file outside of the folder, a file that is
 * missing, a tensor that is in two files or not in the one that the index says. */
int dun_shards_open(dun_shards *out, const char *folder);
void dun_shards_free(dun_shards *shards);

/* A hash of the names, types and shapes of all tensors, in the order of the files. */
uint64_t dun_shards_hash(uint64_t hash, const dun_shards *shards);

/* Parses an index: its weight_map, tensor name to file name, checked as above; *root owns it. */
int dun_shards_parse_index(json_t **root, const json_t **map, const char *bytes, size_t length,
                           const char *name);

#endif
