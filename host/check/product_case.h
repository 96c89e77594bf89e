/* One case of a product with a frozen weight, however that was loaded: its kinds, and the comparison. */
#ifndef DUN_PRODUCT_CASE_H
#define DUN_PRODUCT_CASE_H

#include "check/check.h"

/* What a product is asked for besides the product itself. */
typedef struct {
    const char *name;
    bool backward, add, in_place, offset, bias;
} dun_product_kind;

extern const dun_product_kind dun_product_kinds[];
enum { DUN_N_PRODUCT_KINDS = 10 };

/* What multiplies, for messages: the provider, or precision and variant. */
const char *dun_check_products(const dun_check *c);

/* An empty matrix that the case frees. NULL: stopped. */
dun_matrix *dun_check_matrix(dun_check *c);

/* M rows times the weight of (rows, columns) that `w` holds as numbers and the matrix, loaded in the kind's
 * direction, as the device has them: against loops in double. What it gave; NULL: stopped. */
dun_check_tensor *dun_check_product(dun_check *c, const dun_product_kind *kind, const dun_matrix *matrix,
                                    const double *w, int M);

#endif
