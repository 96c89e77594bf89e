/* Names that people give to the columns of a file of texts, and what they tell of a column. */
#ifndef DUN_COLUMN_NAMES_H
#define DUN_COLUMN_NAMES_H

#include <stddef.h>

/* How a name speaks for a meaning: not at all; one of its words does ("airline_sentiment", "reviewText"); the
 * whole name does ("sentiment", "Review Text"). */
enum dun_name_match { DUN_NAME_NO, DUN_NAME_WORD, DUN_NAME_WHOLE };

/* What a column holds: texts; labels; what stands beside them (numbers of rows, dates, counts, people,
 * places, how sure somebody was). */
enum dun_name_meaning { DUN_NAME_TEXT, DUN_NAME_LABEL, DUN_NAME_ASIDE, DUN_N_NAME_MEANINGS };

/* Words of a name end at what is neither letter nor digit, and before a capital behind a small letter; case
 * does not count. */
enum dun_name_match dun_name_matches(const char *name, size_t length, enum dun_name_meaning meaning);

#endif
