/* An order that is stratified everywhere, and stretches of it. */
#include "session/subset.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"

#include <stdlib.h>

/* Where a text comes: its class's are at (i + 1/2) / n of the way, the first of each at the front. */
typedef struct {
    double at;
    uint32_t label, text;
} place;

static int by_place(const void *a, const void *b) {
    const place *x = a, *y = b;
    if (x->at < y->at || x->at > y->at)
        return x->at < y->at ? -1 : 1;
    return x->label < y->label ? -1 : x->label > y->label;
}

/* Places of one class's texts, which are the first n of `members`. */
static void place_class(place *places, const uint32_t *members, uint32_t *order, uint32_t n, uint32_t label,
                        uint64_t seed) {
    if (n > 0)
        dun_random_shuffle(order, n, seed, DUN_STREAM_SUBSET, label);
    for (uint32_t i = 0; i < n; i++)
        places[i] = (place){i ? (i + 0.5) / n : 0, label, members[order[i]]};
}

static int find_order(uint32_t *order, const dun_session *session, uint64_t seed) {
    int rc = DUN_OK;
    place *places = NULL;
    uint32_t *members = NULL, *scratch = NULL, done = 0;
    const uint32_t n = session->n_train;
    TRY_NEW(places, n);
    TRY_NEW(members, n);
    TRY_NEW(scratch, n);
    for (uint32_t k = 0; k < session->labels.n_classes; k++) {
        uint32_t n_members = 0;
        for (uint32_t i = 0; i < n; i++)
            if (session->texts.label[i] == k)
                members[n_members++] = i;
        place_class(places + done, members, scratch, n_members, k, seed);
        done += n_members;
    }
    qsort(places, n, sizeof *places, by_place);
    for (uint32_t i = 0; i < n; i++)
        order[i] = places[i].text;
out:
    dun_free(scratch);
    dun_free(members);
    dun_free(places);
    return rc;
}

int dun_session_spread(dun_session *session, uint64_t seed) {
    int rc = DUN_OK;
    uint32_t *order = NULL;
    dun_example *examples = NULL;
    dun_dataset *train = session->train;
    TRY_NEW(order, session->n_train);
    TRY_NEW(examples, train->n);
    TRY(find_order(order, session, seed));
    dun_start_points_free(&session->start_points); /* they go by place */
    TRY(dun_texts_arrange(&session->texts, order, session->n_train));
    for (uint32_t i = 0; i < session->n_train; i++)
        examples[i] = train->examples[order[i]];
    dun_free(train->examples);
    train->examples = examples;
    examples = NULL;
out:
    dun_free(examples);
    dun_free(order);
    return rc;
}

void dun_session_narrow(dun_session *session, uint32_t first, uint32_t n) {
    session->first_train = first;
    session->n_train = n;
}

int dun_session_has_classes(const dun_session *session, uint32_t first, uint32_t n) {
    int rc = DUN_OK;
    const uint32_t K = session->labels.n_classes;
    bool *there = NULL, missing = false;
    TRY_NEW(there, K);
    for (uint32_t i = first; i < first + n; i++)
        there[session->texts.label[i]] = true;
    for (uint32_t i = 0; i < session->first_valid; i++)
        missing |= !there[session->texts.label[i]];
    rc = !missing;
out:
    dun_free(there);
    return rc;
}
