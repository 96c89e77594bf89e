/* Reads and writes single values, and refuses what a key does not take. */
#include "config/config_value.h"

#include "base/err.h"
#include "base/number.h"
#include "base/utf8.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

const char *dun_config_fault(const char *bytes, size_t length) {
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte == 0)
            return "a NUL byte";
        if ((byte < 0x20 && byte != '\t' && byte != '\n') || byte == 0x7f)
            return "a control byte";
    }
    return dun_utf8_valid(bytes, length) == length ? NULL : "bytes that are not UTF-8";
}

static int add_range(dun_str *out, const dun_config_range *range) {
    if (!isinf(range->max))
        return dun_str_addf(out, " from %.17g to %s%.17g", range->min, range->below ? "below " : "",
                            range->max);
    return range->above ? dun_str_addf(out, " above %.17g", range->min)
                        : dun_str_addf(out, " not below %.17g", range->min);
}

int dun_config_accepts(dun_str *out, enum dun_config_id id) {
    const dun_config_key *key = &dun_config_key_table[id];
    int rc = DUN_OK;
    switch (key->type) {
    case DUN_CONFIG_STRING:
        TRY(dun_str_addf(out, "a text of at most %d bytes", DUN_CONFIG_VALUE_BYTES));
        break;
    case DUN_CONFIG_INTEGER:
        TRY(dun_str_addf(out, "a whole number%s%s", key->unit[0] ? " of " : "", key->unit));
        TRY(add_range(out, &key->range));
        break;
    case DUN_CONFIG_REAL:
        TRY(dun_str_addf(out, "a number%s%s", key->unit[0] ? " of " : "", key->unit));
        TRY(add_range(out, &key->range));
        break;
    case DUN_CONFIG_YES_NO:
        TRY(dun_str_addf(out, "yes or no"));
        break;
    case DUN_CONFIG_CHOICE:
        for (const char *const *word = key->choices; *word; word++)
            TRY(dun_str_addf(out, "%s%s", word == key->choices ? "" : word[1] ? ", " : " or ", *word));
        break;
    }
    if (key->unset)
        TRY(dun_str_addf(out, ", or %s", key->unset[0] ? key->unset : "nothing"));
out:
    return rc;
}

static int refuse(enum dun_config_id id, const char *text, const char *fault, const char *origin) {
    int rc;
    const dun_config_key *key = &dun_config_key_table[id];
    dun_str shown = {0}, right = {0};
    TRY(dun_str_addf(&shown, "%s", text[0] ? " = " : ""));
    TRY(dun_utf8_show(&shown, text, strlen(text)));
    TRY(dun_config_accepts(&right, id));
    TRY(dun_error(DUN_USAGE, "%s: %s.%s%s %s; needed is %s", origin, key->section, key->name, shown.bytes,
                  fault, right.bytes));
out:
    dun_str_free(&shown);
    dun_str_free(&right);
    return rc;
}

static bool in_range(double number, const dun_config_range *range) {
    bool above = range->above ? number > range->min : number >= range->min;
    bool below = range->below ? number < range->max : number <= range->max;
    return above && below;
}

static int read_integer(int64_t *value, enum dun_config_id id, const char *text, const char *origin) {
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (end == text || *end || strspn(text, "+-0123456789") != strlen(text))
        return refuse(id, text, "is not a whole number", origin);
    if (errno || !in_range((double)number, &dun_config_key_table[id].range))
        return refuse(id, text, "is out of range", origin);
    *value = number;
    return DUN_OK;
}

static int read_real(double *value, enum dun_config_id id, const char *text, const char *origin) {
    int rc;
    bool lost;
    TRY(dun_number_read(value, &lost, text));
    if (rc == 0 && !lost)
        TRY(refuse(id, text, "is not a number", origin));
    if (lost || !in_range(*value, &dun_config_key_table[id].range))
        TRY(refuse(id, text, "is out of range", origin));
    rc = DUN_OK;
out:
    return rc;
}

static int read_choice(int *value, enum dun_config_id id, const char *text, const char *origin) {
    for (const char *const *word = dun_config_key_table[id].choices; *word; word++)
        if (strcmp(text, *word) == 0) {
            *value = (int)(word - dun_config_key_table[id].choices);
            return DUN_OK;
        }
    return refuse(id, text, "is not known", origin);
}

static int read_string(const char **value, enum dun_config_id id, const char *text, const char *origin) {
    const char *fault = dun_config_fault(text, strlen(text));
    if (fault)
        return dun_error(DUN_USAGE, "%s: %s.%s holds %s; a text in UTF-8 is needed", origin,
                         dun_config_key_table[id].section, dun_config_key_table[id].name, fault);
    if (strlen(text) > DUN_CONFIG_VALUE_BYTES)
        return refuse(id, text, "is too long", origin);
    *value = text;
    return DUN_OK;
}

int dun_config_value_read(dun_config_value *value, enum dun_config_id id, const char *text,
                          const char *origin) {
    const dun_config_key *key = &dun_config_key_table[id];
    if (!text[0] && !key->unset)
        return refuse(id, text, "has no value", origin);
    bool unset = !text[0] || (key->unset && strcmp(text, key->unset) == 0);
    switch (key->type) {
    case DUN_CONFIG_INTEGER:
        value->integer = DUN_CONFIG_UNSET;
        return unset ? DUN_OK : read_integer(&value->integer, id, text, origin);
    case DUN_CONFIG_REAL:
        value->real = NAN;
        return unset ? DUN_OK : read_real(&value->real, id, text, origin);
    case DUN_CONFIG_YES_NO:
        value->yes = strcmp(text, "yes") == 0;
        return value->yes || strcmp(text, "no") == 0 ? DUN_OK : refuse(id, text, "is not known", origin);
    case DUN_CONFIG_CHOICE:
        return read_choice(&value->choice, id, text, origin);
    default:
        value->string = "";
        return unset ? DUN_OK : read_string(&value->string, id, text, origin);
    }
}

int dun_config_is(bool *is, const dun_config *config, enum dun_config_id id, const char *text) {
    const dun_config_key *key = &dun_config_key_table[id];
    const void *field = (const char *)config + key->offset;
    dun_config_value wanted = {0};
    int rc = dun_config_value_read(&wanted, id, text, "default");
    if (rc < 0)
        return rc;
    switch (key->type) {
    case DUN_CONFIG_INTEGER:
        *is = *(const int64_t *)field == wanted.integer;
        break;
    case DUN_CONFIG_REAL: {
        double real = *(const double *)field;
        *is = isnan(real) ? isnan(wanted.real) : real >= wanted.real && real <= wanted.real;
        break;
    }
    case DUN_CONFIG_YES_NO:
        *is = *(const bool *)field == wanted.yes;
        break;
    case DUN_CONFIG_CHOICE:
        *is = *(const int *)field == wanted.choice;
        break;
    case DUN_CONFIG_STRING:
        *is = strcmp(*(const char *const *)field, wanted.string) == 0;
        break;
    }
    return DUN_OK;
}

const char *dun_config_word(const dun_config *config, enum dun_config_id id) {
    const dun_config_key *key = &dun_config_key_table[id];
    return key->choices ? key->choices[*(const int *)((const char *)config + key->offset)] : NULL;
}

int dun_config_get(dun_str *out, const dun_config *config, enum dun_config_id id) {
    const dun_config_key *key = &dun_config_key_table[id];
    const void *field = (const char *)config + key->offset;
    const char *string = "";
    switch (key->type) {
    case DUN_CONFIG_INTEGER: {
        int64_t integer = *(const int64_t *)field;
        if (integer != DUN_CONFIG_UNSET)
            return dun_str_addf(out, "%lld", (long long)integer);
        break;
    }
    case DUN_CONFIG_REAL: {
        double real = *(const double *)field;
        if (!isnan(real))
            return dun_number_add(out, real);
        break;
    }
    case DUN_CONFIG_YES_NO:
        return dun_str_addf(out, "%s", *(const bool *)field ? "yes" : "no");
    case DUN_CONFIG_CHOICE:
        return dun_str_addf(out, "%s", key->choices[*(const int *)field]);
    case DUN_CONFIG_STRING:
        string = *(const char *const *)field;
        break;
    }
    return dun_str_addf(out, "%s", string[0] ? string : key->unset);
}

/* The escapes of quoted values: what follows the backslash, and what it means. */
static const char escape_letters[] = "\"\\nt", escape_meanings[] = "\"\\\n\t";

/* `at` is behind the opening quote; gives the place behind the closing one. */
static int unquote_quoted(const char **end_of_quotes, char *out, const char *at, const char *end,
                          const char *origin) {
    for (; at < end && *at != '"'; at++) {
        if (*at != '\\') {
            *out++ = *at;
            continue;
        }
        const char *letter = ++at < end && *at ? strchr(escape_letters, *at) : NULL;
        if (!letter)
            return dun_error(DUN_USAGE, "%s: unknown escape in quotes; \\\" \\\\ \\n or \\t is needed",
                             origin);
        *out++ = escape_meanings[letter - escape_letters];
    }
    if (at == end)
        return dun_error(DUN_USAGE, "%s: the value's quotes are not closed; a second \" is needed", origin);
    *out = '\0';
    *end_of_quotes = at + 1;
    return DUN_OK;
}

int dun_config_unquote(char *out, const char *raw, size_t length, bool in_file, const char *origin) {
    const char *at = raw, *end = raw + length;
    while (at < end && is_blank(*at))
        at++;
    if (at < end && *at == '"') {
        int rc = unquote_quoted(&at, out, at + 1, end, origin);
        if (rc < 0)
            return rc;
        const char *rest = at;
        while (rest < end && is_blank(*rest))
            rest++;
        if (rest == end || (in_file && *rest == ';' && rest > at))
            return DUN_OK;
        return dun_error(DUN_USAGE, "%s: text after the closing quote; %s is needed", origin,
                         in_file ? "the end of the line, or a comment after \" ;\","
                                 : "the end of the value");
    }
    if (!in_file) {
        memcpy(out, raw, length);
        out[length] = '\0';
        return DUN_OK;
    }
    for (const char *c = raw; c < end; c++)
        if (*c == ';' && c > raw && is_blank(c[-1]))
            end = c;
    while (end > at && is_blank(end[-1]))
        end--;
    size_t kept = end > at ? (size_t)(end - at) : 0;
    memcpy(out, at, kept);
    out[kept] = '\0';
    return DUN_OK;
}

static bool needs_quotes(const char *text) {
    size_t length = strlen(text);
    return length > 0 && (is_blank(text[0]) || is_blank(text[length - 1]) || text[0] == '"' ||
                          strpbrk(text, ";\n\t") != NULL);
}

int dun_config_quote(dun_str *out, const char *text) {
    int rc = DUN_OK;
    if (!needs_quotes(text))
        return dun_str_addf(out, "%s", text);
    TRY(dun_str_add(out, "\"", 1));
    for (; *text; text++) {
        const char *meaning = strchr(escape_meanings, *text);
        if (meaning)
            TRY(dun_str_addf(out, "\\%c", escape_letters[meaning - escape_meanings]));
        else
            TRY(dun_str_add(out, text, 1));
    }
    TRY(dun_str_add(out, "\"", 1));
out:
    return rc;
}
