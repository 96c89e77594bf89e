/* What a dunlin_run is: the files of a run, and the session that answers. */
#ifndef DUN_API_RUN_H
#define DUN_API_RUN_H

#include "api/api.h"
#include "run/experiment.h"
#include "session/classifier.h"

struct dunlin_run {
    dun_handle handle;
    dun_kept kept;   /* config.ini, prompt.safetensors, metrics.json, history.jsonl, tables */
    char *directory; /* where it lies, or was trained; NULL: nowhere */
    dun_experiment experiment;
    dun_classifier classifier;
};

/* Files of a run that are taken along; and those of them that go into bytes, which hold no texts. */
extern const char *const dun_run_kept_names[], *const dun_run_byte_names[];

/* A new run, known but used by the call that makes it; NULL with the error recorded. */
dunlin_run *dun_api_run_begin(void);

/* Opens the run whose files are kept: session, engine and centroids. `device` NULL: the run's. */
int dun_api_run_open(dunlin_run *run, const char *device);

/* The end of a call that makes a run: it is handed out, or with rc < 0 freed, the error kept. */
int dun_api_run_end(dunlin_run **out, dunlin_run *run, int rc);

#endif
