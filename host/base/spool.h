/* Bytes that come one after another, more than memory should hold, until all of them are there: kept in a
 * file without a name, which goes with the process. */
#ifndef DUN_SPOOL_H
#define DUN_SPOOL_H

#include <stddef.h>
#include <stdint.h>

/* Zeros are one that is not open. */
typedef struct {
    const char *path; /* whose bytes they will be, for messages; NULL: not open */
    int fd;
    uint64_t bytes;
    void *mapped;
} dun_spool;

/* On the disk where the file `path`, which stays the caller's, will be; for "-", or where none can be made
 * there, in the folder for temporary files. DUN_FAILED with the errno text. */
int dun_spool_open(dun_spool *spool, const char *path);

/* At the end; over what is at the beginning. DUN_FAILED with the errno text: the disk is full, ... */
int dun_spool_add(dun_spool *spool, const void *bytes, size_t length);
int dun_spool_patch(dun_spool *spool, const void *bytes, size_t length);

/* All of it, valid until it is closed; NULL where it is empty. */
int dun_spool_map(const void **bytes, dun_spool *spool);

/* Fine when it is not open. */
void dun_spool_close(dun_spool *spool);

#endif
