/* What the tokenizer tests share: vocabularies made by hand, and tokens shown as text. */
#ifndef TOKENIZER_MAKE_H
#define TOKENIZER_MAKE_H

#include "base/err.h"
#include "base/str.h"
#include "gguf_builder.h"
#include "io/token/read_gguf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum { TOKEN_NORMAL = 1, TOKEN_UNKNOWN, TOKEN_CONTROL, TOKEN_USER_DEFINED, TOKEN_UNUSED, TOKEN_BYTE };

typedef struct {
    const char *text; /* as a file writes it */
    int32_t type;
} token_plan;

/* Lists end with a NULL text. */
typedef struct {
    const char *pre;
    token_plan tokens[24]; /* ids 256 and up */
    const char *merges[24];
} vocabulary_plan;

static inline void expect_ok(int rc) {
    if (rc != DUN_OK)
        fail_msg("%d: %s", rc, dun_error_message());
}

/* A byte as byte-level vocabularies write it. */
static inline void byte_text(char out[3], unsigned byte) {
    unsigned point = byte;
    if (byte <= 0x20)
        point = 0x100 + byte;
    else if (byte >= 0x7f && byte <= 0xa0)
        point = 0x121 + byte - 0x7f;
    else if (byte == 0xad)
        point = 0x143;
    if (point < 0x80)
        snprintf(out, 3, "%c", (int)point);
    else
        snprintf(out, 3, "%c%c", (int)(0xc0 | point >> 6), (int)(0x80 | (point & 0x3f)));
}

/* Ids 0 to 255 are the bytes, then come the tokens of the plan. */
static inline void build_vocabulary(gguf_builder *b, const vocabulary_plan *plan) {
    char bytes[256][3];
    const char *texts[256 + COUNT(plan->tokens)];
    int32_t types[COUNT(texts)];
    uint32_t n = 0, n_merges = 0;
    for (; n < 256; n++) {
        byte_text(bytes[n], n);
        texts[n] = bytes[n];
        types[n] = TOKEN_NORMAL;
    }
    for (const token_plan *token = plan->tokens; token->text; token++, n++) {
        texts[n] = token->text;
        types[n] = token->type;
    }
    while (plan->merges[n_merges])
        n_merges++;
    gguf_builder_init(b);
    gguf_builder_string(b, "tokenizer.ggml.model", "gpt2");
    gguf_builder_string(b, "tokenizer.ggml.pre", plan->pre);
    gguf_builder_strings(b, "tokenizer.ggml.tokens", texts, n);
    gguf_builder_numbers(b, "tokenizer.ggml.token_type", GGUF_I32, types, n);
    gguf_builder_strings(b, "tokenizer.ggml.merges", plan->merges, n_merges);
}

/* Finishes the file, makes its tokenizer and frees both; returns the tokenizer's status. */
static inline int create_tokenizer(dun_tokenizer **out, gguf_builder *b) {
    dun_str bytes = {0};
    dun_gguf *file = NULL;
    expect_ok(gguf_builder_finish(&bytes, b));
    gguf_builder_free(b);
    expect_ok(dun_gguf_parse(&file, (const uint8_t *)bytes.bytes, bytes.length, "t.gguf"));
    int rc = dun_tokenizer_read_gguf(out, file);
    dun_gguf_free(file);
    dun_str_free(&bytes);
    return rc;
}

static inline dun_tokenizer *make_tokenizer(const vocabulary_plan *plan) {
    gguf_builder b;
    dun_tokenizer *tokenizer = NULL;
    build_vocabulary(&b, plan);
    expect_ok(create_tokenizer(&tokenizer, &b));
    return tokenizer;
}

/* The pieces of a text's tokens, with `separator` between. */
static inline void encode_to_text(dun_str *out, dun_tokenizer *tokenizer, const char *text, size_t length,
                                  const char *separator) {
    dun_tokens tokens = {0};
    dun_str_clear(out);
    expect_ok(dun_tokenizer_encode(&tokens, tokenizer, text, length));
    for (size_t i = 0; i < tokens.n; i++) {
        size_t piece_length;
        const char *piece = dun_tokenizer_piece(tokenizer, tokens.ids[i], &piece_length);
        expect_ok(dun_str_add(out, separator, i ? strlen(separator) : 0));
        expect_ok(dun_str_add(out, piece, piece_length));
    }
    expect_ok(dun_str_add(out, "", 0));
    dun_tokens_free(&tokens);
}

/* `pieces`: the expected tokens with | between. */
static inline void expect_pieces(dun_tokenizer *tokenizer, const char *text, size_t length,
                                 const char *pieces) {
    dun_str found = {0};
    encode_to_text(&found, tokenizer, text, length, "|");
    assert_string_equal(found.bytes, pieces);
    dun_str_free(&found);
}

#endif
