/* Makes a data set that borrows its texts, with labels as files have them. */
#include "io/data/given.h"

#include "base/err.h"
#include "base/mem.h"
#include "io/data/dataset_inside.h"

static int add_all(dun_dataset_reader *r, const dun_given *given) {
    int rc = DUN_OK;
    dun_dataset *dataset = r->dataset;
    TRY_NEW(dataset->examples, given->n);
    for (size_t i = 0; i < given->n; i++) {
        const double weight = r->options->training && given->weights ? given->weights[i] : 1;
        dun_example *example = &dataset->examples[dataset->n];
        if (!(weight > 0)) {
            dataset->n_weightless++;
            continue;
        }
        TRY(dun_labels_find(&example->label, r, given->labels[i], i));
        example->text = given->texts[i];
        example->length = given->lengths[i];
        example->weight = weight;
        dataset->weighted |= weight < 1 || weight > 1;
        example->line = given->lines ? given->lines[i] : (uint32_t)i + 1;
        dataset->n++;
    }
out:
    return rc;
}

static int require_classes(const dun_dataset *dataset, const dun_given *given) {
    if (dataset->n == 0 && dataset->n_weightless)
        return dun_error(DUN_BAD_INPUT, "the weight of every %s is 0; one above it is needed", given->name);
    for (size_t i = 1; i < dataset->n; i++)
        if (dataset->examples[i].label != dataset->examples[0].label)
            return DUN_OK;
    return dataset->n == 0
               ? dun_error(DUN_BAD_INPUT, "there is no %s; at least two, of different classes, are needed",
                           given->name)
               : dun_error(DUN_BAD_INPUT, "every %s has the label '%s'; at least two classes are needed",
                           given->name, given->labels[0]);
}

int dun_dataset_of_given(dun_dataset **out, dun_labels *labels, const dun_given *given, bool training) {
    int rc = DUN_OK;
    const dun_dataset_options options = {.training = training};
    dun_dataset_reader r = {
        .name = given->name, .options = &options, .labels = labels, .gather = labels->n_classes == 0};
    *out = NULL;
    if (given->n > INT32_MAX)
        TRY(dun_error(DUN_BAD_INPUT, "%zu %ss are too many; at most %d are possible", given->n, given->name,
                      INT32_MAX));
    TRY_NEW(r.dataset, 1);
    dun_labels_begin(labels);
    TRY(add_all(&r, given));
    r.dataset->tally.n_read = given->n;
    if (training)
        TRY(require_classes(r.dataset, given));
    if (r.gather)
        TRY(dun_labels_settle(labels, r.dataset));
    TRY(dun_labels_tell(&r));
    *out = r.dataset;
    r.dataset = NULL;
out:
    dun_dataset_free(r.dataset);
    if (rc < 0 && r.gather)
        dun_labels_free(labels);
    return rc;
}
