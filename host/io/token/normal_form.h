/* Unicode's normal forms, a segment at a time. */
#ifndef DUN_NORMAL_FORM_H
#define DUN_NORMAL_FORM_H

#include "base/str.h"
#include "io/token/description.h"

typedef struct dun_normal_form dun_normal_form;

/* `form` is one of DUN_EDIT_NFC to DUN_EDIT_NFKD. */
int dun_normal_form_create(dun_normal_form **out, enum dun_edit_kind form);
void dun_normal_form_free(dun_normal_form *normal);

/* Bytes of the segment at the front of `length` >= 1 bytes of valid UTF-8: a character and the marks behind
 * it, which are normalised alone. */
size_t dun_normal_form_segment(const char *text, size_t length);

/* Appends a segment in normal form. */
int dun_normal_form_add(dun_str *out, dun_normal_form *normal, const char *segment, size_t length);

#endif
