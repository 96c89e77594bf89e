/* The stratified split: classes are shuffled one by one, and equal texts move as one. */
#include "io/data/split.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "io/data/doubles.h"

typedef struct {
    dun_split *split;
    bool tell; /* of classes with one text */
    const dun_dataset *data;
    uint32_t *first;   /* [n] of equal texts the first */
    uint32_t *n_equal; /* [n] how many a first one stands for */
    uint32_t *members; /* [n] the first ones, class by class, each in the order of the file */
    uint32_t *start;   /* [K+1] of a class in `members` */
    uint32_t *order;   /* [n] scratch */
} job;

/* The first ones by class; of an equal text with another label the first one's label counts. */
static void sort_by_class(job *j, uint32_t n_classes) {
    const dun_example *examples = j->data->examples;
    for (size_t i = 0; i < j->data->n; i++)
        if (j->first[i] == i)
            j->start[examples[i].label]++;
    for (uint32_t k = 1; k <= n_classes; k++) /* where each class ends, */
        j->start[k] += j->start[k - 1];
    for (size_t i = j->data->n; i-- > 0;) /* and from there to where it begins */
        if (j->first[i] == i)
            j->members[--j->start[examples[i].label]] = (uint32_t)i;
}

/* Of n members in random order those that fit into `wanted` texts, but not all; if none does, the one that
 * stands for fewest. */
static void take(job *j, const uint32_t *members, uint32_t n, uint32_t wanted) {
    uint32_t texts = 0, n_taken = 0, fewest = members[j->order[0]];
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t member = members[j->order[i]], equal = j->n_equal[member];
        if (equal < j->n_equal[fewest])
            fewest = member;
        if (texts + equal > wanted || n_taken == n - 1)
            continue;
        j->split->to_valid[member] = true;
        texts += equal;
        n_taken++;
    }
    if (n_taken == 0)
        j->split->to_valid[fewest] = true;
}

static void split_class(job *j, const uint32_t *members, uint32_t n, uint32_t class_id, double share,
                        uint64_t seed, const char *name) {
    uint32_t n_texts = 0;
    for (uint32_t i = 0; i < n; i++)
        n_texts += j->n_equal[members[i]];
    const uint32_t wanted = (uint32_t)((double)n_texts * share + 0.5);
    dun_random_shuffle(j->order, n, seed, DUN_STREAM_SPLIT, class_id);
    if (n > 1)
        take(j, members, n, wanted > 0 ? wanted : 1);
    else if (n == 1 && j->tell)
        dun_warn("%s:%u: the only text of its class%s; none is left to validate with", name,
                 j->data->examples[members[0]].line, n_texts > 1 ? ", several times" : "");
}

static int make(dun_split *split, const dun_dataset *dataset, uint32_t n_classes, double share, uint64_t seed,
                const char *name, bool tell) {
    int rc = DUN_OK;
    job j = {.split = split, .tell = tell, .data = dataset};
    const size_t n = dataset->n;
    *split = (dun_split){0};
    TRY_NEW(split->to_valid, n);
    TRY_NEW(j.first, n);
    TRY_NEW(j.n_equal, n);
    TRY_NEW(j.members, n);
    TRY_NEW(j.start, (size_t)n_classes + 1);
    TRY_NEW(j.order, n);
    TRY(dun_doubles_find(j.first, dataset));
    for (size_t i = 0; i < n; i++)
        j.n_equal[j.first[i]]++;
    sort_by_class(&j, n_classes);
    for (uint32_t k = 0; k < n_classes; k++) {
        const uint32_t begin = j.start[k];
        split_class(&j, j.members + begin, j.start[k + 1] - begin, k, share, seed, name);
    }
    for (size_t i = 0; i < n; i++) {
        split->to_valid[i] = split->to_valid[j.first[i]];
        split->n_valid += split->to_valid[i];
        split->n_doubles += j.first[i] != i;
    }
out:
    dun_free(j.order);
    dun_free(j.start);
    dun_free(j.members);
    dun_free(j.n_equal);
    dun_free(j.first);
    if (rc < 0)
        dun_split_free(split);
    return rc;
}

int dun_split_make(dun_split *split, const dun_dataset *dataset, uint32_t n_classes, double share,
                   uint64_t seed, const char *name) {
    int rc = DUN_OK;
    TRY(make(split, dataset, n_classes, share, seed, name, true));
    if (split->n_valid == 0)
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: no class has two different texts; more are needed, or a file to validate with",
                      name));
out:
    if (rc < 0)
        dun_split_free(split);
    return rc;
}

/* A class of which all texts, or none, are to be validation's. */
static int refuse_one_sided(const char *name, const char *class_name, uint32_t n, uint32_t n_valid) {
    return dun_error(
        DUN_BAD_INPUT,
        "%s: class \"%s\" would be left out of the %s texts (%u of its %u texts would be split off); "
        "two different texts of every class are needed, or a file to validate with",
        name, class_name, n_valid ? "training" : "validation", n_valid, n);
}

int dun_split_make_whole(dun_split *split, const dun_dataset *dataset, const dun_labels *labels, double share,
                         uint64_t seed, const char *name) {
    int rc = DUN_OK;
    uint32_t *all = NULL, *valid = NULL;
    const uint32_t K = labels->n_classes;
    TRY(make(split, dataset, K, share, seed, name, false));
    TRY_NEW(all, K);
    TRY_NEW(valid, K);
    for (size_t i = 0; i < dataset->n; i++) {
        all[dataset->examples[i].label]++;
        valid[dataset->examples[i].label] += split->to_valid[i];
    }
    for (uint32_t k = 0; k < K; k++)
        if (all[k] && (valid[k] == 0 || valid[k] == all[k]))
            TRY(refuse_one_sided(name, labels->names[k], all[k], valid[k]));
out:
    dun_free(valid);
    dun_free(all);
    if (rc < 0)
        dun_split_free(split);
    return rc;
}

void dun_split_free(dun_split *split) {
    dun_free(split->to_valid);
    *split = (dun_split){0};
}
