/* tokenizer.json as a tokenizer's description. See read_json.h. */
#include "io/token/read_json.h"

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "io/token/json_part.h"

#include <string.h>
#include <unistd.h>

enum { MAX_BYTES = 256 << 20 }; /* the largest in use has some 30 MB */

static dun_slice text_of(const json_t *string) {
    return (dun_slice){json_string_value(string), json_string_length(string)};
}

/* Parses a file of the folder; *out stays NULL where it is absent and may be. */
static int read_file(json_t **out, const char *path, bool needed) {
    int rc = DUN_OK;
    dun_file file = {0};
    if (!needed && access(path, F_OK) != 0)
        return DUN_OK;
    TRY(dun_file_map(&file, path));
    if (file.length > MAX_BYTES)
        TRY(dun_error(DUN_BAD_INPUT, "%s has %zu bytes; at most %d are read", path, file.length, MAX_BYTES));
    TRY(dun_json_parse(out, (const char *)file.bytes, file.length, path, 1));
    if (!json_is_object(*out))
        TRY(dun_error(DUN_BAD_INPUT, "%s is not a JSON object; one is needed", path));
out:
    dun_file_unmap(&file);
    return rc;
}

/* Puts a token at its id, which is one of 0 .. n_tokens - 1 that no other has: so there are no holes. */
static int put_token(dun_json_tokenizer *r, const json_t *id, dun_slice text, const char *where) {
    const json_int_t value = json_is_integer(id) ? json_integer_value(id) : -1;
    const char *fault = NULL;
    if (value < 0)
        fault = "has an id that is no whole number from 0 on";
    else if ((uint64_t)value >= r->to.n_tokens)
        fault = "has an id beyond the number of tokens; ids without holes are needed";
    else if (r->tokens[value].bytes)
        fault = "has the id of another token; every id once is needed";
    if (fault)
        return dun_token_refuse(r->path, where, value < 0 ? 0 : (size_t)value, text, fault);
    r->tokens[value] = text;
    return DUN_OK;
}

static int read_vocab(dun_json_tokenizer *r, json_t *vocab, const json_t *added) {
    int rc = DUN_OK;
    const char *text;
    json_t *id;
    if (!json_is_object(vocab))
        TRY(dun_json_refuse(r, "model.vocab", "is not an object; tokens and their ids are needed"));
    r->to.n_tokens = json_object_size(vocab);
    for (size_t i = 0; i < json_array_size(added); i++) {
        const json_t *content = json_object_get(json_array_get(added, i), "content");
        r->to.n_tokens += !json_is_string(content) || !json_object_get(vocab, json_string_value(content));
    }
    TRY_NEW(r->tokens, r->to.n_tokens);
    TRY_NEW(r->kinds, r->to.n_tokens);
    json_object_foreach(vocab, text, id) {
        const dun_slice token = {text, strlen(text)};
        TRY(put_token(r, id, token, "model.vocab"));
        if (r->to.byte_fallback && dun_token_byte(token) >= 0)
            r->kinds[json_integer_value(id)] = DUN_TOKEN_BYTE;
    }
    r->to.tokens = r->tokens;
    r->to.kinds = r->kinds;
out:
    return rc;
}

static int read_added_token(dun_json_tokenizer *r, const json_t *value, const json_t *vocab,
                            const char *where) {
    int rc;
    const char *content;
    dun_added_token *to = &r->added[r->to.n_added];
    const json_t *id = json_object_get(value, "id");
    TRY(dun_json_get_string(&content, r, value, "content", where, NULL));
    const json_t *known = json_object_get(vocab, content);
    to->content = (dun_slice){content, strlen(content)};
    if (!known)
        TRY(put_token(r, id, to->content, "added_tokens"));
    else if (!json_is_integer(id) || json_integer_value(id) != json_integer_value(known))
        TRY(dun_json_refuse(r, where, "has another id than in model.vocab; the same is needed"));
    to->id = (uint32_t)json_integer_value(id);
    r->kinds[to->id] = known ? DUN_TOKEN_ADDED : DUN_TOKEN_APART;
    TRY(dun_json_get_bool(&to->control, r, value, "special", where, false));
    TRY(dun_json_get_bool(&to->normalized, r, value, "normalized", where, !to->control));
    TRY(dun_json_get_bool(&to->single_word, r, value, "single_word", where, false));
    TRY(dun_json_get_bool(&to->lstrip, r, value, "lstrip", where, false));
    TRY(dun_json_get_bool(&to->rstrip, r, value, "rstrip", where, false));
    r->to.n_added++;
out:
    return rc;
}

static int read_added(dun_json_tokenizer *r, const json_t *added, const json_t *vocab) {
    int rc = DUN_OK;
    TRY_NEW(r->added, json_array_size(added));
    r->to.added = r->added;
    for (size_t i = 0; i < json_array_size(added); i++) {
        char where[DUN_JSON_WHERE];
        dun_json_where_at(where, "", "added_tokens", i);
        TRY(read_added_token(r, json_array_get(added, i), vocab, where));
    }
out:
    return rc;
}

/* "left right", or a pair of both. */
static int read_merge(dun_json_tokenizer *r, const json_t *value, size_t i) {
    char where[DUN_JSON_WHERE];
    const json_t *left = json_array_get(value, 0), *right = json_array_get(value, 1);
    dun_json_where_at(where, "model", "merges", i);
    if (json_is_string(value)) {
        const dun_slice text = text_of(value);
        const char *space = memchr(text.bytes, ' ', text.length);
        const size_t n = space ? (size_t)(space - text.bytes) : 0;
        if (n == 0 || n + 1 == text.length || memchr(space + 1, ' ', text.length - n - 1))
            return dun_json_refuse(r, where, "has no two parts; two tokens are needed");
        r->merges[i] = (dun_merge){{text.bytes, n}, {space + 1, text.length - n - 1}};
    } else if (json_array_size(value) == 2 && json_is_string(left) && json_is_string(right)) {
        r->merges[i] = (dun_merge){text_of(left), text_of(right)};
    } else {
        return dun_json_refuse(r, where, "is neither a text nor a pair of texts; two tokens are needed");
    }
    return DUN_OK;
}

static int read_merges(dun_json_tokenizer *r, const json_t *merges) {
    int rc = DUN_OK;
    if (!json_is_array(merges))
        TRY(dun_json_refuse(r, "model.merges", "is not an array; one is needed"));
    TRY_NEW(r->merges, json_array_size(merges));
    r->to.merges = r->merges;
    for (; r->to.n_merges < json_array_size(merges); r->to.n_merges++)
        TRY(read_merge(r, json_array_get(merges, r->to.n_merges), r->to.n_merges));
out:
    return rc;
}

/* What the model does, but for its tables. Files from before there were other models name no type. */
static int read_model(dun_json_tokenizer *r, const json_t *model) {
    int rc;
    const char *type, *prefix, *suffix;
    const json_t *dropout = json_object_get(model, "dropout");
    if (!json_is_object(model))
        TRY(dun_json_refuse(r, "model", "is not an object; one is needed"));
    TRY(dun_json_get_string(&type, r, model, "type", "model",
                            json_object_get(model, "merges") ? "BPE" : "none"));
    if (strcmp(type, "BPE") != 0)
        TRY(dun_json_refuse_name(r, "model.type", type, "BPE"));
    TRY(dun_json_get_string(&prefix, r, model, "continuing_subword_prefix", "model", ""));
    TRY(dun_json_get_string(&suffix, r, model, "end_of_word_suffix", "model", ""));
    if (*prefix || *suffix)
        TRY(dun_json_refuse(r, "model", "marks where words continue or end, which is not followed"));
    if (json_is_number(dropout) && json_number_value(dropout) > 0)
        TRY(dun_json_refuse(r, "model.dropout", "leaves merges out at random; null is needed"));
    TRY(dun_json_get_bool(&r->to.byte_fallback, r, model, "byte_fallback", "model", false));
    TRY(dun_json_get_bool(&r->to.fuse_unknown, r, model, "fuse_unk", "model", false));
    TRY(dun_json_get_bool(&r->to.ignore_merges, r, model, "ignore_merges", "model", false));
out:
    return rc;
}

static int read_unknown(dun_json_tokenizer *r, const json_t *model, const json_t *vocab) {
    const char *text;
    int rc = dun_json_get_string(&text, r, model, "unk_token", "model", "");
    const json_t *id = rc == DUN_OK && *text ? json_object_get(vocab, text) : NULL;
    r->to.unknown = id ? (uint32_t)json_integer_value(id) : DUN_NO_TOKEN;
    if (rc == DUN_OK && *text && !id)
        rc = dun_json_refuse(r, "model.unk_token", "is none of the tokens; one of them is needed");
    return rc;
}

static int read_parts(dun_json_tokenizer *r, const json_t *root) {
    int rc;
    const json_t *model = json_object_get(root, "model"), *added = json_object_get(root, "added_tokens");
    json_t *vocab = json_object_get(model, "vocab");
    if (added && !json_is_null(added) && !json_is_array(added))
        TRY(dun_json_refuse(r, "added_tokens", "is not an array; one is needed"));
    TRY(read_model(r, model));
    TRY(dun_json_read_normalizer(r, json_object_get(root, "normalizer")));
    TRY(dun_json_read_pretokenizer(r, json_object_get(root, "pre_tokenizer")));
    TRY(read_vocab(r, vocab, added));
    TRY(read_added(r, added, vocab));
    TRY(read_unknown(r, model, vocab));
    TRY(read_merges(r, json_object_get(model, "merges")));
    TRY(dun_json_read_postprocessor(r, json_object_get(root, "post_processor")));
out:
    return rc;
}

/* The id of a token that begins texts, by its text. */
static int add_bos(dun_json_tokenizer *r, const char *path, const char *text) {
    int rc;
    const size_t n = strlen(text);
    for (size_t id = 0; id < r->to.n_tokens; id++)
        if (r->tokens[id].length == n && memcmp(r->tokens[id].bytes, text, n) == 0) {
            TRY_NEW(r->begin, 1);
            r->begin[0] = (uint32_t)id;
            r->to.begin = r->begin;
            r->to.n_begin = 1;
            return DUN_OK;
        }
    rc = dun_error(DUN_BAD_INPUT, "%s: bos_token is none of the tokens, but add_bos_token asks for it", path);
out:
    return rc;
}

/* Where no template says what begins a text, tokenizer_config.json does: its add_bos_token and bos_token, a
 * text or an object with one. */
static int read_config(dun_json_tokenizer *r, const char *path) {
    int rc;
    bool wanted;
    const char *text = NULL;
    json_t *root = NULL;
    dun_json_tokenizer config = {.path = path};
    TRY(read_file(&root, path, false));
    TRY(dun_json_get_bool(&wanted, &config, root, "add_bos_token", "", false));
    if (!wanted || r->has_template)
        goto out;
    const json_t *bos = json_object_get(root, "bos_token");
    if (json_is_object(bos))
        TRY(dun_json_get_string(&text, &config, bos, "content", "bos_token", NULL));
    else
        TRY(dun_json_get_string(&text, &config, root, "bos_token", "", NULL));
    TRY(add_bos(r, path, text));
out:
    json_decref(root);
    return rc;
}

static void free_reader(dun_json_tokenizer *r) {
    dun_free(r->tokens);
    dun_free(r->kinds);
    dun_free(r->merges);
    dun_free(r->added);
    dun_free(r->normal);
    dun_free(r->prepare);
    dun_free(r->cuts);
    dun_free(r->begin);
}

int dun_tokenizer_read_json(dun_tokenizer **out, const char *folder) {
    int rc;
    json_t *root = NULL;
    dun_str path = {0}, config = {0};
    dun_json_tokenizer r = {.to = {.tokens_name = "model.vocab",
                                   .merges_name = "model.merges",
                                   .pattern_name = "pre_tokenizer",
                                   .edits_name = "normalizer",
                                   .unknown = DUN_NO_TOKEN}};
    *out = NULL;
    TRY(dun_str_addf(&path, "%s/tokenizer.json", folder));
    TRY(dun_str_addf(&config, "%s/tokenizer_config.json", folder));
    r.path = r.to.file = path.bytes;
    if (access(path.bytes, F_OK) != 0)
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s is not there; it holds the tokenizer. transformers writes it: "
                      "AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)",
                      path.bytes));
    TRY(read_file(&root, path.bytes, true));
    TRY(read_parts(&r, root));
    TRY(read_config(&r, config.bytes));
    TRY(dun_tokenizer_create(out, &r.to));
out:
    free_reader(&r);
    json_decref(root);
    dun_str_free(&path);
    dun_str_free(&config);
    return rc;
}
