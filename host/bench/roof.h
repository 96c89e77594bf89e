/* What a device can do at most, measured there: arithmetic, memory, launches; and how near a piece of work
 * comes. */
#ifndef DUN_ROOF_H
#define DUN_ROOF_H

#include "bench/stopwatch.h"
#include "dev/compute.h"

/* Arithmetic is of fused multiply-adds in vectors, without any memory. */
enum dun_roof_precision { DUN_ROOF_F32, DUN_ROOF_F16, DUN_ROOF_PRECISIONS };
extern const char *const dun_roof_names[DUN_ROOF_PRECISIONS];

typedef struct {
    double flops[DUN_ROOF_PRECISIONS]; /* a second; 0: the device has no such arithmetic */
    double read, copy;   /* bytes a second of buffers larger than its caches; a copy counts both ways */
    double launch, wait; /* seconds of an empty kernel: one of many, and launched and waited for alone */
} dun_roof;

/* The best of several repetitions of each. Takes two buffers of at most 128 MB for a while. */
int dun_roof_measure(dun_roof *out, const dun_compute *compute);

/* A piece of work, as far as it is counted. */
typedef struct {
    double flops, bytes;
    uint64_t launches;
} dun_roof_work;

/* Of its seconds, the parts that its arithmetic (in f32), its bytes and its launches alone would take at the
 * roof. */
typedef struct {
    double arithmetic, memory, launches;
} dun_roof_parts;
dun_roof_parts dun_roof_parts_of(const dun_roof *roof, const dun_roof_work *work, double seconds);

#endif
