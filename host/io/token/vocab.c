/* Tokens, what they stand for, and two tables of hashes. See vocab.h. */
#include "io/token/vocab.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "io/token/alphabet.h"

#include <stdio.h>
#include <string.h>

static const dun_slice nothing = {"", 0};

/* What SentencePiece writes for a space, U+2581. */
#define BLANK "\xe2\x96\x81"
enum { BLANK_BYTES = sizeof BLANK - 1 };

static dun_slice packed_at(const dun_packed *packed, uint32_t id) {
    return (dun_slice){packed->bytes + packed->starts[id], packed->starts[id + 1] - packed->starts[id] - 1};
}

/* The slot of a text given in two parts: the one that holds it, or the free one where it belongs. */
static uint32_t *find_slot(const dun_token_index *index, const dun_packed *texts, dun_slice left,
                           dun_slice right) {
    uint64_t hash = dun_hash(dun_hash(DUN_HASH_START, left.bytes, left.length), right.bytes, right.length) *
                    0x9e3779b97f4a7c15u;
    size_t mask = ((size_t)1 << index->bits) - 1, slot = hash >> (64 - index->bits);
    for (; index->slots[slot]; slot = (slot + 1) & mask) {
        const dun_slice text = packed_at(texts, index->slots[slot] - 1);
        if (text.length == left.length + right.length && memcmp(text.bytes, left.bytes, left.length) == 0 &&
            memcmp(text.bytes + left.length, right.bytes, right.length) == 0)
            break;
    }
    return &index->slots[slot];
}

uint32_t dun_vocab_find(const dun_vocab *vocab, dun_slice left, dun_slice right) {
    uint32_t entry = *find_slot(&vocab->by_text, &vocab->texts, left, right);
    return entry ? entry - 1 : DUN_NO_TOKEN;
}

uint32_t dun_vocab_find_word(const dun_vocab *vocab, dun_slice word) {
    if (!vocab->byte_level)
        return dun_vocab_find(vocab, word, nothing);
    uint32_t entry = *find_slot(&vocab->by_piece, &vocab->pieces, word, nothing);
    return entry ? entry - 1 : DUN_NO_TOKEN;
}

static int refuse_token(const dun_vocab *vocab, size_t id, const char *fault) {
    const dun_token_description *from = vocab->from;
    return dun_token_refuse(from->file, from->tokens_name, id, from->tokens[id], fault);
}

static enum dun_token_kind kind_of(const dun_vocab *vocab, uint32_t id) {
    return vocab->from->kinds ? (enum dun_token_kind)vocab->from->kinds[id] : DUN_TOKEN_NORMAL;
}

/* At most half of the slots are taken. */
static int make_index(dun_token_index *index, uint32_t n) {
    int rc = DUN_OK;
    index->bits = 1;
    while (((size_t)1 << index->bits) < (size_t)2 * n)
        index->bits++;
    TRY_NEW(index->slots, (size_t)1 << index->bits);
out:
    return rc;
}

static int index_texts(dun_vocab *vocab) {
    int rc;
    size_t at = 0;
    for (uint32_t id = 0; id < vocab->n; id++)
        at += vocab->from->tokens[id].length + 1;
    TRY_NEW(vocab->texts.bytes, at);
    TRY_NEW(vocab->texts.starts, (size_t)vocab->n + 1);
    TRY(make_index(&vocab->by_text, vocab->n));
    at = 0;
    for (uint32_t id = 0; id < vocab->n; id++) {
        const dun_slice *text = &vocab->from->tokens[id];
        if (dun_utf8_valid(text->bytes, text->length) != text->length)
            TRY(refuse_token(vocab, id, "is not valid UTF-8; a token's text in UTF-8 is needed"));
        if (text->length)
            memcpy(vocab->texts.bytes + at, text->bytes, text->length);
        at += text->length + 1;
        vocab->texts.starts[id + 1] = at;
        if (text->length && kind_of(vocab, id) != DUN_TOKEN_APART)
            *find_slot(&vocab->by_text, &vocab->texts, *text, nothing) = id + 1;
        vocab->longest = text->length > vocab->longest ? text->length : vocab->longest;
    }
out:
    return rc;
}

/* Copies a text with a space for each BLANK; returns its bytes. */
static size_t put_blanks(char *out, dun_slice text) {
    size_t n = 0;
    for (size_t i = 0; i < text.length; n++)
        if (text.length - i >= BLANK_BYTES && memcmp(text.bytes + i, BLANK, BLANK_BYTES) == 0) {
            out[n] = ' ';
            i += BLANK_BYTES;
        } else {
            out[n] = text.bytes[i++];
        }
    return n;
}

static int make_piece(size_t *length, char *out, dun_vocab *vocab, uint32_t id,
                      const dun_alphabet *alphabet) {
    dun_slice text = vocab->from->tokens[id];
    int byte;
    switch (kind_of(vocab, id)) {
    case DUN_TOKEN_ADDED:
    case DUN_TOKEN_APART:
        *length = 0;
        break;
    case DUN_TOKEN_BYTE:
        byte = dun_token_byte(text);
        if (byte < 0)
            return refuse_token(vocab, id, "is of type byte; <0x00> to <0xFF> is needed");
        vocab->byte_ids[byte] = id;
        out[0] = (char)byte;
        *length = 1;
        break;
    case DUN_TOKEN_NORMAL:
        *length = vocab->byte_level ? dun_alphabet_read(out, text, alphabet) : put_blanks(out, text);
        if (*length && vocab->by_piece.slots)
            *find_slot(&vocab->by_piece, &vocab->pieces, (dun_slice){out, *length}, nothing) = id + 1;
        break;
    }
    if (*length == 0 && text.length > 0) {
        memcpy(out, text.bytes, text.length);
        *length = text.length;
    }
    return DUN_OK;
}

static int make_pieces(dun_vocab *vocab, const dun_alphabet *alphabet) {
    int rc = DUN_OK;
    size_t at = 0, bytes = 0;
    for (uint32_t id = 0; id < vocab->n; id++)
        bytes += vocab->from->tokens[id].length + 1;
    TRY_NEW(vocab->pieces.bytes, bytes);
    TRY_NEW(vocab->pieces.starts, (size_t)vocab->n + 1);
    if (vocab->byte_level && vocab->from->ignore_merges)
        TRY(make_index(&vocab->by_piece, vocab->n));
    for (uint32_t id = 0; id < vocab->n; id++) {
        size_t length = 0;
        TRY(make_piece(&length, vocab->pieces.bytes + at, vocab, id, alphabet));
        at += length + 1;
        vocab->pieces.starts[id + 1] = at;
    }
out:
    return rc;
}

/* The tokens of single bytes: those of the alphabet go before those of type byte; where characters are
 * tokens, those written <0xNN>. */
static int find_bytes(dun_vocab *vocab, const dun_alphabet *alphabet) {
    bool any = false;
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[8];
        dun_slice wanted = {text, 0};
        if (vocab->byte_level)
            wanted.length = dun_alphabet_write(text, alphabet, (unsigned char)byte);
        else
            wanted.length = (size_t)snprintf(text, sizeof text, "<0x%02X>", byte);
        uint32_t id = dun_vocab_find(vocab, wanted, nothing);
        if (id != DUN_NO_TOKEN)
            vocab->byte_ids[byte] = id;
        any |= vocab->byte_ids[byte] != DUN_NO_TOKEN;
    }
    if (!any && vocab->byte_level)
        return dun_error(DUN_BAD_INPUT,
                         "%s: %s has no token of a single byte; a byte-level vocabulary is needed",
                         vocab->from->file, vocab->from->tokens_name);
    return DUN_OK;
}

int dun_vocab_load(dun_vocab *vocab, const dun_token_description *from) {
    int rc;
    dun_alphabet alphabet;
    *vocab = (dun_vocab){.n = (uint32_t)from->n_tokens, .byte_level = from->byte_level, .from = from};
    memset(vocab->byte_ids, 0xff, sizeof vocab->byte_ids); /* DUN_NO_TOKEN */
    dun_alphabet_make(&alphabet);
    TRY(index_texts(vocab));
    TRY(make_pieces(vocab, &alphabet));
    TRY(find_bytes(vocab, &alphabet));
out:
    return rc;
}

static void free_texts(dun_vocab *vocab) {
    dun_free(vocab->texts.bytes);
    dun_free(vocab->texts.starts);
    dun_free(vocab->by_text.slots);
    vocab->texts = (dun_packed){0};
    vocab->by_text = (dun_token_index){0};
}

void dun_vocab_settle(dun_vocab *vocab) {
    if (vocab->byte_level)
        free_texts(vocab);
    vocab->from = NULL;
}

void dun_vocab_free(dun_vocab *vocab) {
    free_texts(vocab);
    dun_free(vocab->by_piece.slots);
    dun_free(vocab->pieces.bytes);
    dun_free(vocab->pieces.starts);
    *vocab = (dun_vocab){0};
}
