/* What the centroids start as, and the class means that are also the untrained baseline. */
#ifndef DUN_CENTROID_H
#define DUN_CENTROID_H

#include "session/session.h"

/* Mean point of every class over the training texts under the prompt in use, each as often as it weighs: (K,
 * D), sums in double, in blocks (DUN_BLOCK_TEXTS). A class without a training text keeps zeros. Where the
 * config asks for a normalisation that is fitted and not yet is, this pass fits it, and the means, and the
 * points in the pass's sink, are normalised. A metric without values gets them before that. */
int dun_centroid_means(float *means, dun_session *session, const dun_pass *pass);

/* Starting centroids (K, D) of the config; `means` as above. DUN_BAD_INPUT: a class without a training text
 * where the start needs one. */
int dun_centroid_start(float *centroids, dun_session *session, const float *means);

#endif
