/* Files of results that a comparison writes (--save) and runs again (--verify). */
#ifndef DUN_COMPARE_FILES_H
#define DUN_COMPARE_FILES_H

#include "cmd/compare.h"
#include "cmd/shell/options.h"
#include "run/experiment.h"

enum { DUN_COMPARE_SETS = 3 };

typedef struct {
    const char *save, *verify;      /* paths; NULL: not wanted */
    json_t *read;                   /* what --verify names */
    dun_str sets[DUN_COMPARE_SETS]; /* that it was made with */
    json_t *work;                   /* of the config; NULL: nobody asked */
    json_t *verdicts;               /* of the devices, as dun_compare_verify makes them */
    dun_str said;                   /* for people, below the table */
    dun_str missing;                /* devices without a result, and why */
    bool wrong;                     /* one of the verdicts */
} dun_compare_files;

/* What the command line asks for: --verify is read, and its setup put below the overrides; whether --save has
 * a place is looked at. To be freed whatever is returned. */
int dun_compare_files_open(dun_compare_files *files, const dun_args *args, dun_overrides *overrides);
void dun_compare_files_free(dun_compare_files *files);

/* Finds the work of the config, without any device, unless it was found. */
int dun_compare_files_work(dun_compare_files *files, const dun_config *config, const dun_observer *observer);

/* Writes the file of each device that was measured, FILE.json, or FILE-1.json and on where there are several;
 * makes the verdicts. Device number i is infos[chosen[i]], results[i] what came of it. */
int dun_compare_files_make(dun_compare_files *files, const json_t *results, const dun_device_info *infos,
                           const uint32_t *chosen, size_t n, const dun_config *config);

#endif
