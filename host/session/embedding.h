/* The space of prompt rows: what enters a model's first block, after a scale of the embedding, before learned
 * positions and a norm of the embedding. */
#ifndef DUN_EMBEDDING_H
#define DUN_EMBEDDING_H

#include "io/model_file.h"

/* Rows of the embedding table in that space, (n_rows, C). */
int dun_embedding_rows(float *out, const dun_model_file *model, uint32_t first_row, uint32_t n_rows);

/* Standard deviation of all values of the table in that space. */
int dun_embedding_deviation(double *out, const dun_model_file *model);

/* By what a learning rate that is right for SmolLM2-135M is multiplied to be right for this model: the
 * quotient of their deviations; 1 where they differ by less than a tenth. */
int dun_embedding_rate(double *out, const dun_model_file *model);

/* What rows of PEFT's adapters are multiplied with to be in that space: where transformers scales embedded
 * rows, not the lookup, what it is given is not scaled yet. */
float dun_embedding_peft_scale(const dun_spec *spec);

#endif
