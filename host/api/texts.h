/* What a dunlin_texts is. */
#ifndef DUN_API_TEXTS_H
#define DUN_API_TEXTS_H

#include "api/api.h"
#include "io/data/given.h"

struct dunlin_texts {
    dun_handle handle;
    dun_given given; /* labels NULL: there are none */
    bool from_files; /* of a config, whose keys say which */
    /* What `given` points to: */
    const char **texts, **labels;
    size_t *lengths;
    double *weights;
    uint32_t *lines;
    char *bytes;          /* texts and labels, zero-terminated, one after another; or */
    dun_dataset *dataset; /* these, */
    dun_labels *spellings;
};

/* Takes part in the texts, as a reader; with labels where these are needed. DUN_USAGE, DUN_BAD_INPUT. */
int dun_api_texts_enter(const dunlin_texts *texts, bool labels, const char *name);
void dun_api_texts_leave(const dunlin_texts *texts);

#endif
