/* dunlin embed: texts as vectors of a model, without a prompt and without any training. */
#include "session/embed.h"

#include "base/err.h"
#include "base/place.h"
#include "cmd/cmd.h"
#include "cmd/rows.h"
#include "cmd/shell/common.h"

#include <string.h>

enum { MOST_TEXTS = 4096 };

static enum dun_pool pool_of(const dun_args *args) {
    const char *word = dun_args_value(args, "pool");
    return word && strcmp(word, "mean") == 0 ? DUN_POOL_MEAN : DUN_POOL_LAST;
}

static int run(const dun_args *args) {
    int rc = DUN_OK;
    dun_overrides overrides = {0};
    dun_config config = {0};
    dun_embedder embedder = {0};
    dun_asked *asked = NULL;
    dun_progress progress;
    const char *path, *max_length = dun_args_value(args, "max-length");
    int64_t batch = 0;
    dun_observer observer = dun_progress_observer(&progress);
    TRY(dun_talk(&progress, args));
    TRY(dun_args_require(&path, args, "out"));
    if (strcmp(path, "-") != 0)
        TRY(dun_place_for_file(path));
    TRY(dun_args_count(&batch, args, "batch", 1, MOST_TEXTS));
    TRY(dun_overrides_read(&overrides, args));
    TRY(dun_experiment_model_config(&config, dun_args_operand(args, 0), &overrides));
    if (max_length)
        TRY(dun_config_put(&config, DUN_KEY_data_max_length, max_length, "--max-length"));
    TRY(dun_rows_ask(&asked, dun_args_operand(args, 1), args, &config));
    TRY(dun_embed_open(&embedder, &config, pool_of(args), (uint32_t)batch, &observer));
    TRY(dun_rows_write(path, &embedder.vectors, asked));
out:
    dun_progress_close(&progress);
    dun_embed_close(&embedder);
    dun_asked_close(asked);
    dun_config_free(&config);
    dun_overrides_free(&overrides);
    return rc;
}

static const dun_option options[] = {
    {.name = "out",
     .letter = 'o',
     .argument = "FILE",
     .help = "The file to write: NumPy's .npy, or .npz or .safetensors with an array `points` where its name "
             "ends so; - is an .npy on standard output."},
    {.name = "pool",
     .argument = "last|mean",
     .one_of = true,
     .help =
         "What of a text is taken: its last token (the default), or the mean over all of its tokens, those "
         "among them that the tokenizer puts before or after every text."},
    {.name = "max-length",
     .argument = "N",
     .help =
         "Tokens of a text; longer ones are cut, which is said. Else 512, or as many as the model reads."},
    {.name = "batch",
     .argument = "N",
     .help = "Most texts that are run at once, 1 to 4096; it changes memory and speed, never a value."},
    DUN_ROWS_OPTIONS,
    DUN_OVERRIDE_OPTIONS,
    DUN_TALK_OPTIONS,
    {0},
};

const dun_command dun_command_embed = {
    .name = "embed",
    .summary = "Write vectors of texts, which a model gives without any training.",
    .usage = "MODEL [FILE|-] --out FILE.npy|- [--pool last|mean] [--max-length N] [--input lines|tsv|jsonl] "
             "[--text COLUMN] [--device SELECTOR]",
    .help =
        "MODEL is a file, a folder or a name of `dunlin models`. Writes one row of float32 for each text, in "
        "order, as wide as the model: the hidden state after the last block and the final norm. Texts are "
        "read as `dunlin classify` reads them; one without a token gives a row of zeros.\n\n"
        "With --set model.layer=N the rows are those after block N, without the final norm; with --set "
        "model.normalize=unit each has length 1.",
    .options = options,
    .min_operands = 1,
    .max_operands = 2,
    .run = run,
};
