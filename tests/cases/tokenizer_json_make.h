/* Files tokenizer.json in a folder of the test: of parts on a vocabulary of a few tokens, or of any text. */
#ifndef TOKENIZER_JSON_MAKE_H
#define TOKENIZER_JSON_MAKE_H

#include "base/file.h"
#include "io/token/read_json.h"
#include "tokenizer_make.h"

#include <stdlib.h>
#include <unistd.h>

#define BLANK "\xe2\x96\x81"

static dun_str folder;

static inline void write_text(const char *name, const char *text) {
    dun_str path = {0};
    expect_ok(dun_str_addf(&path, "%s/%s", folder.bytes, name));
    expect_ok(dun_file_write(path.bytes, text, strlen(text)));
    dun_str_free(&path);
}

static inline void remove_text(const char *name) {
    dun_str path = {0};
    expect_ok(dun_str_addf(&path, "%s/%s", folder.bytes, name));
    unlink(path.bytes);
    dun_str_free(&path);
}

/* The parts of a file as JSON; NULL: null, or nothing. */
typedef struct {
    const char *added, *normalizer, *pre, *post, *flags;
} parts;

static const char vocab[] = "{\"<unk>\":0,\"<s>\":1,\"a\":2,\"b\":3,\"c\":4,\"Ġ\":5,\"" BLANK
                            "\":6,\"ab\":7,\"Ġa\":8,\"1\":9,\"2\":10,\"\u00e9\":11,\"e\":12,\"\u0301\":13,"
                            "\"<0x0A>\":14,\"-\":15,\"" BLANK "a\":16,\"abc\":17,\"cc\":18,\"!\":19}";
static const char merges[] = "[[\"a\",\"b\"],\"Ġ a\",[\"" BLANK "\",\"a\"],\"c c\"]";

static inline void write_parts(const parts *p) {
    dun_str text = {0};
    expect_ok(dun_str_addf(&text,
                           "{\"added_tokens\":[%s],\"normalizer\":%s,\"pre_tokenizer\":%s,"
                           "\"post_processor\":%s,\"model\":{\"type\":\"BPE\",%s\"vocab\":%s,\"merges\":%s}}",
                           p->added ? p->added : "", p->normalizer ? p->normalizer : "null",
                           p->pre ? p->pre : "null", p->post ? p->post : "null", p->flags ? p->flags : "",
                           vocab, merges));
    write_text("tokenizer.json", text.bytes);
    dun_str_free(&text);
}

static inline dun_tokenizer *make(const parts *p) {
    dun_tokenizer *tokenizer = NULL;
    write_parts(p);
    expect_ok(dun_tokenizer_read_json(&tokenizer, folder.bytes));
    return tokenizer;
}

static inline int open_folder(void **state) {
    (void)state;
    return dun_dir_temporary(&folder, "tokenizer");
}

static inline int close_folder(void **state) {
    (void)state;
    remove_text("tokenizer.json");
    rmdir(folder.bytes);
    dun_str_free(&folder);
    return 0;
}

#define NORMAL(json)                                                                                         \
    { .normalizer = (json) }
#define PRE(json)                                                                                            \
    { .pre = (json) }
#define ADDED(content, flags) "{\"id\":20,\"content\":\"" content "\"" flags "}"
#define TEMPLATE(pieces)                                                                                     \
    "{\"type\":\"TemplateProcessing\",\"single\":[" pieces "],\"special_tokens\":{\"<s>\":{\"ids\":[1]},"    \
    "\"c\":{\"ids\":[4,18]}}}"
#define TEXT "{\"Sequence\":{\"id\":\"A\"}}"
#define TOKEN(name) "{\"SpecialToken\":{\"id\":\"" name "\"}}"
#define METASPACE(scheme, split)                                                                             \
    "{\"type\":\"Metaspace\",\"replacement\":\"" BLANK "\",\"prepend_scheme\":\"" scheme                     \
    "\",\"split\":" split "}"
#define SPLIT(pattern, behavior)                                                                             \
    "{\"type\":\"Split\",\"pattern\":{" pattern "},\"behavior\":\"" behavior "\"}"

#endif
