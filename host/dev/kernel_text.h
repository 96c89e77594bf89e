/* The kernels' text: kernels.cl with all that it includes, as it lies in the program or on disk, and one
 * topic of it. */
#ifndef DUN_KERNEL_TEXT_H
#define DUN_KERNEL_TEXT_H

#include "base/str.h"

#include <stdint.h>

/* The embedded text, zero-terminated. */
const char *dun_kernel_text(void);

/* The text in use: the embedded one, or what DUNLIN_KERNELS names, which `read` then holds. DUN_BAD_INPUT: no
 * such file. */
int dun_kernel_text_find(const char **text, dun_str *read);

/* The hash of the text in use, by which programs of other kernels are told apart. */
int dun_kernel_text_hash(uint64_t *hash);

/* Appends what one topic is compiled from: the lines before the first `#pragma topic`, then those after
 * `#pragma topic NAME` up to the next. DUN_BAD_INPUT: the text has no such topic. */
int dun_kernel_text_topic(dun_str *out, const char *text, const char *topic);

#endif
