/* What `dunlin help NAME` knows besides the commands: topics for people, and texts that are made from the
 * tables when dunlin is built: man pages and completions. */
#ifndef DUN_TOPICS_H
#define DUN_TOPICS_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    const char *name, *summary;
    const char *text;         /* paragraphs, wrapped when shown; NULL: none */
    const char *section;      /* of the config, whose keys follow; "*": of all; NULL: none */
    int (*add)(dun_str *out); /* appends more; NULL: nothing */
    bool generated;           /* a file for other programs: not among the topics for people */
} dun_topic;

/* Ends with a row without a name. */
extern const dun_topic dun_topics[];

/* NULL: no such topic. */
const dun_topic *dun_topic_find(const char *name);

/* Appends a topic as the terminal shows it. */
int dun_topic_print(dun_str *out, const dun_topic *topic);

/* Appends the help of one key, "prompt.lr"; DUN_USAGE: no such key. */
int dun_topic_print_key(dun_str *out, const char *name);

/* Files of a run, variables, exit codes: rows of name and meaning, the last without a name. */
typedef struct {
    const char *name, *meaning;
} dun_topic_row;
extern const dun_topic_row dun_run_files[], dun_environment_rows[], dun_exit_rows[], dun_selector_rows[];

#endif
