/* Tokens of byte-level vocabularies. See vocab.h.
 *
 * Such a vocabulary writes each byte as one printable character (Radford et al. 2019, encoder.py): the
 * printable characters of Latin-1 stand for themselves, the other 68 bytes, in order, for U+0100, U+0101...
 */
#include "io/token/vocab.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

enum { N_ALPHABET = 256 + 68 }; /* code points below which the alphabet lies */

/* bytes[code point] = the byte it stands for, or -1. */
static void make_alphabet(int16_t bytes[N_ALPHABET]) {
    int next = 256;
    for (int i = 0; i < N_ALPHABET; i++)
        bytes[i] = -1;
    for (int byte = 0; byte < 256; byte++) {
        bool printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte != 0xad);
        bytes[printable ? byte : next++] = (int16_t)byte;
    }
}

/* The slot of a text given in two parts: the one that holds it, or the free one where it belongs. */
static size_t find_slot(const dun_vocab *vocab, dun_slice left, dun_slice right) {
    uint64_t hash = dun_hash(dun_hash(DUN_HASH_START, left.bytes, left.length), right.bytes, right.length) *
                    0x9e3779b97f4a7c15u;
    size_t mask = ((size_t)1 << vocab->slot_bits) - 1, slot = hash >> (64 - vocab->slot_bits);
    for (; vocab->slots[slot]; slot = (slot + 1) & mask) {
        const dun_slice *text = &vocab->from->tokens[vocab->slots[slot] - 1];
        if (text->length == left.length + right.length && memcmp(text->bytes, left.bytes, left.length) == 0 &&
            memcmp(text->bytes + left.length, right.bytes, right.length) == 0)
            break;
    }
    return slot;
}

uint32_t dun_vocab_find(const dun_vocab *vocab, dun_slice left, dun_slice right) {
    uint32_t entry = vocab->slots[find_slot(vocab, left, right)];
    return entry ? entry - 1 : DUN_NO_TOKEN;
}

static int refuse_token(const dun_vocab *vocab, size_t id, const char *fault) {
    const dun_token_description *from = vocab->from;
    return dun_token_refuse(from->file, from->tokens_name, id, from->tokens[id], fault);
}

static int index_texts(dun_vocab *vocab) {
    int rc = DUN_OK;
    const dun_slice nothing = {"", 0};
    vocab->slot_bits = 1;
    while (((size_t)1 << vocab->slot_bits) < (size_t)2 * vocab->n)
        vocab->slot_bits++;
    TRY_NEW(vocab->slots, (size_t)1 << vocab->slot_bits);
    for (uint32_t id = 0; id < vocab->n; id++) {
        const dun_slice *text = &vocab->from->tokens[id];
        if (dun_utf8_valid(text->bytes, text->length) != text->length)
            TRY(refuse_token(vocab, id, "is not valid UTF-8; a token's text in UTF-8 is needed"));
        size_t slot = find_slot(vocab, *text, nothing);
        if (vocab->slots[slot]) {
            char fault[80];
            snprintf(fault, sizeof fault, "is also token %u; every token once is needed",
                     vocab->slots[slot] - 1);
            TRY(refuse_token(vocab, id, fault));
        }
        vocab->slots[slot] = id + 1;
    }
out:
    return rc;
}

/* Writes the bytes of a token written in the alphabet; returns their number, or 0 when it is not. */
static size_t decode(char *out, dun_slice text, const int16_t alphabet[N_ALPHABET]) {
    size_t n = 0;
    for (size_t i = 0; i < text.length; i++) {
        unsigned point = (unsigned char)text.bytes[i];
        if (point >= 0xe0) /* a character of three or four bytes */
            return 0;
        if (point >= 0x80) /* the text is valid, so this begins one of two */
            point = (point & 0x1fu) << 6 | ((unsigned char)text.bytes[++i] & 0x3fu);
        if (point >= N_ALPHABET || alphabet[point] < 0)
            return 0;
        out[n++] = (char)alphabet[point];
    }
    return n;
}

static int hex_digit(char c) {
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *found = c ? strchr(digits, c) : NULL;
    return found ? (int)(found - digits) % 16 : -1;
}

/* "<0xNN>" as the byte NN, or -1. */
static int read_byte_token(dun_slice text) {
    if (text.length != 6 || memcmp(text.bytes, "<0x", 3) != 0 || text.bytes[5] != '>')
        return -1;
    int high = hex_digit(text.bytes[3]), low = hex_digit(text.bytes[4]);
    return high < 0 || low < 0 ? -1 : 16 * high + low;
}

static int make_piece(size_t *length, char *out, dun_vocab *vocab, uint32_t id,
                      const int16_t alphabet[N_ALPHABET]) {
    dun_slice text = vocab->from->tokens[id];
    int byte;
    switch (vocab->from->kinds ? (enum dun_token_kind)vocab->from->kinds[id] : DUN_TOKEN_NORMAL) {
    case DUN_TOKEN_CONTROL:
    case DUN_TOKEN_WHOLE:
        *length = 0;
        break;
    case DUN_TOKEN_BYTE:
        byte = read_byte_token(text);
        if (byte < 0)
            return refuse_token(vocab, id, "is of type byte; <0x00> to <0xFF> is needed");
        vocab->byte_ids[byte] = id;
        out[0] = (char)byte;
        *length = 1;
        break;
    case DUN_TOKEN_NORMAL:
        *length = decode(out, text, alphabet);
        break;
    }
    if (*length == 0) {
        memcpy(out, text.bytes, text.length);
        *length = text.length;
    }
    return DUN_OK;
}

static int make_pieces(dun_vocab *vocab, const int16_t alphabet[N_ALPHABET]) {
    int rc = DUN_OK;
    size_t at = 0, bytes = 0;
    for (uint32_t id = 0; id < vocab->n; id++)
        bytes += vocab->from->tokens[id].length + 1;
    TRY_NEW(vocab->pieces, bytes);
    TRY_NEW(vocab->starts, (size_t)vocab->n + 1);
    for (uint32_t id = 0; id < vocab->n; id++) {
        size_t length = 0;
        TRY(make_piece(&length, vocab->pieces + at, vocab, id, alphabet));
        at += length + 1;
        vocab->starts[id + 1] = at;
    }
out:
    return rc;
}

/* The tokens of single bytes: those of the alphabet go before those of type byte. */
static int find_bytes(dun_vocab *vocab, const int16_t alphabet[N_ALPHABET]) {
    const dun_slice nothing = {"", 0};
    bool any = false;
    for (unsigned point = 0; point < N_ALPHABET; point++) {
        int byte = alphabet[point];
        if (byte < 0)
            continue;
        char text[2] = {(char)point, 0};
        if (point >= 0x80) {
            text[0] = (char)(0xc0 | point >> 6);
            text[1] = (char)(0x80 | (point & 0x3f));
        }
        uint32_t id = dun_vocab_find(vocab, (dun_slice){text, point < 0x80 ? 1 : 2}, nothing);
        if (id != DUN_NO_TOKEN)
            vocab->byte_ids[byte] = id;
        any |= vocab->byte_ids[byte] != DUN_NO_TOKEN;
    }
    if (!any)
        return dun_error(DUN_BAD_INPUT,
                         "%s: %s has no token of a single byte; a byte-level vocabulary is needed",
                         vocab->from->file, vocab->from->tokens_name);
    return DUN_OK;
}

int dun_vocab_load(dun_vocab *vocab, const dun_token_description *from) {
    int rc;
    int16_t alphabet[N_ALPHABET];
    *vocab = (dun_vocab){.n = (uint32_t)from->n_tokens, .from = from};
    memset(vocab->byte_ids, 0xff, sizeof vocab->byte_ids); /* DUN_NO_TOKEN */
    make_alphabet(alphabet);
    TRY(index_texts(vocab));
    TRY(make_pieces(vocab, alphabet));
    TRY(find_bytes(vocab, alphabet));
out:
    return rc;
}

void dun_vocab_settle(dun_vocab *vocab) {
    dun_free(vocab->slots);
    vocab->slots = NULL;
    vocab->from = NULL;
}

void dun_vocab_free(dun_vocab *vocab) {
    dun_vocab_settle(vocab);
    dun_free(vocab->pieces);
    dun_free(vocab->starts);
    *vocab = (dun_vocab){0};
}
