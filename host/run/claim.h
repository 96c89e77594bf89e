/* Who works in a folder: the file .dunlin there, one line of JSON. It marks the folder as dunlin's, and while
 * a process works in it, names that process and keeps others out.
 *
 *   {"version": "0.2.0", "host": "name", "boot": "id of the running kernel", "pid": 123, "start": 456,
 *    "since": "2026-03-09T17:05:00Z", "from": "/working/folder", "held": true}
 *
 * On one machine the kernel's lock of the file (flock) decides: it goes when its process does, however that
 * ends, and comes to one of many at once. Where others share the folder over a network, that lock may not
 * reach them; there the record decides: the holder touches the file every DUN_CLAIM_TOUCH_S seconds, and one
 * that has not for DUN_CLAIM_STALE_S is taken for gone. Who takes such a claim over makes .dunlin.takeover
 * meanwhile, which one alone can, and compares ages by the clock of the file system. A holder that was taken
 * over while it stood still (a machine asleep) finds that out at its next step and stops. */
#ifndef DUN_CLAIM_H
#define DUN_CLAIM_H

#include <stdbool.h>
#include <stddef.h>

enum { DUN_CLAIM_TOUCH_S = 30, DUN_CLAIM_STALE_S = 600 };

typedef struct dun_claim dun_claim;

/* The folder has been claimed once. */
bool dun_claim_marks(const char *folder);

/* Takes the claim on a folder that is there. A thread touches it from now on. *held: the failure is that
 * somebody else has it. DUN_FAILED: that, with process and host; the file cannot be written, or is none of
 * ours. */
int dun_claim_take(dun_claim **out, bool *held, const char *folder);

/* DUN_FAILED, with process and host, where the record says that somebody works in the folder. Takes nothing.
 */
int dun_claim_refuse_held(const char *folder);

/* Warns, once, where the claim was taken over from one who did not give it back, and says why it could be. */
void dun_claim_tell(dun_claim *claim);

/* DUN_FAILED: it has been taken over; whoever did is named. */
int dun_claim_check(const dun_claim *claim);

/* Gives it back: the file stays, as a mark. NULL is fine. */
void dun_claim_give_back(dun_claim *claim);

/* Gives it back, and takes the mark away if it was not there before. NULL is fine. */
void dun_claim_undo(dun_claim *claim);

/* So many bytes of the folder's path were there before it was made to be claimed. */
void dun_claim_made(dun_claim *claim, size_t there);

/* Gives it back after a start that failed, of which the error is recorded and stays so: takes away the files
 * of these names (up to a NULL), the mark, and the folder with its parents as far as it was made to be
 * claimed. Where the folder holds anything else, or was claimed before, all of it stays, and the answer is
 * false. NULL is fine. */
bool dun_claim_withdraw(dun_claim *claim, const char *const *files);

/* The working folder of whoever claimed the folder first, newly allocated, "" where that is not known; NULL
 * with the error recorded. */
char *dun_claim_from(const char *folder);

#endif
