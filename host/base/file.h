/* Whole files: mapped for reading, and written so that they last (temp file in the same folder, fsync,
 * rename, fsync of the folder). Folders and devices are refused with the errno text. */
#ifndef DUN_FILE_H
#define DUN_FILE_H

#include "base/str.h"
#include <stdbool.h>

#include <stddef.h>
#include <stdint.h>

/* A read-only view of a file's bytes. */
typedef struct {
    const uint8_t *bytes; /* NULL for an empty file */
    size_t length;
} dun_file;

/* Maps a regular file. DUN_BAD_INPUT: absent, unreadable, a folder, FIFO or device. */
int dun_file_map(dun_file *file, const char *path);
void dun_file_unmap(dun_file *file);

/* Replaces the file at `path` by `length` bytes atomically; on failure (DUN_FAILED) the old file is intact
 * and no temp file stays. Its mode and owner stay; a link stays, and the file behind it is replaced. What is
 * no regular file, a device or a FIFO, is written, and so is a file that standard output goes to. A file that
 * may not be written is not replaced either. */
int dun_file_write(const char *path, const void *bytes, size_t length);

/* Writes a file of that name as a whole, unless there is one: of many that try at once, on one machine or on
 * several that share the folder, one has *made it. DUN_FAILED: also where the file system has no hard links.
 */
int dun_file_write_new(bool *made, const char *path, const void *bytes, size_t length);

/* Creates a folder and its missing parents; fine if it exists. DUN_FAILED with the errno text. */
int dun_dir_make(const char *path);

/* The same; so many bytes of the path are a folder that was *there before. */
int dun_dir_make_new(size_t *there, const char *path);

/* Removes a folder and its parents again, as far as they were not there before and are empty. */
void dun_dir_remove_new(const char *path, size_t there);

/* Creates a folder that is nobody else's, and its missing parents; *made is false where something stands
 * there already. DUN_FAILED with the errno text. */
int dun_dir_claim(bool *made, size_t *there, const char *path);

/* DUN_FAILED: the disk that the folder is on has less than so many bytes free for this user. A file system
 * that does not tell is trusted. */
int dun_disk_require(const char *folder, uint64_t bytes);
bool dun_dir_exists(const char *path);

/* Creates a folder of its own under $TMPDIR, else /tmp: "dunlin-PURPOSE-" and six letters; its path is
 * appended to `out`. The caller removes it. DUN_FAILED with the errno text. */
int dun_dir_temporary(dun_str *out, const char *purpose);

#endif
