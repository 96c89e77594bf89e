/* Which state of the source this program was built from. */
#ifndef DUN_COMMIT_H
#define DUN_COMMIT_H

/* The commit in 12 hex digits, with a '+' behind it where files differed from it; "": not built from a
 * repository. Made by tools/commit.cmake. */
extern const char dun_commit[];

#endif
