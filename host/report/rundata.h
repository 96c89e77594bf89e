/* A finished run as data for its pictures: everything comes from the files of its folder. */
#ifndef DUN_RUNDATA_H
#define DUN_RUNDATA_H

#include "base/file.h"
#include "base/str.h"
#include "run/trajectory.h"
#include "session/projection.h"

#include <jansson.h>
#include <stdbool.h>

/* A moment of training in the plane. */
typedef struct {
    uint64_t step; /* the batch's; of the last frame, which has no batch, that after the last step */
    uint32_t n;    /* points */
    int32_t labels[DUN_TRAJECTORY_POINTS];
    float points[2 * DUN_TRAJECTORY_POINTS]; /* (n, 2) */
    float *centroids;                        /* (K, 2) */
} dun_scene;

typedef struct {
    const char *path; /* borrowed */
    json_t *metrics;  /* metrics.json */
    dun_file config;  /* config.ini */
    dun_file rows;    /* predictions.tsv */
    dun_str history;  /* history.jsonl as JSON: {"step": [..], "epoch", "loss", "accuracy", "valid": [[step,
                          accuracy]..], "valid_loss": [[step, loss]..]}, long ones thinned to means */
    bool has_points;  /* there is a projection */
    dun_projection projection;
    dun_scene *scenes; /* [n_scenes]; without a trajectory none */
    uint32_t n_scenes;
    char **classes; /* [K] names */
    uint32_t n_classes;
} dun_run_data;

/* DUN_BAD_INPUT: not the folder of a finished run, or a damaged file of it. */
int dun_run_data_read(dun_run_data *data, const char *run_path);
void dun_run_data_free(dun_run_data *data);

/* Line of the data file and text of a row of predictions.tsv; `next` walks the file, start with 0. 1: read,
 * 0: no more. */
typedef struct {
    size_t at;
    int text_column;
    uint64_t n_read;
} dun_row_walk;

int dun_run_data_row(const char **text, size_t *length, uint64_t *line, dun_row_walk *walk,
                     const dun_run_data *data);

#endif
