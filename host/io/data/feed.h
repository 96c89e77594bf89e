/* Text as it comes, from a file, a pipe, a terminal or memory: unpacked and decoded as io/data/text_file.h
 * does it with whole files, by the first bytes alone, and without waiting for more than is needed. */
#ifndef DUN_FEED_H
#define DUN_FEED_H

#include <stdbool.h>
#include <stddef.h>

typedef struct dun_feed dun_feed;

/* `path` "-" is standard input. DUN_BAD_INPUT with the errno text. */
int dun_feed_open(dun_feed **out, const char *path);

/* From bytes that stay where they are. Packed ones are refused: what they unpack to has no bound here. */
int dun_feed_of(dun_feed **out, const void *bytes, size_t length, const char *name);

/* 1 with the next part, valid until the next call and perhaps empty; 0 at the end; or a status. It is text
 * but for bytes that are none. DUN_BAD_INPUT: what cannot be read, is no text by its first bytes, or is
 * damaged. */
int dun_feed_next(const char **bytes, size_t *length, dun_feed *s);

/* Would dun_feed_next wait for whoever writes? */
bool dun_feed_waits(const dun_feed *s);

int dun_feed_fd(const dun_feed *s);           /* to wait for; -1 of memory */
const char *dun_feed_name(const dun_feed *s); /* the path, or "stdin" */
void dun_feed_close(dun_feed *s);

#endif
