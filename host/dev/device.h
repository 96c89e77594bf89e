/* OpenCL devices: what there is, which one a selector means, and an opened one (context and in-order
 * queue). Headers of this layer show no OpenCL type, so that nothing above can call the driver. */
#ifndef DUN_DEVICE_H
#define DUN_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dun_device_type { DUN_DEVICE_CPU, DUN_DEVICE_GPU, DUN_DEVICE_OTHER };

/* One device as its driver describes it; a platform or device that fails to answer keeps its row with
 * `error` set. */
typedef struct {
    uint32_t platform_index, device_index;
    char platform[128], name[128], vendor[128], driver[128], version[128];
    char platform_version[128];
    char error[512]; /* empty: usable */
    enum dun_device_type type;
    uint64_t memory_bytes, largest_buffer_bytes, local_bytes;
    char memory_by[16]; /* "cgroup", "ulimit -v": what bounds memory that is the host's; empty: the device
                           does */
    uint32_t part_alignment; /* bytes: where in a buffer a part of it may begin */
    uint32_t compute_units, clock_mhz, max_group_size;
    uint32_t vector_width; /* native float vector width the driver reports, at least 1 */
    bool fp16, sub_groups, unified_memory;
    uint8_t uuid[16]; /* of the piece of hardware, whoever asks; zeros: the driver does not say */
    uint32_t nvidia;  /* compute capability of an NVIDIA GPU, 80 for 8.0; 0: it is none, or tells none */
} dun_device_info;

/* Whether there is an OpenCL loader, before any driver is loaded. DUN_BAD_DEVICE: no, with what was tried. */
int dun_device_loader(void);

/* Every device of every platform in the driver's order; the index in this list is the selector.
 * DUN_BAD_DEVICE when the ICD loader knows no platform (the message says what to install). */
int dun_device_list(dun_device_info **infos, size_t *n);

/* Indices of the devices a selector means: an index, PLATFORM:DEVICE, cpu, gpu, all, part of a device or
 * platform name, or several of these separated by commas; "best" or "" takes the first usable GPU, else the
 * first usable device. DUN_BAD_DEVICE: nothing matches (lists what there is), or a part of a name matches
 * several devices. `chosen` has room for n entries. */
int dun_device_select(uint32_t *chosen, size_t *n_chosen, const dun_device_info *infos, size_t n,
                      const char *selector);

/* The one device for the process number `turn` of several on one machine: of several selectors, or of all
 * that one means, they are taken in turns; where a kind is meant (best, gpu, cpu), those that are just as the
 * first of it. */
int dun_device_select_turn(uint32_t *chosen, const dun_device_info *infos, size_t n, const char *selectors,
                           uint32_t turn);

/* The selector number `index` of several that are separated by commas; false: there are not as many. */
bool dun_device_selector(char *out, size_t size, const char *selectors, size_t index);

/* Whether two processes of one host that have these devices are known to share one. */
bool dun_device_is_same(const dun_device_info *a, const dun_device_info *b);

/* Its memory is the host's: what it takes counts against the limits of this process. */
bool dun_device_in_host_memory(const dun_device_info *info);

const char *dun_device_type_name(enum dun_device_type type);

typedef struct dun_device dun_device;

/* Opens the one device a selector means. */
int dun_device_open(dun_device **out, const char *selector);
void dun_device_close(dun_device *device);

/* The device of another once more, with a queue of its own: for another thread, or to outlive the other. */
int dun_device_open_again(dun_device **out, const dun_device *opened);

/* Whose buffers and programs are whose: equal for all that are the same device of a driver, as long as one of
 * them is open. */
const void *dun_device_memory(const dun_device *device);

const dun_device_info *dun_device_describe(const dun_device *device);

/* Who hears what takes long: a line each, as when kernels are compiled. */
typedef struct {
    void *self;
    void (*say)(void *self, const char *line);
} dun_device_watch;
void dun_device_set_watch(dun_device *device, dun_device_watch watch);

/* Buffers that are created from now on can become common ones (common.h, buffer.h), on devices whose memory
 * is the host's; NULL: no more. It stays borrowed. */
struct dun_common;
void dun_device_set_common(dun_device *device, struct dun_common *common);

/* Lets the device begin with what was launched, without waiting. */
int dun_device_flush(dun_device *device);

/* Waits until every launched kernel and copy is done. */
int dun_device_finish(dun_device *device);

/* How often the host stood still until the device had done all that was queued: each read, each time it was
 * finished, writes too large to be copied first. (Waiting for room in a deep queue, which leaves the device
 * at work, is none.) */
uint64_t dun_device_waits(const dun_device *device);

/* Kernels launched on it. */
uint64_t dun_device_launches(const dun_device *device);

/* OpenCL objects created and not yet released, over all devices; zero at exit. */
size_t dun_device_live_objects(void);

#endif
