/* Which texts of a data set are kept to validate with. */
#ifndef DUN_SPLIT_H
#define DUN_SPLIT_H

#include "io/data/dataset.h"

typedef struct {
    bool *to_valid; /* [n] of the data set's texts */
    uint32_t n_valid;
    uint32_t n_doubles; /* texts that came before, and are where those are */
} dun_split;

/* About `share` (above 0, below 1) of every class with two different texts or more, at least one; which ones
 * depends on the order of the file and on the seed. Texts that are equal but for blanks around them stay on
 * one side, whatever their labels. Warns of classes that leave none to validate with; DUN_BAD_INPUT, with
 * `name`, the file's, when none does. */
int dun_split_make(dun_split *split, const dun_dataset *dataset, uint32_t n_classes, double share,
                   uint64_t seed, const char *name);

/* The same where every class that has a text must be on both sides: DUN_BAD_INPUT names one that would not
 * be. */
int dun_split_make_whole(dun_split *split, const dun_dataset *dataset, const dun_labels *labels, double share,
                         uint64_t seed, const char *name);
void dun_split_free(dun_split *split);

#endif
