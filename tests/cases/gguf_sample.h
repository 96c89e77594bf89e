/* What the GGUF tests share: a file with something of everything, parsing it, and what a refusal must say. */
#ifndef GGUF_SAMPLE_H
#define GGUF_SAMPLE_H

#include "base/err.h"
#include "base/mem.h"
#include "gguf_builder.h"
#include "io/store/gguf.h"
#include "model/quant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Keys of every type and three tensors: a (4, 3) F32, b (32, 2) Q8_0, c (5) F16; 12 keys. */
static inline void build_sample(gguf_builder *b) {
    const char *const strings[] = {"one", "", "three"};
    const int32_t integers[] = {-7, 0, 7};
    const uint64_t wide[] = {5, (uint64_t)1 << 40};
    const float reals[] = {0.5f, 1.5f};
    uint8_t data[68];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i + 1);
    gguf_builder_init(b);
    gguf_builder_string(b, "text", "hello");
    gguf_builder_u32(b, "u32", 4000000000u);
    gguf_builder_number(b, "i8", GGUF_I8, &(int8_t){-3});
    gguf_builder_number(b, "u64", GGUF_U64, &(uint64_t){UINT64_MAX});
    gguf_builder_number(b, "i64", GGUF_I64, &(int64_t){77});
    gguf_builder_number(b, "f64", GGUF_F64, &(double){2.5});
    gguf_builder_f32(b, "f32", 0.25f);
    gguf_builder_bool(b, "flag", 1);
    gguf_builder_strings(b, "strings", strings, 3);
    gguf_builder_numbers(b, "integers", GGUF_I32, integers, 3);
    gguf_builder_numbers(b, "wide", GGUF_U64, wide, 2);
    gguf_builder_numbers(b, "reals", GGUF_F32, reals, 2);
    gguf_builder_add_tensor(b, "a", DUN_QUANT_F32, 2, (uint64_t[]){4, 3}, data, 48);
    gguf_builder_add_tensor(b, "b", DUN_QUANT_Q8_0, 2, (uint64_t[]){32, 2}, data, 68);
    gguf_builder_add_tensor(b, "c", DUN_QUANT_F16, 1, (uint64_t[]){5}, data, 10);
}

/* Parses what the builder holds; `bytes` must outlive the file. */
static inline int parse(dun_gguf **file, dun_str *bytes, gguf_builder *b) {
    *file = NULL;
    dun_str_clear(bytes);
    assert_int_equal(gguf_builder_finish(bytes, b), DUN_OK);
    return dun_gguf_parse(file, (const uint8_t *)bytes->bytes, bytes->length, "dir/m.gguf");
}

/* One line, "dir/m.gguf: ...", with both parts in it. */
static inline void expect_refused(int rc, const char *part, const char *also) {
    const char *message = dun_error_message();
    if (rc != DUN_BAD_INPUT)
        fail_msg("status %d instead of DUN_BAD_INPUT; wanted: %s", rc, part);
    if (strncmp(message, "dir/m.gguf: ", 12) != 0 || !strstr(message, part) || !strstr(message, also))
        fail_msg("message: %s\nlacks: %s ... %s", message, part, also);
    assert_null(strchr(message, '\n'));
}

#endif
