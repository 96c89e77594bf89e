/* dunlin tokenize: the token ids of texts, as the experiments see them. */
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "cmd/cmd.h"
#include "cmd/out.h"
#include "config/paths.h"
#include "io/data/lines.h"
#include "io/model_file.h"
#include "session/model_name.h"

#include <string.h>

/* {"text": ..., "ids": [...]} */
static int print_text(dun_tokenizer *tokenizer, dun_tokens *tokens, const char *text, size_t length) {
    int rc = DUN_OK;
    json_t *object = json_object(), *ids = json_array();
    tokens->n = 0;
    TRY(dun_tokenizer_encode(tokens, tokenizer, text, length));
    TRY(dun_json_set(object, "text", json_stringn(text, length)));
    for (size_t i = 0; i < tokens->n; i++)
        TRY(dun_json_append(ids, json_integer((json_int_t)tokens->ids[i])));
    TRY(dun_json_set(object, "ids", json_incref(ids)));
    TRY(dun_out_json(object));
out:
    json_decref(ids);
    json_decref(object);
    return rc;
}

static int print_all(dun_tokenizer *tokenizer, dun_lines *lines) {
    int rc = DUN_OK;
    dun_tokens tokens = {0};
    const char *text;
    size_t length;
    for (;;) {
        TRY(dun_out_wanted());
        while ((rc = dun_lines_ready(lines)) == 0)
            TRY(dun_out_await(dun_lines_fd(lines)));
        TRY(rc);
        TRY(dun_lines_next(&text, &length, lines));
        if (rc == 0)
            break;
        TRY(print_text(tokenizer, &tokens, text, length));
    }
    if (dun_lines_repaired(lines))
        dun_warn("%s: texts that are not all UTF-8: %zu; U+FFFD stands for what is not",
                 dun_lines_name(lines), dun_lines_repaired(lines));
out:
    dun_tokens_free(&tokens);
    return rc;
}

static int run(const dun_args *args) {
    int rc = DUN_OK;
    char *found = NULL;
    dun_model_file *file = NULL;
    dun_lines *lines = NULL;
    const char *model, *input = dun_args_value(args, "input"), *path = dun_args_operand(args, 0);
    const bool jsonl = input && strcmp(input, "jsonl") == 0;
    TRY(dun_args_require(&model, args, "model"));
    TRY(dun_model_name_find(&found, model));
    TRY(dun_model_file_open(&file, found, DUN_MODEL_TOKENIZER));
    const dun_lines_options options = {.mode = jsonl ? DUN_LINES_JSONL : DUN_LINES_PLAIN};
    TRY(dun_lines_open(&lines, path ? path : "-", &options));
    TRY(print_all(dun_model_file_tokenizer(file), lines));
out:
    dun_lines_close(lines);
    dun_model_file_free(file);
    dun_free(found);
    return rc;
}

static const dun_option options[] = {
    {.name = "model",
     .argument = "FILE",
     .environment = "DUNLIN_MODEL_PATH",
     .help = "Model whose tokenizer is used: a file, a folder, or a name of `dunlin models`."},
    {.name = "input",
     .argument = "lines|jsonl",
     .one_of = true,
     .help = "What a line of FILE is: a text (the default), or an object with a key \"text\"."},
    {.name = "json", .help = "JSON lines, which is what is printed anyway."},
    {0},
};

const dun_command dun_command_tokenize = {
    .name = "tokenize",
    .summary = "Show the token ids of texts, one JSON line each.",
    .usage = "--model FILE [FILE|-] [--input lines|jsonl] [--json]",
    .help = "Reads texts from FILE or standard input and prints for each a line\n"
            "{\"text\": ..., \"ids\": [...]}.",
    .options = options,
    .max_operands = 1,
    .run = run,
};
