/* The configuration: INI files and --set assignments become one struct of plain values. Everything about a
 * key (type, default, range, help, what it touches, what it needs ...) stands once, in config.def.
 *
 * Files: `[section]` lines, `key = value` lines from the left margin, comments after `;` or `#` at the start
 * of a line and after " ;" behind a value. A value in double quotes keeps its spaces and semicolons; inside,
 * \" \\ \n \t stand for what they do in C. `include = other.ini` before the first section reads another file
 * first, its path relative to the including file. All other paths are taken as written (see paths.h).
 *
 * Every failure here is DUN_USAGE with `file:line: what; what would be right`, DUN_FAILED without memory. */
#ifndef DUN_CONFIG_H
#define DUN_CONFIG_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Caps: a value in a config; a line of a file (a value with every byte escaped still fits); a file. */
enum { DUN_CONFIG_VALUE_BYTES = 2000, DUN_CONFIG_LINE_BYTES = 4096, DUN_CONFIG_FILE_BYTES = 1 << 20 };

/* The enums of choices: enum dun_model_point { DUN_POINT_HIDDEN, DUN_POINT_LOGITS }; and so on. */
#define WORD(id, word) DUN_##id,
#define CHOICE(section, key, initial, touches, traits, help, words) enum dun_##section##_##key{words};
#include "config/config.def"
#undef WORD

/* DUN_KEY_<section>_<key>: row of dun_config_key_table. */
enum dun_config_id {
#define KEY(section, key) DUN_KEY_##section##_##key,
#include "config/config.def"
    DUN_N_KEYS
};

enum dun_config_section_id {
#define SECTION(name, help) DUN_SECTION_##name,
#include "config/config.def"
    DUN_N_SECTIONS
};

/* Values by section: config.prompt.lr. What a key without a value holds: a string "" (never NULL), an
 * integer DUN_CONFIG_UNSET, a real NAN; yes/no and choices always have a value. */
enum { DUN_CONFIG_UNSET = -1 };
typedef struct {
#define SECTION(name, help) struct {
#define END(name)                                                                                            \
    }                                                                                                        \
    name;
#define STRING(section, key, initial, unset, touches, traits, help) const char *key;
#define INTEGER(section, key, initial, unset, range, unit, touches, traits, help) int64_t key;
#define REAL(section, key, initial, unset, range, unit, touches, traits, help) double key;
#define YES_NO(section, key, initial, touches, traits, help) bool key;
#define CHOICE(section, key, initial, touches, traits, help, words) enum dun_##section##_##key key;
#include "config/config.def"
    char *origins[DUN_N_KEYS]; /* where each value was set; NULL: nowhere, it is the default */
    char *run;                 /* the folder of the run that it is the config of; NULL: of none */
    char *
        written[DUN_N_KEYS]; /* what the run's config.ini has of a path that was found elsewhere; else NULL */
    char *recorded[DUN_N_KEYS]; /* of that run: where the files were that it read, full paths; NULL: not known
                                 */
} dun_config;

enum dun_config_type {
    DUN_CONFIG_STRING,
    DUN_CONFIG_INTEGER,
    DUN_CONFIG_REAL,
    DUN_CONFIG_YES_NO,
    DUN_CONFIG_CHOICE
};

/* What is made anew for another value of a key, the dearest last. */
enum dun_scope {
    DUN_SCOPE_RUN,  /* only the training, prompt included: all else can be shared */
    DUN_SCOPE_DATA, /* the texts: they are read and run through the model again */
    DUN_SCOPE_MODEL /* the device, the model, or how texts are run through it */
};

/* What else is to be known of a key; bits. */
enum dun_config_trait {
    DUN_TRAIT_PATH = 1,    /* the path of a file that is read: it is looked for, see paths.h */
    DUN_TRAIT_DEVICES = 2, /* names devices */
    DUN_TRAIT_ROWS = 4,    /* shapes the starting prompt: how many rows, and what they are */
    DUN_TRAIT_POINT = 8,   /* beside the prompt, what a text's point depends on */
    DUN_TRAIT_ANSWER = 16, /* how an answer is made of a point and the centroids */
    DUN_TRAIT_SOURCE =
        128, /* how a file of texts is read, which the records that come out of it tell as well */
    DUN_TRAIT_OUTPUT = 64, /* the path of what is written: it is not looked for */
    DUN_TRAIT_LATER = 32   /* came after version 0.1, whose checkpoints go on: its default is not hashed */
};

typedef struct {
    double min, max;
    bool above, below; /* min, max itself is excluded */
} dun_config_range;

typedef struct {
    const char *section, *name;
    enum dun_config_type type;
    const char *initial; /* the default, as a file would hold it */
    const char *unset;   /* the word for "not set", perhaps empty; NULL: the key always has a value */
    const char *unit;    /* "" : none */
    const char *help;
    dun_config_range range;     /* of integers and reals */
    const char *const *choices; /* the words of a choice by enum value, then NULL; NULL for other types */
    size_t offset;              /* of the value in dun_config */
    enum dun_scope scope;
    unsigned traits; /* enum dun_config_trait */
} dun_config_key;

typedef struct {
    const char *name, *help;
} dun_config_section;

/* For help, sweeps, the man page: every key in the order of the sections. */
extern const dun_config_key dun_config_key_table[DUN_N_KEYS];
extern const dun_config_section dun_config_section_table[DUN_N_SECTIONS];

/* Fills in the defaults; config needs dun_config_free afterwards, whatever is returned. After a failure of
 * any function below the config still is whole: the keys before the fault are set. */
int dun_config_init(dun_config *config);
void dun_config_free(dun_config *config);

/* Reads a file, or the text of one (`name` is used in messages and for includes), over what is there. */
int dun_config_load(dun_config *config, const char *path);
int dun_config_parse(dun_config *config, const char *bytes, size_t length, const char *name);

/* "section.key=value" as --set takes it: what follows the '=' is the value, spaces included; a value in
 * double quotes is read as in a file. */
int dun_config_set(dun_config *config, const char *assignment);

/* Sets one key to a value without quotes; `origin` says who did, in messages and dun_config_origin. */
int dun_config_put(dun_config *config, enum dun_config_id id, const char *value, const char *origin);

/* Keys against each other: impossible combinations. */
int dun_config_check(const dun_config *config);

/* The dearest scope among the keys whose values differ. A template ties the prompt's length to the words
 * round the text: with one, what shapes the prompt touches the model. Where validation texts are split off,
 * the seed touches the data. */
int dun_config_scope_between(enum dun_scope *scope, const dun_config *a, const dun_config *b);

/* Does the key hold what `text` means, whoever set it? `text` is one that it takes. */
int dun_config_is(bool *is, const dun_config *config, enum dun_config_id id, const char *text);

/* For the config of a run: keys that nobody set, because its version did not have them, get what it meant. */
int dun_config_put_before(dun_config *config);

/* The word that a choice (another key: NULL) holds. */
const char *dun_config_word(const dun_config *config, enum dun_config_id id);

/* Fails when a key (a string) that a command cannot do without is not set. */
int dun_config_require(const dun_config *config, enum dun_config_id id);

/* The row of "section.key", or DUN_USAGE naming the nearest known key; `origin` opens the message. */
int dun_config_find(enum dun_config_id *id, const char *name, const char *origin);

/* Where a key was set: "file:line", "--set", ... or "default". Valid until the key is set again. */
const char *dun_config_origin(const dun_config *config, enum dun_config_id id);

/* Appends one value as plain text: numbers so that they read back exactly, "not set" by its word. */
int dun_config_get(dun_str *out, const dun_config *config, enum dun_config_id id);

/* Appends what a key accepts, as "a whole number of rows from 1 to 4096, or nothing". */
int dun_config_accepts(dun_str *out, enum dun_config_id id);

/* Appends the complete config as a file that reads back to the same values. */
int dun_config_write(dun_str *out, const dun_config *config);

/* Appends what a checkpoint knows its config by: as dun_config_write, without the keys of DUN_TRAIT_LATER
 * that hold the values of before, and without what says only where and how model and data are read, for these
 * it knows by themselves. A checkpoint of 0.1 did not: its text has such keys too, as the run's file has
 * them. */
int dun_config_write_known(dun_str *out, const dun_config *config);
int dun_config_write_known_0_1(dun_str *out, const dun_config *config);

/* Appends the commented text of config/default.ini. */
int dun_config_default_ini(dun_str *out);

#endif
