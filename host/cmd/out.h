/* Standard output, checked: data that did not get out is an error. When the reader of a pipe has gone, the
 * error has no message, since there is nobody whom it could help. */
#ifndef DUN_OUT_H
#define DUN_OUT_H

#include "base/str.h"

#include <jansson.h>
#include <stddef.h>

/* To be called once, before anything is opened: makes a closed pipe an error instead of a signal, lines leave
 * at once unless stdout is a file, and numbers 0 to 2 never become those of other files. */
void dun_out_init(void);

/* DUN_FAILED: stdout cannot be written. */
int dun_out_write(const char *bytes, size_t length);
int dun_out_text(const dun_str *text);
int dun_out_json(const json_t *value); /* one line */
int dun_out_flush(void);

#endif
