/* GET /metrics of dunlin serve: what is counted, in Prometheus' text format. */
#ifndef DUN_SERVE_METRICS_H
#define DUN_SERVE_METRICS_H

#include "base/str.h"
#include "cmd/serve/serve_shared.h"

/* Appends the samples of all workers together. */
int dun_serve_metrics(dun_str *out, const dun_serve_shared *shared);

#endif
