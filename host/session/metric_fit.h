/* The first values of the metric, and of the normalisation before it. */
#ifndef DUN_METRIC_FIT_H
#define DUN_METRIC_FIT_H

#include "session/session.h"

/* Where the config asks for a metric that has no values yet: gives it those that metric.start names, and fits
 * the normalisation if that is not done, from the training texts under the prompt in use; of very many, from
 * some, evenly spread (DUN_PROJECTION_POINTS). */
int dun_metric_fit(dun_session *session, const dun_pass *pass);

#endif
