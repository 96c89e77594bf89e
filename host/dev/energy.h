/* The energy that a device takes, where its counters can be read: RAPL for processors, NVML for NVIDIA's
 * devices, sensors of Linux (hwmon) for others'. Joules of the whole device, whoever uses it. */
#ifndef DUN_ENERGY_H
#define DUN_ENERGY_H

#include "dev/device.h"

/* Where counters are looked for. */
typedef struct {
    const char *root; /* in front of /sys; "": the system's own */
    const char *nvml; /* the library's name */
} dun_energy_source;
dun_energy_source dun_energy_of_system(void);

typedef struct dun_energy dun_energy;

/* Begins to count for a device. DUN_FAILED: no memory; that nothing can be counted is no failure. */
int dun_energy_begin(dun_energy **out, const dun_energy_source *source, const dun_device_info *info);
void dun_energy_end(dun_energy *energy);

/* To be called while time goes by, as often as one likes: counters begin again at 0 after some minutes, and
 * where there is only power it is summed. */
void dun_energy_look(dun_energy *energy);

/* Looks, and says how many joules there were since it began or was asked before; NAN: not known. */
double dun_energy_take(dun_energy *energy);

/* "RAPL", "NVML", "hwmon"; NULL: nothing is counted. */
const char *dun_energy_by(const dun_energy *energy);

/* Why nothing is counted, without the name of any file; "" where it is. */
const char *dun_energy_reason(const dun_energy *energy);

#endif
