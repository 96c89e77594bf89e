/* Rows of floats, one a text, as the file that a command was asked for. */
#ifndef DUN_ROWS_H
#define DUN_ROWS_H

#include "cmd/shell/options.h"
#include "io/data/asked.h"
#include "session/vectors.h"

/* Opens the texts of FILE|- with the options --input and --text, as `dunlin classify` does; `config` says
 * which column the texts of training had. */
int dun_rows_ask(dun_asked **out, const char *file, const dun_args *args, const dun_config *config);

/* Runs them all and writes `path`: .npz or .safetensors with `points` F32 (n, D), else .npy; "-": an .npy on
 * standard output. Nothing is written before all of them are done. */
int dun_rows_write(const char *path, dun_vectors *vectors, dun_asked *asked);

/* The option rows of what dun_rows_ask reads. */
#define DUN_ROWS_OPTIONS                                                                                     \
    {.name = "input",                                                                                        \
     .argument = "lines|tsv|jsonl",                                                                          \
     .one_of = true,                                                                                         \
     .help = "Take FILE as lines, whatever its name: each a text, a text up to the first tab, or an object " \
             "with a text."},                                                                                \
    {                                                                                                        \
        .name = "text", .argument = "COLUMN",                                                                \
        .help = "Column of the texts: a name, a number from 0, or a JSON key (--input jsonl: \"text\"). "    \
                "Else the one that looks like texts."                                                        \
    }

#endif
