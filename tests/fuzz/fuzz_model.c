/* Model files: the format alone (gguf), what the engine takes from them (model), and texts for a tokenizer
 * that is sound (tokenizer); and files of any form (door). */
#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "io/model/spec_gguf.h"
#include "io/model_file.h"
#include "io/token/read_gguf.h"
#include "model/quant.h"
#include "targets.h"

#include <math.h>
#include <string.h>

static const char *const keys[] = {"general.alignment", "text", "u32", "flag", "strings", "integers", "f32"};

/* Every reader of metadata on one key. */
static void read_key(const dun_gguf *file, const char *key) {
    uint32_t number;
    float real;
    int flag;
    dun_gguf_string text, *texts = NULL;
    int32_t *numbers = NULL;
    size_t n;
    fuzz_accepted(dun_gguf_get_u32(&number, file, key), DUN_BAD_INPUT, DUN_BAD_INPUT);
    fuzz_accepted(dun_gguf_get_f32(&real, file, key), DUN_BAD_INPUT, DUN_BAD_INPUT);
    fuzz_accepted(dun_gguf_get_bool(&flag, file, key), DUN_BAD_INPUT, DUN_BAD_INPUT);
    fuzz_accepted(dun_gguf_get_string(&text, file, key), DUN_BAD_INPUT, DUN_BAD_INPUT);
    fuzz_accepted(dun_gguf_array_length(&n, file, key), DUN_BAD_INPUT, DUN_BAD_INPUT);
    fuzz_accepted(dun_gguf_array_strings(&texts, &n, file, key), DUN_BAD_INPUT, DUN_BAD_INPUT);
    fuzz_accepted(dun_gguf_array_i32(&numbers, &n, file, key), DUN_BAD_INPUT, DUN_BAD_INPUT);
    dun_free(numbers);
    dun_free(texts);
}

void fuzz_gguf(const uint8_t *bytes, size_t length) {
    dun_gguf *file = NULL;
    if (!fuzz_accepted(dun_gguf_parse(&file, bytes, length, "m.gguf"), DUN_BAD_INPUT, DUN_BAD_INPUT)) {
        FUZZ_EXPECT(!file);
        return;
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        read_key(file, keys[i]);
    for (size_t i = 0; i < dun_gguf_n_tensors(file); i++) {
        const dun_gguf_tensor *tensor = dun_gguf_tensor_at(file, i);
        const dun_quant_type *type = dun_quant_find(tensor->type);
        FUZZ_EXPECT(type && type->block_bytes);
        FUZZ_EXPECT(dun_gguf_find_tensor(file, tensor->name) == tensor);
        FUZZ_EXPECT(tensor->data >= bytes && tensor->bytes <= length &&
                    (size_t)(tensor->data - bytes) <= length - tensor->bytes);
        (void)dun_quant_finite(tensor->type, tensor->data,
                               tensor->bytes / type->block_bytes * type->block_values);
    }
    dun_gguf_free(file);
}

/* The first and last row of every slot: what was accepted is finite. */
static void read_rows(const dun_weights *weights) {
    const dun_spec *spec = dun_weights_spec(weights);
    for (unsigned slot = 0; slot < DUN_N_SLOTS; slot++) {
        if (!dun_spec_has(spec, slot))
            continue;
        uint32_t rows = dun_spec_size(spec, dun_slot_table[slot].rows);
        uint32_t columns = dun_spec_size(spec, dun_slot_table[slot].columns);
        uint32_t layer = dun_slot_table[slot].per_layer ? spec->n_layers - 1 : 0;
        float *row = dun_calloc(columns, sizeof *row);
        FUZZ_EXPECT(row);
        for (uint32_t i = 0; i < 2; i++) {
            FUZZ_EXPECT(dun_weights_read(row, weights, slot, layer, i ? rows - 1 : 0, 1) == DUN_OK);
            for (uint32_t c = 0; c < columns; c++)
                FUZZ_EXPECT(isfinite(row[c]));
        }
        dun_free(row);
    }
}

/* The ids of a text are below the vocabulary's size, and their spans lie in the text, in order. */
static void encode(dun_tokens *tokens, dun_tokenizer *tokenizer, const uint8_t *bytes, size_t length) {
    FUZZ_EXPECT(dun_tokenizer_encode(tokens, tokenizer, (const char *)bytes, length) == DUN_OK);
    for (size_t i = 0; i < tokens->n; i++)
        FUZZ_EXPECT(tokens->ids[i] < dun_tokenizer_vocab(tokenizer));
    for (size_t i = 0, end = 0; i < tokens->n; end = tokens->spans[i++].end)
        FUZZ_EXPECT(tokens->spans[i].begin >= end && tokens->spans[i].end >= tokens->spans[i].begin &&
                    tokens->spans[i].end <= length);
}

void fuzz_model(const uint8_t *bytes, size_t length) {
    static const char text[] = "the inn <|begin|>12 \xff\xc3\xa9";
    dun_weights *weights = NULL;
    dun_gguf *file = NULL;
    dun_tokenizer *tokenizer = NULL;
    dun_tokens tokens = {0};
    if (!fuzz_accepted(dun_gguf_parse(&file, bytes, length, "m.gguf"), DUN_BAD_INPUT, DUN_BAD_INPUT))
        return;
    if (fuzz_accepted(dun_weights_of_gguf(&weights, file), DUN_BAD_INPUT, DUN_BAD_INPUT))
        read_rows(weights);
    if (fuzz_accepted(dun_tokenizer_read_gguf(&tokenizer, file), DUN_BAD_INPUT, DUN_BAD_INPUT))
        encode(&tokens, tokenizer, (const uint8_t *)text, sizeof text - 1);
    dun_tokens_free(&tokens);
    dun_tokenizer_free(tokenizer);
    dun_weights_free(weights);
    dun_gguf_free(file);
}

/* What is on disk, whatever it is: recognised or refused, in parts or whole. */
void fuzz_door(const uint8_t *bytes, size_t length) {
    static const unsigned parts[] = {DUN_MODEL_SPEC, DUN_MODEL_TOKENIZER,
                                     DUN_MODEL_WEIGHTS | DUN_MODEL_TOKENIZER};
    const char *path = fuzz_file("model", bytes, length);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        dun_model_file *model = NULL;
        if (fuzz_accepted(dun_model_file_open(&model, path, parts[i]), DUN_BAD_INPUT, DUN_BAD_INPUT))
            FUZZ_EXPECT(length >= 4 && memcmp(bytes, "GGUF", 4) == 0);
        else
            FUZZ_EXPECT(!model);
        dun_model_file_free(model);
    }
}

static dun_tokenizer *fixture_tokenizer(void) {
    static dun_tokenizer *tokenizer;
    dun_gguf *file = NULL;
    if (!tokenizer) {
        FUZZ_EXPECT(dun_gguf_open(&file, SOURCE_DIR "/tests/fixtures/tiny-a.gguf") == DUN_OK);
        FUZZ_EXPECT(dun_tokenizer_read_gguf(&tokenizer, file) == DUN_OK);
        dun_gguf_free(file);
    }
    return tokenizer;
}

/* The pieces together are the text, but for bytes that are not UTF-8. The fixture spells every byte. */
void fuzz_tokenizer(const uint8_t *bytes, size_t length) {
    dun_tokenizer *tokenizer = fixture_tokenizer();
    dun_tokens tokens = {0};
    dun_str wanted = {0};
    size_t at = 0;
    encode(&tokens, tokenizer, bytes, length);
    FUZZ_EXPECT(dun_utf8_repair(&wanted, (const char *)bytes, length) == DUN_OK);
    FUZZ_EXPECT(tokens.n <= dun_tokenizer_most(tokenizer, (const char *)bytes, length));
    for (size_t i = 0; i < tokens.n; i++) {
        FUZZ_EXPECT(tokens.spans[i].begin == (i ? tokens.spans[i - 1].end : 0));
        size_t n;
        const char *piece = dun_tokenizer_piece(tokenizer, tokens.ids[i], &n);
        FUZZ_EXPECT(n <= wanted.length - at && memcmp(piece, wanted.bytes + at, n) == 0);
        at += n;
    }
    FUZZ_EXPECT(at == wanted.length);
    FUZZ_EXPECT(tokens.n == 0 || tokens.spans[tokens.n - 1].end == length);
    dun_str_free(&wanted);
    dun_tokens_free(&tokens);
}
