/* What `dunlin tune` is trying, written down before it is tried: after a crash of the whole machine the next
 * tune leaves that candidate out. A text file beside the tuning rows of the cache. */
#ifndef DUN_TUNE_JOURNAL_H
#define DUN_TUNE_JOURNAL_H

#include "base/str.h"
#include "dev/device.h"

#include <stdbool.h>

/* Appends the journal's path for a device, driver and kernels; nothing when there is no cache: then nothing
 * is written down. */
int dun_journal_path(dun_str *out, const dun_device_info *info);

/* Did an earlier tune begin with a candidate and never come to its end? */
bool dun_journal_unfinished(const dun_str *path, const char *candidate);

/* Adds "WHAT CANDIDATE" and waits until it is on disk. */
int dun_journal_add(const dun_str *path, const char *what, const char *candidate);

void dun_journal_remove(const dun_str *path);

#endif
