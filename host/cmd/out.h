/* Standard output, checked: data that did not get out is an error. When the reader of a pipe has gone, the
 * error has no message, since there is nobody whom it could help, and the process ends as the signal would
 * end it. */
#ifndef DUN_OUT_H
#define DUN_OUT_H

#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* To be called once, before anything is opened: makes a closed pipe and a file's largest size errors instead
 * of signals, and numbers 0 to 2 never become those of other files. */
void dun_out_init(void);

/* What is printed from now on is for whoever listens: when nobody does any more, the job goes on without. */
void dun_out_for_listeners(void);

/* DUN_FAILED: stdout cannot be written. What is written leaves at once unless stdout is a file. */
int dun_out_write(const char *bytes, size_t length);
int dun_out_text(const dun_str *text);
int dun_out_json(const json_t *value); /* one line */
int dun_out_flush(void);

/* The reader of stdout has gone; a listener who left does not count. */
bool dun_out_is_gone(void);

/* To be asked before work whose answer would be printed: DUN_FAILED without a message once the reader has
 * gone. */
int dun_out_wanted(void);

/* Writes out what there is and waits until `fd` has something to read, or its end. As dun_out_wanted when the
 * reader goes before. */
int dun_out_await(int fd);

#endif
