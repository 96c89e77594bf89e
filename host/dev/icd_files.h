/* The .icd files through which the OpenCL loader finds drivers: one line each, the path or name of a library.
 */
#ifndef DUN_ICD_FILES_H
#define DUN_ICD_FILES_H

#include "base/str.h"

typedef struct {
    char *path;
    char *line; /* the first, as the loader takes it: without its LF, but with all else; NULL: it cannot be
                   read */
} dun_icd_file;

typedef struct {
    dun_icd_file *files; /* by name */
    size_t n;
} dun_icd_files;

/* Those of the folder (or the one file) that OCL_ICD_VENDORS names, else of /etc/OpenCL/vendors; none when it
 * cannot be read. */
int dun_icd_files_find(dun_icd_files *out);
void dun_icd_files_free(dun_icd_files *files);

/* Appends what keeps a driver that gave no platform from it: a line that is no path ("ends with a carriage
 * return"), a library that the system does not load, in the system's own words. It loads the library: only
 * for those that the loader has tried before. */
int dun_icd_file_explain(dun_str *out, const dun_icd_file *file);

#endif
