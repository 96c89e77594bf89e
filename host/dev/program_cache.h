/* Private to host/dev: compiled programs in the cache (cache.h). Nothing here fails: what cannot be taken
 * from the cache is compiled, what cannot be kept is compiled again next time. */
#ifndef DUN_PROGRAM_CACHE_H
#define DUN_PROGRAM_CACHE_H

#include "base/str.h"
#include "dev/opencl.h"

/* All that a compiled program depends on: device, driver, platform, topic, defines, text. Its first line is
 * for people. */
int dun_program_key(dun_str *out, const dun_device_info *info, const char *topic, const char *text,
                    const char *defines);

/* What the cache had. */
typedef struct {
    bool known;        /* this program was compiled before: it is quick now */
    char problem[256]; /* why a file is ignored, or nothing could be kept; or empty */
} dun_program_lookup;

/* A built program, or NULL: it must be compiled, which is quick all the same when it is known to a driver
 * with a cache of its own. */
cl_program dun_program_from_cache(dun_program_lookup *lookup, dun_device *device, const char *defines,
                                  const dun_str *key);
void dun_program_to_cache(dun_program_lookup *lookup, const dun_device *device, cl_program program,
                          const dun_str *key);

#endif
