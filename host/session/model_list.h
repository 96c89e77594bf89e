/* The models of this computer with what is known of each, and whether it can be used: for people, and as
 * JSON. */
#ifndef DUN_MODEL_LIST_H
#define DUN_MODEL_LIST_H

#include "io/model/model_places.h"
#include "io/model_file.h"

#include <jansson.h>

/* What is known of one of them; `fault` says why it cannot be used. */
typedef struct {
    dun_model_facts facts;
    dun_spec spec;
    char *fault;
} dun_model_state;

typedef struct {
    dun_model_entries entries;
    dun_model_state *states; /* [entries.n] */
} dun_model_list;

/* `wanted` (NULL: always) is asked before each; what it returns below 0 ends the looking. For
 * dun_model_list_free in any case. */
int dun_model_list_make(dun_model_list *list, int (*wanted)(void));
void dun_model_list_free(dun_model_list *list);

/* Appends an object for each. */
int dun_model_list_json(json_t *array, const dun_model_list *list);

#endif
