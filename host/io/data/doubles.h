/* Texts that come again: in one data set, in two, with other labels. */
#ifndef DUN_DOUBLES_H
#define DUN_DOUBLES_H

#include "io/data/dataset.h"

/* For every text the index of the first that equals it but for blanks around it: first[n]; its own when none
 * came before it. */
int dun_doubles_find(uint32_t *first, const dun_dataset *dataset);

/* Warns of texts that stand in both data sets, with their share of `valid`, and of texts that have other
 * labels elsewhere. `valid` may be NULL. The names are the files'. */
int dun_doubles_tell(const dun_dataset *train, const char *train_name, const dun_dataset *valid,
                     const char *valid_name, const dun_labels *labels);

#endif
