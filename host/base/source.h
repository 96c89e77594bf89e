/* Kernel sources on disk: one text with `#include "..."` lines resolved relative to the including file and
 * #line marks, as tools/embed.c makes it at build time. Shared with that tool. */
#ifndef DUN_SOURCE_H
#define DUN_SOURCE_H

#include "base/str.h"

/* DUN_BAD_INPUT: a file that cannot be read, or includes deeper than 16. */
int dun_source_read(dun_str *out, const char *path);

#endif
