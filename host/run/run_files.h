/* The files that a run read: where they were, for who uses the run later, from another folder or moved. */
#ifndef DUN_RUN_FILES_H
#define DUN_RUN_FILES_H

#include "config/config.h"

#include <jansson.h>

/* {"model.path": "/full/path", ...} of the keys that name files which are read. A new object; NULL with the
 * error recorded. */
json_t *dun_run_files_json(const dun_config *config);

/* Fills config.recorded for the config of config.run as its file has it: from metrics.json, or for a run that
 * is not finished from the working folder that it was begun in. */
int dun_run_files_read(dun_config *config);

/* The same from the text of metrics.json, or for NULL nothing. */
int dun_run_files_take(dun_config *config, const dun_str *metrics);

#endif
