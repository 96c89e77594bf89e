/* Byte-level BPE: special tokens are found first, what lies between is cut into words (pretokenizer.h), and
 * the bytes of each word are merged (bpe.h). See tokenizer.h. */
#include "io/token/tokenizer.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "io/token/bpe.h"
#include "io/token/pretokenizer.h"
#include "io/token/specials.h"
#include "io/token/vocab.h"

#include <string.h>

enum { MAX_TEXT_BYTES = 1 << 30 }; /* repaired at most three times as many, which 32 bits count */

static const char merges_key[] = "tokenizer.ggml.merges", bos_key[] = "tokenizer.ggml.bos_token_id",
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

struct dun_tokenizer {
    dun_vocab vocab;
    dun_specials *specials;
    dun_pretokenizer *pretokenizer;
    dun_bpe *bpe;
    bool add_bos;
    uint32_t bos;
    dun_str repaired; /* the text at hand, when it was not valid UTF-8 */
};

static int check_model(const dun_gguf *file) {
    int rc;
    static const char known[] = "gpt2";
    dun_gguf_string model;
    dun_str shown = {0};
    TRY(dun_gguf_get_string(&model, file, "tokenizer.ggml.model"));
    if (model.length != strlen(known) || memcmp(model.bytes, known, model.length) != 0) {
        TRY(dun_utf8_show(&shown, model.bytes, model.length));
        TRY(dun_error(DUN_BAD_INPUT, "%s: tokenizer.ggml.model is '%s'; supported is %s (byte-level BPE)",
                      dun_gguf_name(file), shown.bytes, known));
    }
out:
    dun_str_free(&shown);
    return rc;
}

static int check_ids(const dun_vocab *vocab, const dun_gguf *file) {
    int rc = DUN_OK;
    for (size_t i = 0; i < sizeof id_keys / sizeof id_keys[0]; i++) {
        uint32_t id;
        if (!dun_gguf_has(file, id_keys[i]))
            continue;
        TRY(dun_gguf_get_u32(&id, file, id_keys[i]));
        if (id >= vocab->n)
            TRY(dun_error(DUN_BAD_INPUT, "%s: %s is %u; one of the %u tokens is needed", dun_gguf_name(file),
                          id_keys[i], id, vocab->n));
    }
out:
    return rc;
}

static int read_bos(dun_tokenizer *tokenizer, const dun_gguf *file) {
    int rc = DUN_OK, add_bos = 0;
    if (dun_gguf_has(file, add_bos_key))
        TRY(dun_gguf_get_bool(&add_bos, file, add_bos_key));
    tokenizer->add_bos = add_bos;
    if (add_bos)
        TRY(dun_gguf_get_u32(&tokenizer->bos, file, bos_key));
out:
    return rc;
}

/* The index-th merge "left right" into the table. The space is the first after the first byte. */
static int read_merge(dun_tokenizer *tokenizer, uint32_t index, dun_gguf_string merge) {
    const dun_vocab *vocab = &tokenizer->vocab;
    const dun_gguf_string nothing = {"", 0};
    const char *space = merge.length > 2 ? memchr(merge.bytes + 1, ' ', merge.length - 2) : NULL;
    const char *fault = NULL;
    if (!space)
        return dun_vocab_refuse(vocab, merges_key, index, merge, "has no two parts; two tokens are needed");
    dun_gguf_string left = {merge.bytes, (size_t)(space - merge.bytes)};
    dun_gguf_string right = {space + 1, merge.length - left.length - 1};
    uint32_t left_id = dun_vocab_find(vocab, left, nothing), right_id = dun_vocab_find(vocab, right, nothing);
    uint32_t merged = dun_vocab_find(vocab, left, right);
    if (left_id == DUN_NO_TOKEN)
        fault = "begins with an unknown token; one of tokenizer.ggml.tokens is needed";
    else if (right_id == DUN_NO_TOKEN)
        fault = "ends with an unknown token; one of tokenizer.ggml.tokens is needed";
    else if (merged == DUN_NO_TOKEN)
        fault = "makes an unknown token; one of tokenizer.ggml.tokens is needed";
    else if (dun_bpe_add(tokenizer->bpe, left_id, right_id, index, merged) != index)
        fault = "is there twice; every merge once is needed";
    return fault ? dun_vocab_refuse(vocab, merges_key, index, merge, fault) : DUN_OK;
}

static int read_merges(dun_tokenizer *tokenizer, const dun_gguf *file) {
    int rc;
    size_t n;
    dun_gguf_string *merges = NULL;
    TRY(dun_gguf_array_strings(&merges, &n, file, merges_key));
    TRY(dun_bpe_create(&tokenizer->bpe, n));
    for (uint32_t i = 0; i < n; i++)
        TRY(read_merge(tokenizer, i, merges[i]));
out:
    dun_free(merges);
    return rc;
}

int dun_tokenizer_create(dun_tokenizer **out, const dun_gguf *file) {
    int rc;
    dun_gguf_string pre;
    dun_tokenizer *tokenizer = NULL;
    TRY(check_model(file));
    TRY(dun_gguf_get_string(&pre, file, "tokenizer.ggml.pre"));
    TRY_NEW(tokenizer, 1);
    TRY(dun_pretokenizer_create(&tokenizer->pretokenizer, pre.bytes, pre.length, dun_gguf_name(file)));
    TRY(dun_vocab_load(&tokenizer->vocab, file));
    TRY(check_ids(&tokenizer->vocab, file));
    TRY(read_bos(tokenizer, file));
    TRY(dun_specials_create(&tokenizer->specials, &tokenizer->vocab));
    TRY(read_merges(tokenizer, file));
    dun_vocab_settle(&tokenizer->vocab);
    *out = tokenizer;
    tokenizer = NULL;
out:
    dun_tokenizer_free(tokenizer);
    return rc;
}

void dun_tokenizer_free(dun_tokenizer *tokenizer) {
    if (!tokenizer)
        return;
    dun_vocab_free(&tokenizer->vocab);
    dun_specials_free(tokenizer->specials);
    dun_pretokenizer_free(tokenizer->pretokenizer);
    dun_bpe_free(tokenizer->bpe);
    dun_str_free(&tokenizer->repaired);
    dun_free(tokenizer);
}

static int add_token(dun_tokens *out, uint32_t id) {
    int rc;
    TRY_GROW(out->ids, out->capacity, out->n);
    out->ids[out->n++] = id;
out:
    return rc;
}

/* Text without special tokens. */
static int encode_plain(dun_tokens *out, dun_tokenizer *tokenizer, const char *text, size_t length) {
    int rc = DUN_OK;
    for (size_t at = 0, word; at < length; at += word) {
        TRY(dun_pretokenizer_next(&word, tokenizer->pretokenizer, text, length, at));
        TRY(dun_bpe_encode(out, tokenizer->bpe, tokenizer->vocab.byte_ids, text + at, word));
    }
out:
    return rc;
}

int dun_tokenizer_encode_inside(dun_tokens *out, dun_tokenizer *tokenizer, const char *text, size_t length) {
    int rc = DUN_OK;
    size_t before = out->n;
    if (length > MAX_TEXT_BYTES)
        TRY(dun_error(DUN_BAD_INPUT, "a text has %zu bytes; at most %d are supported", length,
                      MAX_TEXT_BYTES));
    if (dun_utf8_valid(text, length) != length) {
        dun_str_clear(&tokenizer->repaired);
        TRY(dun_utf8_repair(&tokenizer->repaired, text, length));
        text = tokenizer->repaired.bytes;
        length = tokenizer->repaired.length;
    }
    for (size_t at = 0; at < length;) {
        dun_special_match special = dun_specials_find(tokenizer->specials, text, length, at);
        TRY(encode_plain(out, tokenizer, text + at, special.at - at));
        if (special.at < length)
            TRY(add_token(out, special.id));
        at = special.at + special.bytes;
    }
out:
    if (rc < 0)
        out->n = before;
    return rc;
}

int dun_tokenizer_encode(dun_tokens *out, dun_tokenizer *tokenizer, const char *text, size_t length) {
    int rc = DUN_OK;
    size_t before = out->n;
    if (tokenizer->add_bos)
        TRY(add_token(out, tokenizer->bos));
    TRY(dun_tokenizer_encode_inside(out, tokenizer, text, length));
out:
    if (rc < 0)
        out->n = before;
    return rc;
}

const char *dun_tokenizer_piece(const dun_tokenizer *tokenizer, uint32_t id, size_t *length) {
    if (id < tokenizer->vocab.n)
        return dun_vocab_piece(&tokenizer->vocab, id, length);
    *length = 0;
    return "";
}

uint32_t dun_tokenizer_vocab(const dun_tokenizer *tokenizer) {
    return tokenizer->vocab.n;
}

void dun_tokens_free(dun_tokens *tokens) {
    dun_free(tokens->ids);
    *tokens = (dun_tokens){0};
}
