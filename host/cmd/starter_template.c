/* The template of the config that `dunlin init` writes; see starter.h. A model that has seen what is asked
 * gives points that are easier to sort, and what stands before every text is run once. */
#include "cmd/starter.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of an example: what is shown should look like a text, and not take long. */
enum { SHORTEST = 12, USUAL = 50, LONGEST = 100, MOST_CLASSES = 8 };

static bool is_plain(const dun_example *example) {
    for (size_t i = 0; i < example->length; i++)
        if ((unsigned char)example->text[i] < ' ')
            return false;
    return example->length >= SHORTEST && example->length <= LONGEST;
}

/* The training text of a class whose length is nearest to the usual one; NULL: none is short enough. */
static const dun_example *example_of(const dun_starter *starter, uint32_t class_id) {
    const dun_example *best = NULL;
    for (size_t i = 0; i < starter->dataset->n; i++) {
        const dun_example *one = &starter->dataset->examples[i];
        if (one->label != class_id || (starter->to_valid && starter->to_valid[i]) || !is_plain(one))
            continue;
        if (!best || labs((long)one->length - USUAL) < labs((long)best->length - USUAL))
            best = one;
    }
    return best;
}

/* Text as a template holds it: braces doubled. */
static int add_plain(dun_str *out, const char *text) {
    int rc = DUN_OK;
    for (; *text; text++) {
        TRY(dun_str_add(out, text, 1));
        if (*text == '{' || *text == '}')
            TRY(dun_str_add(out, text, 1));
    }
out:
    return rc;
}

int dun_starter_template(dun_str *out, const dun_starter *starter) {
    int rc = DUN_OK;
    const dun_labels *labels = starter->labels;
    bool shows = labels->n_classes <= MOST_CLASSES;
    size_t bytes = 0;
    for (uint32_t k = 0; k < labels->n_classes && shows; k++) {
        const dun_example *example = example_of(starter, k);
        shows = example != NULL;
        bytes += shows ? example->length + strlen(labels->names[k]) + strlen("Text:  Label: \n") : 0;
    }
    shows = shows && bytes <= starter->context / 4; /* a token has at least one byte */
    for (uint32_t k = 0; k < labels->n_classes && shows; k++) {
        TRY(dun_str_addf(out, "Text: "));
        TRY(add_plain(out, example_of(starter, k)->text));
        TRY(dun_str_addf(out, " Label: "));
        TRY(add_plain(out, labels->names[k]));
        TRY(dun_str_addf(out, "\n"));
    }
    TRY(dun_str_addf(out, "Text: {text} Label:{soft}"));
out:
    return rc;
}
