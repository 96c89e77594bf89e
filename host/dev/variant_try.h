/* Whether a variant of the products (parts.h) works on a device, found out in another process: compilers have
 * crashed over its instructions, and units have computed wrong. */
#ifndef DUN_VARIANT_TRY_H
#define DUN_VARIANT_TRY_H

#include "base/str.h"
#include "dev/device.h"

/* The answer, kept in the cache until device, driver, the loader's files, the drivers' variables or the
 * kernels change: the program dunlin computes a few products with it whose every bit is known. False: it does
 * not work, and *why gets what is known of that; so it is where there is no program dunlin. */
bool dun_variant_try(dun_str *why, const dun_device_info *info, const char *variant);

/* What fails later, in a self-test, is no choice any more. */
void dun_variant_put_aside(const dun_device_info *info, const char *variant, const char *why);

/* What that program does. DUN_BAD_DEVICE: an answer is wrong. */
int dun_variant_try_here(const char *selector, const char *variant);

/* That, or for a number what driver_try.h has for it: the second operand of `dunlin try-driver`. */
int dun_variant_try_word(const char *selector, const char *word);

#endif
