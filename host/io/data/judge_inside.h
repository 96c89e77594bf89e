/* What judge.c and judge_tell.c share; nobody else includes this. */
#ifndef DUN_JUDGE_INSIDE_H
#define DUN_JUDGE_INSIDE_H

#include "io/data/column_names.h"
#include "io/data/column_stats.h"

/* A file that is judged. */
typedef struct {
    const char *name; /* of the file */
    dun_columns columns;
    bool is_table, is_json, header;
} dun_judging;

/* A column's name: of a header, or JSON's key; NULL without one. */
const char *dun_judging_title(const dun_judging *j, size_t column);
enum dun_name_match dun_judging_matches(const dun_judging *j, size_t column, enum dun_name_meaning meaning);

/* A column as --text and --label take it, newly allocated: its name where that is unique and no number, else
 * its number. */
int dun_judging_name(char **out, const dun_judging *j, size_t column);

/* DUN_USAGE, with the columns there are. `wanted`: a name that no column has; NULL: several could be meant.
 */
int dun_judging_refuse_name(const dun_judging *j, const char *wanted, const char *option);
/* DUN_BAD_INPUT: nothing could be the label, with what there is. */
int dun_judging_refuse_labels(const dun_judging *j);

/* DUN_BAD_INPUT: one JSON object, which has the records in a list. */
int dun_judging_check_wrapped(const dun_judging *j);
/* DUN_BAD_INPUT: no record has a text in the column, with what there is instead. No records are fine.
 * `wanted` is the name that was asked for, or NULL. */
int dun_judging_check_texts(const dun_judging *j, size_t column, const char *wanted);

#endif
