/* Whether output will have a place: asked before anything is computed, so that what cannot be written is said
 * at once and not after an hour. To ask changes nothing and promises nothing; the write itself still tells.
 */
#ifndef DUN_PLACE_H
#define DUN_PLACE_H

#include "base/str.h"

#include <stdbool.h>

/* DUN_FAILED with the errno text: no file can be written there, for it is a folder, may not be written, or
 * its folder is not there or may not be written. */
int dun_place_for_file(const char *path);

/* DUN_FAILED likewise: neither is it a folder that may be written, nor can it be made with its parents. */
int dun_place_for_folder(const char *path);

/* What a folder holds. Names that begin with a dot are not asked for: such files are put into folders by
 * systems and tools, and none of ours is called so, but for marks. */
typedef struct {
    size_t n;        /* without those that `skip` knows */
    char first[256]; /* of these, the first in byte order; "": none */
} dun_place_content;

/* Looks through a folder; nothing where there is none. `skip` NULL: knows none. DUN_FAILED: it cannot be
 * read. */
int dun_place_look(dun_place_content *content, const char *folder,
                   bool (*skip)(const void *self, const char *name), const void *self);

/* A folder that may be written or made, and holds nothing but those of the n files in it (NULL: no file).
 * DUN_FAILED otherwise, naming what it holds. */
int dun_place_for_files(const char *folder, const char *const *files, size_t n);

#endif
