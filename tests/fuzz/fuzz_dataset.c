/* Labelled texts. The first byte of an input chooses the options, the rest is the file. */
#include "base/err.h"
#include "base/utf8.h"
#include "io/data/dataset.h"
#include "targets.h"

#include <float.h>
#include <string.h>

enum { HEADER = 1, MAP = 2, LIMIT = 4, NAMES = 8, TRAINING = 16, NUMBERS = 32, WEIGHTS = 64 };

static void check_texts(const dun_dataset *data, const dun_labels *labels, size_t length) {
    FUZZ_EXPECT(data->n > 0 && data->n <= length);
    for (size_t i = 0; i < data->n; i++) {
        const dun_example *e = &data->examples[i];
        FUZZ_EXPECT(e->label < labels->n_classes);
        FUZZ_EXPECT(e->line > 0);
        FUZZ_EXPECT(e->weight > 0 && e->weight <= DBL_MAX);
        FUZZ_EXPECT(e->length > 0 && strlen(e->text) == e->length);
        FUZZ_EXPECT(dun_utf8_valid(e->text, e->length) == e->length);
    }
}

static void read_dataset(const char *name, const char *format, const uint8_t *bytes, size_t length) {
    uint8_t chosen = length ? bytes[0] : 0;
    dun_labels labels;
    dun_dataset *data = NULL;
    dun_dataset_options options = {.format = format,
                                   .header = chosen & HEADER,
                                   .limit = chosen & LIMIT ? 2 : 0,
                                   .training = chosen & TRAINING};
    if (chosen & NAMES) {
        options.text_column = "text";
        options.label_column = "label";
    } else if (chosen & NUMBERS) {
        options.text_column = "1";
        options.label_column = "0";
    }
    if (chosen & WEIGHTS)
        options.weight_column = chosen & NAMES ? "weight" : "2";
    FUZZ_EXPECT(dun_labels_parse(&labels, chosen & MAP ? "no:0, yes:1, ja:1" : NULL, "map") == DUN_OK);
    bytes += length > 0;
    length -= length > 0;
    if (fuzz_accepted(dun_dataset_parse(&data, &labels, bytes, length, name, &options), DUN_BAD_INPUT,
                      DUN_USAGE))
        check_texts(data, &labels, length);
    else
        FUZZ_EXPECT(!data);
    dun_dataset_free(data);
    dun_labels_free(&labels);
}

void fuzz_tsv(const uint8_t *bytes, size_t length) {
    read_dataset("data.tsv", "tsv", bytes, length);
}

void fuzz_csv(const uint8_t *bytes, size_t length) {
    read_dataset("data.csv", "auto", bytes, length);
}

void fuzz_jsonl(const uint8_t *bytes, size_t length) {
    read_dataset("data.jsonl.gz", "auto", bytes, length);
}
