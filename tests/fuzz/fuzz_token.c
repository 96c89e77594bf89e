/* Tokenizers of folders, and of SentencePiece's kind. */
#include "base/err.h"
#include "base/mem.h"
#include "io/token/read_json.h"
#include "targets.h"

#include <string.h>

/* Ids are below the vocabulary's size, places follow each other in the text, and there are no more than
 * promised. A file's own pattern may take too many steps. */
static void encode(dun_tokenizer *tokenizer, const char *text, size_t length) {
    dun_tokens tokens = {0};
    if (fuzz_accepted(dun_tokenizer_encode_inside(&tokens, tokenizer, text, length), DUN_BAD_INPUT,
                      DUN_BAD_INPUT))
        FUZZ_EXPECT(tokens.n <= dun_tokenizer_most(tokenizer, text, length));
    for (size_t i = 0, end = 0; i < tokens.n; end = tokens.spans[i++].end) {
        FUZZ_EXPECT(tokens.ids[i] < dun_tokenizer_vocab(tokenizer));
        FUZZ_EXPECT(tokens.spans[i].begin >= end && tokens.spans[i].end >= tokens.spans[i].begin &&
                    tokens.spans[i].end <= length);
    }
    dun_tokens_free(&tokens);
}

void fuzz_tokenizerjson(const uint8_t *bytes, size_t length) {
    static const char text[] = "the inn <s>  12 <x>\n\xff\xc3\xa9"
                               "e\xcc\x81\xe2\x96\x81";
    static const char ascii[] = "the inn <s>  12 <x>\n"; /* which edits may leave */
    dun_tokenizer *tokenizer = NULL;
    fuzz_file("tokenizer.json", bytes, length);
    if (fuzz_accepted(dun_tokenizer_read_json(&tokenizer, fuzz_folder()), DUN_BAD_INPUT, DUN_BAD_INPUT)) {
        encode(tokenizer, text, sizeof text - 1);
        encode(tokenizer, ascii, sizeof ascii - 1);
    } else {
        FUZZ_EXPECT(!tokenizer);
    }
    dun_tokenizer_free(tokenizer);
}

/* Any text, by a vocabulary whose scores are equal in pairs, with spaces in front and added tokens. */
void fuzz_scores(const uint8_t *bytes, size_t length) {
    static const char *const texts[] = {"<unk>", "\xe2\x96\x81", "a",   "b",   "ab", "\xe2\x96\x81\x61",
                                        "aa",    "xy",           "<s>", "\n\n"};
    static const float scores[] = {0, -2, -3, -3, -1, -1, -1, -4, 0, 0};
    enum { N = sizeof texts / sizeof texts[0] };
    static dun_tokenizer *tokenizer;
    if (!tokenizer) {
        dun_slice tokens[N];
        uint8_t kinds[N] = {[0] = DUN_TOKEN_ADDED, [8] = DUN_TOKEN_ADDED, [9] = DUN_TOKEN_ADDED};
        const dun_added_token added[] = {{.id = 8, .content = {"<s>", 3}, .control = true, .rstrip = true},
                                         {.id = 9, .content = {"\n\n", 2}, .normalized = true}};
        const dun_edit edits[] = {{.kind = DUN_EDIT_NFC},
                                  {.kind = DUN_EDIT_PREPEND, .content = " "},
                                  {.kind = DUN_EDIT_REPLACE, .what = " ", .content = "\xe2\x96\x81"}};
        for (size_t i = 0; i < N; i++)
            tokens[i] = (dun_slice){texts[i], strlen(texts[i])};
        const dun_token_description from = {.file = "f",
                                            .tokens_name = "t",
                                            .merges_name = "m",
                                            .pattern_name = "p",
                                            .edits_name = "e",
                                            .tokens = tokens,
                                            .kinds = kinds,
                                            .n_tokens = N,
                                            .scores = scores,
                                            .added = added,
                                            .n_added = 2,
                                            .normal = edits,
                                            .n_normal = 3,
                                            .byte_fallback = true};
        FUZZ_EXPECT(dun_tokenizer_create(&tokenizer, &from) == DUN_OK);
    }
    encode(tokenizer, (const char *)bytes, length);
}
