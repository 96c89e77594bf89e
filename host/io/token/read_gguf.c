/* The keys tokenizer.ggml.* of a GGUF file as a tokenizer's description. */
#include "io/token/read_gguf.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "io/token/description.h"

#include <string.h>

static const char tokens_key[] = "tokenizer.ggml.tokens", types_key[] = "tokenizer.ggml.token_type",
                  scores_key[] = "tokenizer.ggml.scores", merges_key[] = "tokenizer.ggml.merges",
                  pre_key[] = "tokenizer.ggml.pre", bos_key[] = "tokenizer.ggml.bos_token_id",
                  add_bos_key[] = "tokenizer.ggml.add_bos_token";

/* Ids that a file may name; each must be one of its tokens. */
static const char *const id_keys[] = {
    bos_key,
    "tokenizer.ggml.eos_token_id",
    "tokenizer.ggml.eot_token_id",
    "tokenizer.ggml.unknown_token_id",
    "tokenizer.ggml.seperator_token_id", /* as the format spells it */
    "tokenizer.ggml.padding_token_id",
};

/* Kinds by the file's token types: normal, unknown, control, user-defined, unused, byte. */
enum { LEAST_TYPE = 1, MOST_TYPE = 6 };
static const uint8_t kinds_by_type[MOST_TYPE + 1] = {
    [1] = DUN_TOKEN_NORMAL, [2] = DUN_TOKEN_NORMAL, [3] = DUN_TOKEN_CONTROL,
    [4] = DUN_TOKEN_WHOLE,  [5] = DUN_TOKEN_NORMAL, [6] = DUN_TOKEN_BYTE,
};

/* What a description borrows. */
typedef struct {
    const dun_gguf *file;
    dun_token_description to;
    dun_slice *tokens;
    uint8_t *kinds;
    dun_merge *merges;
} reader;

static int check_model(const reader *r) {
    int rc;
    static const char known[] = "gpt2";
    dun_slice model;
    dun_str shown = {0};
    TRY(dun_gguf_get_string(&model, r->file, "tokenizer.ggml.model"));
    if (model.length != strlen(known) || memcmp(model.bytes, known, model.length) != 0) {
        TRY(dun_utf8_show(&shown, model.bytes, model.length));
        TRY(dun_error(DUN_BAD_INPUT, "%s: tokenizer.ggml.model is '%s'; supported is %s (byte-level BPE)",
                      r->to.file, shown.bytes, known));
    }
out:
    dun_str_free(&shown);
    return rc;
}

/* An array that must have one element per token. */
static int check_length(const reader *r, const char *key) {
    int rc;
    size_t n;
    TRY(dun_gguf_array_length(&n, r->file, key));
    if (n != r->to.n_tokens)
        TRY(dun_error(DUN_BAD_INPUT, "%s: %s has %zu elements, %s %zu; as many are needed", r->to.file, key,
                      n, tokens_key, r->to.n_tokens));
out:
    return rc;
}

static int read_kinds(reader *r) {
    int rc;
    size_t n;
    int32_t *types = NULL;
    TRY(check_length(r, types_key));
    TRY(dun_gguf_array_i32(&types, &n, r->file, types_key));
    TRY_NEW(r->kinds, n);
    for (size_t id = 0; id < n; id++) {
        if (types[id] < LEAST_TYPE || types[id] > MOST_TYPE)
            TRY(dun_error(DUN_BAD_INPUT, "%s: %s[%zu] is %d; a type from %d to %d is needed", r->to.file,
                          types_key, id, types[id], LEAST_TYPE, MOST_TYPE));
        r->kinds[id] = kinds_by_type[types[id]];
    }
    r->to.kinds = r->kinds;
out:
    dun_free(types);
    return rc;
}

static int read_tokens(reader *r) {
    int rc;
    TRY(dun_gguf_array_strings(&r->tokens, &r->to.n_tokens, r->file, tokens_key));
    r->to.tokens = r->tokens; /* arrays of GGUF files are capped far below 2^32 elements */
    if (dun_gguf_has(r->file, scores_key))
        TRY(check_length(r, scores_key));
    if (dun_gguf_has(r->file, types_key))
        TRY(read_kinds(r));
out:
    return rc;
}

static int read_ids(reader *r) {
    int rc = DUN_OK, add_bos = 0;
    for (size_t i = 0; i < sizeof id_keys / sizeof id_keys[0]; i++) {
        uint32_t id;
        if (!dun_gguf_has(r->file, id_keys[i]))
            continue;
        TRY(dun_gguf_get_u32(&id, r->file, id_keys[i]));
        if (id >= r->to.n_tokens)
            TRY(dun_error(DUN_BAD_INPUT, "%s: %s is %u; one of the %zu tokens is needed", r->to.file,
                          id_keys[i], id, r->to.n_tokens));
    }
    if (dun_gguf_has(r->file, add_bos_key))
        TRY(dun_gguf_get_bool(&add_bos, r->file, add_bos_key));
    r->to.add_bos = add_bos;
    if (add_bos)
        TRY(dun_gguf_get_u32(&r->to.bos, r->file, bos_key));
out:
    return rc;
}

/* A merge is "left right"; the space is the first after the first byte. */
static int read_merges(reader *r) {
    int rc;
    size_t n;
    dun_slice *texts = NULL;
    TRY(dun_gguf_array_strings(&texts, &n, r->file, merges_key));
    TRY_NEW(r->merges, n);
    for (size_t i = 0; i < n; i++) {
        dun_slice text = texts[i];
        const char *space = text.length > 2 ? memchr(text.bytes + 1, ' ', text.length - 2) : NULL;
        if (!space)
            TRY(dun_token_refuse(r->to.file, merges_key, i, text, "has no two parts; two tokens are needed"));
        size_t left = (size_t)(space - text.bytes);
        r->merges[i] = (dun_merge){{text.bytes, left}, {space + 1, text.length - left - 1}};
    }
    r->to.merges = r->merges;
    r->to.n_merges = n;
out:
    dun_free(texts);
    return rc;
}

int dun_tokenizer_read_gguf(dun_tokenizer **out, const dun_gguf *file) {
    int rc;
    reader r = {.file = file,
                .to = {.file = dun_gguf_name(file),
                       .tokens_name = tokens_key,
                       .merges_name = merges_key,
                       .pattern_name = pre_key}};
    TRY(check_model(&r));
    TRY(dun_gguf_get_string(&r.to.pattern, file, pre_key));
    TRY(read_tokens(&r));
    TRY(read_ids(&r));
    TRY(read_merges(&r));
    TRY(dun_tokenizer_create(out, &r.to));
out:
    dun_free(r.tokens);
    dun_free(r.kinds);
    dun_free(r.merges);
    return rc;
}
