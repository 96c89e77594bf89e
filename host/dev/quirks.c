/* The rows of quirks.def, matched by the platform's name. */
#include "dev/quirks.h"

#include <string.h>

static const char *const platforms[] = {
#define DUN_QUIRK(id, platform, what, why) [DUN_QUIRK_##id] = platform,
#include "dev/quirks.def"
#undef DUN_QUIRK
};

bool dun_quirk_of(const dun_device_info *info, enum dun_quirk quirk) {
    return strcmp(info->platform, platforms[quirk]) == 0;
}
