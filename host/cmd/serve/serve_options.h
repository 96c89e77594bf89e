/* The options of dunlin serve, apart from what they start. */
#ifndef DUN_SERVE_OPTIONS_H
#define DUN_SERVE_OPTIONS_H

#include "cmd/shell/options.h"

extern const dun_option dun_serve_option_rows[]; /* ends with a row without a name */

#endif
