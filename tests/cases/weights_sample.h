/* What the weights tests share: small models in memory, with what one needs to change them. */
#ifndef WEIGHTS_SAMPLE_H
#define WEIGHTS_SAMPLE_H

#include "base/err.h"
#include "base/mem.h"
#include "gguf_builder.h"
#include "io/model/spec_gguf.h"
#include "model/quant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Sizes that are all different where they can be, and rows that are multiples of 32. */
static const dun_spec sample_spec = {.architecture = "llama",
                                     .name = "sample",
                                     .n_layers = 2,
                                     .width = 64,
                                     .n_heads = 4,
                                     .n_kv_heads = 2,
                                     .head_dim = 24,
                                     .ffn_width = 128,
                                     .vocab = 300,
                                     .context = 256,
                                     .rope_dim = 24,
                                     .rope_base = 50000,
                                     .norm_eps = 1e-5f};

/* A model on its way through a builder into weights. */
typedef struct {
    gguf_builder builder;
    dun_str bytes;
    dun_gguf *file;
    dun_weights *weights;
} sample;

static inline void sample_build(sample *s, const dun_spec *spec, uint32_t type) {
    *s = (sample){0};
    gguf_builder_init(&s->builder);
    gguf_builder_llama(&s->builder, spec, type, 1);
}

static inline void sample_close(sample *s) {
    dun_weights_free(s->weights);
    dun_gguf_free(s->file);
    s->weights = NULL;
    s->file = NULL;
}

static inline int sample_read(sample *s, const void *bytes, size_t length) {
    int rc = dun_gguf_parse(&s->file, bytes, length, "dir/m.gguf");
    return rc < 0 ? rc : dun_weights_of_gguf(&s->weights, s->file);
}

static inline int sample_parse(sample *s) {
    dun_str_clear(&s->bytes);
    assert_int_equal(gguf_builder_finish(&s->bytes, &s->builder), DUN_OK);
    return sample_read(s, s->bytes.bytes, s->bytes.length);
}

static inline void sample_free(sample *s) {
    sample_close(s);
    dun_str_free(&s->bytes);
    gguf_builder_free(&s->builder);
}

static inline void sample_open(sample *s, const dun_spec *spec, uint32_t type) {
    sample_build(s, spec, type);
    if (sample_parse(s) < 0)
        fail_msg("%s", dun_error_message());
}

#endif
