/* The keys tokenizer.ggml.* of a GGUF file as a tokenizer's description. */
#include "io/token/read_gguf.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "io/token/description.h"
#include "io/token/pre_tags.h"

#include <string.h>

static const char model_key[] = "tokenizer.ggml.model", tokens_key[] = "tokenizer.ggml.tokens",
                  types_key[] = "tokenizer.ggml.token_type", scores_key[] = "tokenizer.ggml.scores",
                  merges_key[] = "tokenizer.ggml.merges", pre_key[] = "tokenizer.ggml.pre",
                  bos_key[] = "tokenizer.ggml.bos_token_id", add_bos_key[] = "tokenizer.ggml.add_bos_token",
                  eos_key[] = "tokenizer.ggml.eos_token_id", add_eos_key[] = "tokenizer.ggml.add_eos_token",
                  unknown_key[] = "tokenizer.ggml.unknown_token_id",
                  space_key[] = "tokenizer.ggml.add_space_prefix";

/* Ids that a file may name; each must be one of its tokens. */
static const char *const id_keys[] = {
    bos_key,
    eos_key,
    "tokenizer.ggml.eot_token_id",
    unknown_key,
    "tokenizer.ggml.seperator_token_id", /* as the format spells it */
    "tokenizer.ggml.padding_token_id",
};

/* Token types of the file. */
enum { NORMAL = 1, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE };
static const uint8_t kinds_by_type[BYTE + 1] = {
    [NORMAL] = DUN_TOKEN_NORMAL,      [UNKNOWN] = DUN_TOKEN_ADDED, [CONTROL] = DUN_TOKEN_ADDED,
    [USER_DEFINED] = DUN_TOKEN_ADDED, [UNUSED] = DUN_TOKEN_NORMAL, [BYTE] = DUN_TOKEN_BYTE,
};

/* What the names of tokenizer.ggml.model mean. In texts of SentencePiece's kind U+2581 stands for a space. */
static const dun_edit blanks[] = {{.kind = DUN_EDIT_PREPEND, .content = " "},
                                  {.kind = DUN_EDIT_REPLACE, .what = " ", .content = "\xe2\x96\x81"}};
static const dun_edit to_nfc = {.kind = DUN_EDIT_NFC};
static const dun_cut lines = {.pattern = "[^\\n]+|\\n+"};
typedef struct {
    const char *name;
    bool byte_level, by_scores, by_lines;
    bool add_bos, add_space; /* where the file does not say */
} model_kind;
static const model_kind kinds[] = {
    {"gpt2", .byte_level = true},
    {"llama", .by_scores = true, .add_bos = true, .add_space = true},
    {"gemma4", .by_lines = true, .add_bos = true},
};
enum { N_KINDS = sizeof kinds / sizeof kinds[0] };

/* What a description borrows. */
typedef struct {
    const dun_gguf *file;
    const model_kind *kind;
    const dun_pre_tag *tag; /* of byte-level vocabularies */
    dun_token_description to;
    dun_slice *tokens;
    uint8_t *kinds;
    float *scores;
    dun_merge *merges;
    dun_added_token *added;
    uint32_t bos;
} reader;

static int read_kind(reader *r) {
    int rc;
    dun_slice model;
    dun_str shown = {0};
    TRY(dun_gguf_get_string(&model, r->file, model_key));
    for (size_t i = 0; i < N_KINDS; i++)
        if (strlen(kinds[i].name) == model.length && memcmp(kinds[i].name, model.bytes, model.length) == 0)
            r->kind = &kinds[i];
    if (!r->kind) {
        TRY(dun_utf8_show(&shown, model.bytes, model.length));
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: %s is '%s'; gpt2 (byte-level BPE), llama (SentencePiece's BPE) and gemma4 are "
                      "supported",
                      r->to.file, model_key, shown.bytes));
    }
    r->to.byte_level = r->kind->byte_level;
    r->to.byte_fallback = !r->kind->byte_level;
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

/* In files of Phi-3, control tokens take the blanks behind them along, as its tokenizer.json says and GGUF
 * cannot, but for three (llama.cpp, llama-vocab.cpp, has the same exception by the model's name). */
static bool takes_blanks(const reader *r, dun_slice token) {
    static const char *const others[] = {"<unk>", "<s>", "<|endoftext|>"};
    dun_slice architecture;
    if (!r->kind->by_scores || !dun_gguf_has(r->file, "general.architecture") ||
        dun_gguf_get_string(&architecture, r->file, "general.architecture") < 0 || architecture.length != 4 ||
        memcmp(architecture.bytes, "phi3", 4) != 0)
        return false;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strlen(others[i]) == token.length && memcmp(others[i], token.bytes, token.length) == 0)
            return false;
    return true;
}

static void add_token(reader *r, uint32_t id, int32_t type) {
    const bool control = type == CONTROL || type == UNKNOWN;
    r->added[r->to.n_added++] = (dun_added_token){.id = id,
                                                  .content = r->tokens[id],
                                                  .control = control,
                                                  .rstrip = control && takes_blanks(r, r->tokens[id])};
}

static int read_types(reader *r) {
    int rc;
    size_t n;
    int32_t *types = NULL;
    TRY(check_length(r, types_key));
    TRY(dun_gguf_array_i32(&types, &n, r->file, types_key));
    TRY_NEW(r->kinds, n);
    TRY_NEW(r->added, n);
    for (size_t id = 0; id < n; id++) {
        if (types[id] < NORMAL || types[id] > BYTE)
            TRY(dun_error(DUN_BAD_INPUT, "%s: %s[%zu] is %d; a type from %d to %d is needed", r->to.file,
                          types_key, id, types[id], NORMAL, BYTE));
        r->kinds[id] = kinds_by_type[types[id]];
        if (r->kinds[id] == DUN_TOKEN_ADDED)
            add_token(r, (uint32_t)id, types[id]);
    }
    r->to.kinds = r->kinds;
    r->to.added = r->added;
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
        TRY(read_types(r));
out:
    return rc;
}

/* The cuts of the name in tokenizer.ggml.pre. Without that key the tokens may tell; else it is a guess. */
static int read_pre(reader *r) {
    int rc = DUN_OK;
    dun_slice name = {"default", strlen("default")};
    if (!r->kind->byte_level) { /* the key says nothing of these */
        r->to.cuts = &lines;
        r->to.n_cuts = r->kind->by_lines;
        goto out;
    }
    if (dun_gguf_has(r->file, pre_key)) {
        TRY(dun_gguf_get_string(&name, r->file, pre_key));
    } else {
        const char *guess = dun_pre_tag_guess(r->tokens, r->to.n_tokens);
        if (guess)
            name = (dun_slice){guess, strlen(guess)};
        dun_warn("%s: %s is missing, which says how texts are cut into words; %s", r->to.file, pre_key,
                 guess ? guess
                       : "WORDS ARE GUESSED, results may be bad: a newer file of the model has the key");
    }
    TRY(dun_pre_tag_find(&r->tag, name, r->to.file, pre_key));
    r->to.cuts = r->tag->cuts;
    while (r->tag->cuts[r->to.n_cuts].pattern)
        r->to.n_cuts++;
    r->to.ignore_merges = r->tag->ignore_merges;
    if (dun_pre_tag_is_nfc(name)) {
        r->to.normal = &to_nfc;
        r->to.n_normal = 1;
    }
out:
    return rc;
}

static int read_space(reader *r) {
    int rc = DUN_OK, add_space = r->kind->add_space;
    if (r->kind->byte_level)
        goto out;
    if (dun_gguf_has(r->file, space_key))
        TRY(dun_gguf_get_bool(&add_space, r->file, space_key));
    r->to.normal = add_space ? blanks : blanks + 1;
    r->to.n_normal = add_space ? 2 : 1;
out:
    return rc;
}

static int read_ids(reader *r) {
    int rc = DUN_OK;
    for (size_t i = 0; i < sizeof id_keys / sizeof id_keys[0]; i++) {
        uint32_t id;
        if (!dun_gguf_has(r->file, id_keys[i]))
            continue;
        TRY(dun_gguf_get_u32(&id, r->file, id_keys[i]));
        if (id >= r->to.n_tokens)
            TRY(dun_error(DUN_BAD_INPUT, "%s: %s is %u; one of the %zu tokens is needed", r->to.file,
                          id_keys[i], id, r->to.n_tokens));
    }
    r->to.unknown = DUN_NO_TOKEN;
    if (!r->kind->byte_level && dun_gguf_has(r->file, unknown_key))
        TRY(dun_gguf_get_u32(&r->to.unknown, r->file, unknown_key));
out:
    return rc;
}

/* What begins a text. Where the file does not say whether, its kind does; without an id there is nothing. */
static int read_begin(reader *r) {
    int rc = DUN_OK, add_eos = 0, add_bos = r->kind->add_bos || (r->tag && r->tag->add_bos);
    if (dun_gguf_has(r->file, add_bos_key))
        TRY(dun_gguf_get_bool(&add_bos, r->file, add_bos_key));
    else if (!dun_gguf_has(r->file, bos_key))
        add_bos = 0;
    if (add_bos) {
        TRY(dun_gguf_get_u32(&r->bos, r->file, bos_key));
        r->to.begin = &r->bos;
        r->to.n_begin = 1;
    }
    if (dun_gguf_has(r->file, add_eos_key))
        TRY(dun_gguf_get_bool(&add_eos, r->file, add_eos_key));
    if (add_eos)
        dun_warn("%s: %s asks for a token at the end of texts; it is left out, as a prompt follows them",
                 r->to.file, add_eos_key);
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

/* Scores that are all the same have lost their order: converters write them where they had none. */
static int read_order(reader *r) {
    int rc = DUN_OK;
    size_t n = 0;
    bool differ = false;
    if (r->kind->by_scores) {
        TRY(dun_gguf_array_f32(&r->scores, &n, r->file, scores_key));
        for (size_t i = 1; i < n && !differ; i++)
            differ = r->scores[i] != r->scores[0];
        if (differ || n < 2) {
            r->to.scores = r->scores;
            goto out;
        }
        if (!dun_gguf_has(r->file, merges_key))
            TRY(dun_error(DUN_BAD_INPUT,
                          "%s: %s are all %g, and there is no %s; a file with the tokens' scores is needed",
                          r->to.file, scores_key, (double)r->scores[0], merges_key));
    }
    TRY(read_merges(r));
out:
    return rc;
}

int dun_tokenizer_read_gguf(dun_tokenizer **out, const dun_gguf *file) {
    int rc;
    reader r = {.file = file,
                .to = {.file = dun_gguf_name(file),
                       .tokens_name = tokens_key,
                       .merges_name = merges_key,
                       .pattern_name = pre_key,
                       .edits_name = model_key}};
    TRY(read_kind(&r));
    TRY(read_tokens(&r));
    TRY(read_pre(&r));
    TRY(read_space(&r));
    TRY(read_ids(&r));
    TRY(read_begin(&r));
    TRY(read_order(&r));
    TRY(dun_tokenizer_create(out, &r.to));
out:
    dun_free(r.tokens);
    dun_free(r.kinds);
    dun_free(r.scores);
    dun_free(r.merges);
    dun_free(r.added);
    return rc;
}
