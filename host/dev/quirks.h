/* What is done otherwise for a driver because of its name: the rows of quirks.def. */
#ifndef DUN_QUIRKS_H
#define DUN_QUIRKS_H

#include "dev/device.h"

enum dun_quirk {
#define DUN_QUIRK(id, platform, what, why) DUN_QUIRK_##id,
#include "dev/quirks.def"
#undef DUN_QUIRK
};

/* Whether a row is for the device's platform. */
bool dun_quirk_of(const dun_device_info *info, enum dun_quirk quirk);

#endif
