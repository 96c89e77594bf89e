/* A tokenizer.json on its way to a description: what its readers share. */
#ifndef DUN_JSON_PART_H
#define DUN_JSON_PART_H

#include "base/json.h"
#include "io/token/description.h"

typedef struct {
    const char *path; /* of tokenizer.json */
    dun_token_description to;
    /* What the description borrows, besides the texts of the JSON values. */
    dun_slice *tokens;
    uint8_t *kinds;
    dun_merge *merges;
    dun_added_token *added;
    dun_edit *normal, *prepare;
    dun_cut *cuts;
    uint32_t *begin;
    size_t normal_capacity, prepare_capacity, cuts_capacity, begin_capacity;
    bool has_template; /* a post-processor says what begins a text */
} dun_json_tokenizer;

/* Records what is wrong at a place of the file ("model.merges[3]"); returns DUN_BAD_INPUT. */
int dun_json_refuse(const dun_json_tokenizer *r, const char *where, const char *fault);

/* The same for a name or text that is not one of those that are followed, which `known` lists. */
int dun_json_refuse_name(const dun_json_tokenizer *r, const char *where, const char *name, const char *known);

/* Values of an object by key. A missing one, or null, is `otherwise` (for strings NULL: then it is an error).
 */
int dun_json_get_bool(bool *out, const dun_json_tokenizer *r, const json_t *object, const char *key,
                      const char *where, bool otherwise);
int dun_json_get_string(const char **out, const dun_json_tokenizer *r, const json_t *object, const char *key,
                        const char *where, const char *otherwise);

/* The places of elements: "where.key", "where.key[i]". */
enum { DUN_JSON_WHERE = 240 };
void dun_json_where(char out[DUN_JSON_WHERE], const char *where, const char *key);
void dun_json_where_at(char out[DUN_JSON_WHERE], const char *where, const char *key, size_t i);

/* The parts "normalizer" and "pre_tokenizer" as edits and cuts; JSON null is none. They also say whether the
 * vocabulary is a byte-level one. DUN_BAD_INPUT: a part of a kind that is not followed, or in a place where
 * it is not; the message lists what is. */
int dun_json_read_normalizer(dun_json_tokenizer *r, const json_t *value);
int dun_json_read_pretokenizer(dun_json_tokenizer *r, const json_t *value);

/* The part "post_processor": what begins a text. A token that would end one is left out, with a warning. */
int dun_json_read_postprocessor(dun_json_tokenizer *r, const json_t *value);

#endif
