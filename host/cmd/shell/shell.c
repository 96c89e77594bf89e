/* Guesses from a usage line and an option's argument what a completion may offer. */
#include "cmd/shell/shell.h"

#include "base/err.h"

#include <ctype.h>
#include <string.h>

const dun_option dun_help_option = {.name = "help", .letter = 'h', .help = "Show this help."};

static const struct {
    const char *word;
    enum dun_value_kind kind;
} placeholders[] = {
    {"FILE", DUN_VALUE_FILE},        {"PATH", DUN_VALUE_FILE},         {"MODEL", DUN_VALUE_FILE},
    {"DIR", DUN_VALUE_DIR},          {"FOLDER", DUN_VALUE_DIR},        {"RUN", DUN_VALUE_RUN},
    {"CONFIG", DUN_VALUE_CONFIG},    {"SELECTOR", DUN_VALUE_SELECTOR}, {"DEVICE", DUN_VALUE_SELECTOR},
    {"DEVICES", DUN_VALUE_SELECTOR},
};

static enum dun_value_kind kind_of_word(const char *word, size_t length) {
    if (length > 12 && memcmp(word, "SECTION.KEY=", 12) == 0)
        return DUN_VALUE_SET;
    for (size_t i = 0; i < sizeof placeholders / sizeof *placeholders; i++)
        if (strlen(placeholders[i].word) == length && memcmp(placeholders[i].word, word, length) == 0)
            return placeholders[i].kind;
    return DUN_VALUE_NONE;
}

enum dun_value_kind dun_value_kind_of(const dun_option *option) {
    if (!option->argument)
        return DUN_VALUE_NONE;
    return option->one_of ? DUN_VALUE_WORDS : kind_of_word(option->argument, strlen(option->argument));
}

/* The next word of a usage line that stands for an operand; options and their values are left out. */
static const char *next_operand(size_t *length, const char **at, const dun_command *command) {
    bool is_value = false;
    for (;;) {
        const char *word = *at + strspn(*at, " []().|\n");
        *length = strcspn(word, " [])|\n");
        *at = word + *length;
        if (!*length)
            return NULL;
        while (*length && word[*length - 1] == '.')
            --*length;
        if (word[0] == '-') {
            for (const dun_option *o = command->options; o->name; o++)
                if (*length == strlen(o->name) + 2 && memcmp(word + 2, o->name, *length - 2) == 0)
                    is_value = o->argument != NULL && **at == ' ';
        } else if (is_value) {
            is_value = **at == '|'; /* a value's other words follow */
        } else if (*length) {
            return word;
        }
    }
}

void dun_operand_kinds(bool kinds[DUN_N_VALUE_KINDS], const dun_command *command) {
    const char *at = command->usage, *word;
    size_t length;
    memset(kinds, 0, DUN_N_VALUE_KINDS * sizeof *kinds);
    while ((word = next_operand(&length, &at, command)))
        kinds[kind_of_word(word, length)] = true;
    kinds[DUN_VALUE_NONE] = false;
}

int dun_operand_words(dun_str *out, const dun_command *command) {
    int rc = DUN_OK;
    const char *at = command->usage, *word;
    size_t length;
    while ((word = next_operand(&length, &at, command))) {
        bool lower = true;
        for (size_t i = 0; i < length; i++)
            lower &= islower((unsigned char)word[i]) || word[i] == '-';
        if (lower && word[0] != '-')
            TRY(dun_str_addf(out, " %.*s", (int)length, word));
    }
out:
    return rc;
}

int dun_text_escaped(dun_str *out, const char *text, const char *special) {
    int rc = DUN_OK;
    for (; *text; text++) {
        if (strchr(special, *text))
            TRY(dun_str_add(out, "\\", 1));
        TRY(dun_str_add(out, text, 1));
    }
out:
    return rc;
}
