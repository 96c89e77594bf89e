/* Training runs on a tiny random model: its file, data of two classes, and the config around them. */
#ifndef TRAIN_SAMPLE_H
#define TRAIN_SAMPLE_H

#include "base/mem.h"
#include "base/rng.h"
#include "device_check.h"
#include "gguf_builder.h"
#include "train_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const dun_spec tiny = {.n_layers = 2,
                              .width = 32,
                              .n_heads = 4,
                              .n_kv_heads = 2,
                              .head_dim = 8,
                              .ffn_width = 64,
                              .vocab = 300,
                              .context = 256,
                              .rope_dim = 8,
                              .rope_base = 10000.0f,
                              .norm_eps = 1e-5f,
                              .tied_head = true};

enum { F32 = 0 }; /* ggml's id */

/* Texts of two classes with letters of their own; 8 of valid.tsv are 3 and 5. */
static inline void write_letters(const char *name, uint32_t n, uint32_t shortest, uint32_t longest,
                                 const char *tail) {
    dun_str text = {0};
    for (uint32_t i = 0; i < n; i++) {
        uint32_t label = (i * 7 + 3) % 10 < 5;
        uint32_t length = shortest + i * 5 % (longest - shortest + 1);
        for (uint32_t j = 0; j < length; j++) {
            uint64_t draw = dun_random_below(3, 11, DUN_STREAM_TEST, (uint64_t)i * 1000 + j);
            check_ok(dun_str_add(&text, (label ? "xqz" : "bgk") + draw, 1));
        }
        check_ok(dun_str_addf(&text, "%s\t%u\n", tail, label));
    }
    train_write_file(name, text.bytes, text.length);
    dun_str_free(&text);
}

/* `more` are lines of a config; the sections of these come first. */
static inline void configure_data(train_run *t, const char *train, const char *more) {
    train_run_config(t, "[model]\npath = %s\n[prompt]\nlr_scale = none\n[data]\ntrain = %s\nvalid = %s\n%s",
                     train_path("tiny.gguf"), train_path(train), train_path("valid.tsv"), more);
}

static inline void configure(train_run *t, const char *more) {
    configure_data(t, "train.tsv", more);
}

/* Points (n, D) of texts first .. first + n - 1 of a session, one text at a time. */
static inline float *points_of(dun_session *session, uint32_t first, uint32_t n) {
    size_t D = dun_session_point_width(session);
    float *points = calloc(n * D, sizeof *points);
    assert_non_null(points);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t which = first + i;
        check_ok(dun_session_run(session, &which, 1));
        check_ok(dun_buffer_read(points + i * D, dun_session_points(session), 0, D * sizeof *points));
    }
    return points;
}

static inline int make_files(void **state) {
    (void)state;
    dun_spec wide = tiny;
    wide.width = 64;
    wide.head_dim = 16;
    wide.rope_dim = 16;
    check_ok(gguf_builder_tiny_llama(train_path("tiny.gguf"), &tiny, F32, 1));
    check_ok(gguf_builder_tiny_llama(train_path("wide.gguf"), &wide, F32, 1));
    write_letters("train.tsv", 10, 3, 12, "");
    write_letters("valid.tsv", 8, 4, 9, "");
    return 0;
}

/* A session that stays open has the programs that all others of tiny.gguf take, instead of building them. */
static inline train_run *kept_session(void) {
    static train_run kept;
    return &kept;
}

static inline int make_files_and_programs(void **state) {
    make_files(state);
    configure(kept_session(), "[prompt]\ninit = vocab\ntokens = 2\n");
    check_ok(train_run_open(kept_session(), NULL));
    return 0;
}

/* Around a test that is to leave nothing behind, in memory or in the driver. */
static inline size_t *live_before(void) {
    static size_t counts[2];
    return counts;
}

static inline int note_live(void **state) {
    (void)state;
    live_before()[0] = dun_mem_live();
    live_before()[1] = dun_device_live_objects();
    return 0;
}

static inline int compare_live(void **state) {
    (void)state;
    return dun_mem_live() == live_before()[0] && dun_device_live_objects() == live_before()[1] ? 0 : -1;
}

static inline int remove_files(void **state) {
    (void)state;
    if (kept_session()->session.engine.compute)
        train_run_close(kept_session());
    train_folder_remove();
    return dun_mem_live() == 0 ? 0 : -1;
}

#endif
