/* The programs of one device and one set of tiles: a topic's is compiled when it is first asked for, with the
 * defines that it is cut by, and kept. For one thread at a time. */
#ifndef DUN_PROGRAMS_H
#define DUN_PROGRAMS_H

#include "dev/program.h"
#include "dev/tiles.h"

/* A part of the kernels' text (`#pragma topic` in kernels.cl) and the tiles that it is cut by: DUN_CUT_... of
 * tiles.h. A program depends on no other tiles, so models with heads of another size share most of them. */
typedef struct {
    const char *name;
    unsigned cut;
} dun_topic;

/* The kernels of one room of host/, by number. */
typedef struct {
    const dun_topic *topics;
    size_t n_topics;
    const struct dun_kernel_row {
        const char *name;
        uint32_t topic; /* index into topics */
    } * rows;
    size_t n_rows;
    /* Items in the work-groups that a kernel is launched with. */
    uint32_t (*group)(const dun_tiles *tiles, size_t kernel);
} dun_kernel_list;

typedef struct dun_programs dun_programs;
enum { DUN_ALL_TOPICS = 0xFFFF };

/* `text` NULL: the program's own, or that of DUNLIN_KERNELS; compiled programs then come from the cache and
 * go there. Else a text of the caller's, always compiled, for tests that break a kernel on
 * purpose. DUN_BAD_INPUT: DUNLIN_KERNELS names no file. */
int dun_programs_create(dun_programs **out, dun_device *device, const char *text, const dun_tiles *tiles);
void dun_programs_free(dun_programs *programs);

/* Builds a topic unless it was before. DUN_BAD_DEVICE carries device, defines and the end of the build log.
 */
int dun_programs_topic(dun_program **out, dun_programs *programs, const dun_topic *topic);

/* Builds those topics of a list that `topics` has a bit for, in their order, and asks the driver whether each
 * kernel can be launched as it will be. DUN_BAD_DEVICE: it does not compile, or cannot. */
int dun_programs_use(dun_programs *programs, const dun_kernel_list *list, unsigned topics);

/* A kernel whose topic is in use. */
dun_kernel *dun_programs_kernel(const dun_programs *programs, const dun_kernel_list *list, size_t kernel);

/* Compiles every program in use once more, as if nothing had been compiled before on this machine, and asks
 * for the kernels in use; then lets them go. For measuring. DUN_BAD_DEVICE as above. */
int dun_programs_build_again(const dun_programs *programs);

/* Whether a kernel was launched. */
bool dun_programs_launched(const dun_programs *programs, const dun_kernel_list *list, size_t kernel);

/* Appends all that the programs of a device with these tiles depend on: device, driver, platform, defines,
 * text (embedded, or that of DUNLIN_KERNELS). Its first line names the device, for people. */
int dun_programs_identity(dun_str *out, const dun_device_info *info, const dun_tiles *tiles);

/* Tells the device's watch what was built since the last time, and how long it took; nothing for nothing. */
void dun_programs_say(dun_programs *programs);

/* How many programs came from the cache, and how many were compiled, since `programs` was made. */
typedef struct {
    size_t n_cached, n_compiled;
} dun_programs_count;
dun_programs_count dun_programs_counted(const dun_programs *programs);

#endif
