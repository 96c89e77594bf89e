/* Configs, label maps, JSON and the texts that commands answer one by one. */
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "config/config.h"
#include "io/data/dataset.h"
#include "io/data/gzip.h"
#include "io/data/lines.h"
#include "targets.h"

#include <string.h>

static bool same(const dun_str *a, const dun_str *b) {
    return a->length == b->length && (a->length == 0 || memcmp(a->bytes, b->bytes, a->length) == 0);
}

/* A config that was read is written so that it reads back to the same. */
void fuzz_config(const uint8_t *bytes, size_t length) {
    dun_config config, again;
    dun_str text = {0}, text_again = {0};
    FUZZ_EXPECT(dun_config_init(&config) == DUN_OK);
    FUZZ_EXPECT(dun_config_init(&again) == DUN_OK);
    if (fuzz_accepted(dun_config_parse(&config, (const char *)bytes, length, "none/c.ini"), DUN_USAGE,
                      DUN_USAGE)) {
        fuzz_accepted(dun_config_check(&config), DUN_USAGE, DUN_USAGE);
        FUZZ_EXPECT(dun_config_write(&text, &config) == DUN_OK);
        FUZZ_EXPECT(dun_config_parse(&again, text.bytes, text.length, "none/again.ini") == DUN_OK);
        FUZZ_EXPECT(dun_config_write(&text_again, &again) == DUN_OK);
        FUZZ_EXPECT(same(&text, &text_again));
    }
    dun_str_free(&text_again);
    dun_str_free(&text);
    dun_config_free(&again);
    dun_config_free(&config);
}

/* A value that was read is written so that it reads back to the same. */
void fuzz_json(const uint8_t *bytes, size_t length) {
    json_t *value = NULL, *again = NULL;
    dun_str text = {0}, text_again = {0};
    if (fuzz_accepted(dun_json_parse(&value, (const char *)bytes, length, "j.json", 1), DUN_BAD_INPUT,
                      DUN_BAD_INPUT)) {
        FUZZ_EXPECT(dun_json_dump(&text, value) == DUN_OK);
        FUZZ_EXPECT(dun_json_parse(&again, text.bytes, text.length, "again.json", 1) == DUN_OK);
        FUZZ_EXPECT(dun_json_dump(&text_again, again) == DUN_OK);
        FUZZ_EXPECT(same(&text, &text_again));
    } else {
        FUZZ_EXPECT(!value);
    }
    dun_str_free(&text_again);
    dun_str_free(&text);
    json_decref(again);
    json_decref(value);
}

void fuzz_labels(const uint8_t *bytes, size_t length) {
    dun_labels labels;
    char *map = dun_strndup((const char *)bytes, length);
    FUZZ_EXPECT(map);
    if (fuzz_accepted(dun_labels_parse(&labels, map, "map"), DUN_USAGE, DUN_USAGE)) {
        FUZZ_EXPECT(labels.n_classes <= DUN_CLASSES);
        for (uint32_t k = 0; k < labels.n_classes; k++)
            FUZZ_EXPECT(labels.names[k] && strlen(labels.names[k]) <= DUN_LABEL_BYTES);
        for (size_t i = 0; i < labels.n_words; i++)
            FUZZ_EXPECT(labels.words[i].id < labels.n_classes);
    }
    dun_labels_free(&labels);
    dun_free(map);
}

/* Lines are refused by their first bytes or not at all, but for those that are packed. */
static void read_lines(const char *path, enum dun_lines_mode mode, bool packed) {
    dun_lines *lines = NULL;
    const char *text;
    size_t length, n = 0;
    int rc;
    FUZZ_EXPECT(dun_lines_open(&lines, path, &(dun_lines_options){.mode = mode}) == DUN_OK);
    while ((rc = dun_lines_next(&text, &length, lines)) > 0) {
        n++;
        FUZZ_EXPECT(strlen(text) == length);
        FUZZ_EXPECT(dun_utf8_valid(text, length) == length);
        FUZZ_EXPECT(mode == DUN_LINES_JSONL || !strchr(text, '\n'));
    }
    fuzz_accepted(rc, DUN_BAD_INPUT, DUN_BAD_INPUT);
    FUZZ_EXPECT(rc == 0 || n == 0 || packed || mode == DUN_LINES_JSONL);
    dun_lines_close(lines);
}

void fuzz_lines(const uint8_t *bytes, size_t length) {
    const char *path = fuzz_file("lines.txt", bytes, length);
    const bool packed = dun_gzip_is(bytes, length);
    read_lines(path, DUN_LINES_PLAIN, packed);
    read_lines(path, DUN_LINES_JSONL, packed);
}
