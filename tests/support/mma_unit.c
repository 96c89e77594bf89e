/* Edits the kernels' text; see mma_unit.h. */
#include "mma_unit.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/source.h"
#include "base/str.h"
#include "dev/kernel_text.h"
#include "device_check.h"

#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

static const char topic[] = "#pragma topic parts_mma\n";

/* Replaces `length` bytes at `at` of a text. */
static void edit(dun_str *text, size_t at, size_t length, const char *by) {
    dun_str edited = {0};
    check_ok(dun_str_add(&edited, text->bytes, at));
    check_ok(dun_str_addf(&edited, "%s%s", by, text->bytes + at + length));
    dun_str_free(text);
    *text = edited;
}

static size_t place_of(const dun_str *text, const char *what) {
    const char *begin = strstr(text->bytes, topic), *at = begin ? strstr(begin, what) : NULL;
    if (!at)
        fail_msg("\"%s\" is not in parts_mma.cl any more", what);
    return (size_t)(at - text->bytes);
}

static void replace(dun_str *text, const char *what, const char *by) {
    edit(text, place_of(text, what), strlen(what), by);
}

/* The function with the instruction, whole. */
static void replace_instruction(dun_str *text) {
    static const char end[] = "\n}\n";
    dun_str unit = {0};
    const size_t at = place_of(text, "MMA_INLINE float4 parts_mma(");
    check_ok(dun_source_read(&unit, SOURCE_DIR "/tests/support/mma_unit.cl"));
    edit(text, at, (size_t)(strstr(text->bytes + at, end) - text->bytes) + strlen(end) - at, unit.bytes);
    dun_str_free(&unit);
}

/* A loop around barriers that is unrolled takes PoCL's compiler minutes. */
static void keep_loops(dun_str *text) {
    static const char asks[] = "#pragma unroll";
    for (const char *at = strstr(text->bytes, topic); (at = strstr(at, asks));) {
        const size_t place = (size_t)(at - text->bytes);
        edit(text, place, strlen(asks), "#pragma nounroll");
        at = text->bytes + place + strlen(asks);
    }
}

/* Its local memory, on the way to it. */
static void hand_memory_down(dun_str *text) {
    replace(text, "mma_tiles(float4 *c", "mma_tiles(__local float *unit, float4 *c");
    replace(text, "parts_mma(c[i]", "parts_mma(unit, c[i]");
    replace(text, "mma_step(float4 *sums", "mma_step(__local float *unit, float4 *sums");
    for (int i = 0; i < 3; i++)
        replace(text, "mma_tiles(c,", "mma_tiles(unit, c,");
    replace(text, "mma_step(sums,", "mma_step(unit, sums,");
    replace(text, "__local uint4 rows[2]", "__local float unit[4 * 384];\n    __local uint4 rows[2]");
}

char *mma_unit_text(const char *from, const char *to) {
    dun_str text = {0};
    check_ok(dun_str_addf(&text, "%s", dun_kernel_text()));
    if (from)
        replace(&text, from, to);
    keep_loops(&text);
    hand_memory_down(&text);
    replace_instruction(&text);
    return text.bytes;
}
