/* Included before every file that tools/lint gives to clang-tidy, which sees one file at a time: tells it
 * that dun_error returns its status, so that TRY(dun_error(...)) is known to leave the function. */
#ifndef DUN_LINT_H
#define DUN_LINT_H

#include "../host/base/err.h"

#define dun_error(status, ...) ((void)dun_error(status, __VA_ARGS__), (int)(status))

#endif
