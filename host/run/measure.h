/* What an experiment is asked without training it: how good it is on its validation texts, and their points.
 */
#ifndef DUN_MEASURE_H
#define DUN_MEASURE_H

#include "run/experiment.h"
#include "session/evaluate.h"

/* Metrics on the validation texts: of a run's prompt and centroids, or of the class means of a config's
 * training texts under its starting prompt. Reads the data and starts the engine. DUN_BAD_INPUT: the run has
 * other classes than its data. `metrics` is zeroed, for dun_metrics_free in any case. */
int dun_experiment_measure(dun_metrics *metrics, dun_experiment *experiment);

/* Writes the points of the validation texts, `points` F32 (texts, width) and `labels` I64 (texts), for NumPy
 * if the name ends in .npz, else as safetensors. Reads the data and starts the engine likewise. */
int dun_experiment_points(dun_experiment *experiment, const char *path);

#endif
