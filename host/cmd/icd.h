/* The drivers that the OpenCL loader would load, tried one by one in processes of their own: one that crashes
 * or hangs while it is loaded would take every OpenCL program down. */
#ifndef DUN_ICD_H
#define DUN_ICD_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    char *path;    /* the .icd file */
    char *problem; /* "crashes (Segmentation fault)"; NULL: it works */
    bool fatal;    /* it takes down the programs that load it */
} dun_icd;

typedef struct {
    dun_icd *icds;
    size_t n;
    char *folder; /* of links to the drivers that work, which the loader now uses; NULL: its own */
} dun_icds;

/* Tries every .icd file of the loader's folder, before this process loads any; when one crashes or hangs, the
 * loader is pointed at the others alone. */
int dun_icds_try(dun_icds *icds);
void dun_icds_free(dun_icds *icds);

/* True in a process that dun_icds_try started: it lists and does not try again. */
bool dun_icds_trying(void);

#endif
