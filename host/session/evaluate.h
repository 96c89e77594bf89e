/* Nearest centroid: distances and predictions for texts, and their metrics. */
#ifndef DUN_EVALUATE_H
#define DUN_EVALUATE_H

#include "learn/loss.h"
#include "math/metrics.h"
#include "session/projection.h"
#include "session/session.h"

/* Distances (n, K) of texts first .. first + n - 1 under the prompt in use to centroids (K, D) on the device.
 * DUN_FAILED: one is not finite, so that its text has no nearest centroid. */
int dun_evaluate(float *distances, dun_session *session, const dun_pass *pass, dun_loss *loss,
                 const dun_buffer *centroids, uint32_t first, uint32_t n, const char *stage);

/* The same for the validation texts, their points kept. What is not finite is the caller's to find: in the
 * middle of a training it has another cause. */
int dun_evaluate_valid(float *distances, dun_kept_points *kept, dun_session *session, const dun_pass *pass,
                       dun_loss *loss, const dun_buffer *centroids, const char *stage);

/* DUN_FAILED when one of n texts' distances (n, K) is not finite: it would be nobody's, or everybody's. The
 * message counts the texts of this kind ("validation") from `first` on. */
int dun_distances_check(const float *distances, uint32_t n, uint32_t K, const char *kind, uint32_t first);

/* Index of the smallest of K distances; the lower one of equals. */
uint32_t dun_nearest_centroid(const float *distances, uint32_t K);

/* Adds the validation texts to `metrics` from their distances (n_valid, K), and finishes it. */
void dun_evaluate_metrics(dun_metrics *metrics, const dun_session *session, const float *distances);

/* Mean over the validation texts of -log of the probability that their distances (n_valid, K), by softmax of
 * -distance / loss.temperature, give the right class; classes weigh as in training. Of cross-entropy without
 * a margin it is the loss itself. NAN: there is no text, or only such as weigh nothing. */
double dun_evaluate_loss(const dun_session *session, const float *distances);

#endif
