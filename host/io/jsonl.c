/* JSON lines: an object in every line, of which two keys are wanted. */
#include "base/err.h"
#include "base/json.h"
#include "base/utf8.h"
#include "io/dataset_inside.h"

#include <string.h>

/* The value of a key; without it the message names the keys there are. */
static int find_value(json_t **value, const dun_dataset_reader *r, json_t *object, const char *key,
                      size_t line) {
    int rc = DUN_OK;
    const char *other;
    json_t *unused;
    dun_str list = {0};
    *value = json_object_get(object, key);
    if (*value)
        goto out;
    if (!json_is_object(object))
        TRY(dun_error(DUN_BAD_INPUT, "%s:%zu: an array; an object with a key \"%s\" is needed", r->name, line,
                      key));
    json_object_foreach(object, other, unused) {
        TRY(dun_str_addf(&list, list.length ? ", \"" : "; the keys are \""));
        TRY(dun_utf8_show(&list, other, strlen(other)));
        TRY(dun_str_addf(&list, "\""));
        if (list.length > 500)
            break;
    }
    rc = dun_error(DUN_BAD_INPUT, "%s:%zu: no key \"%s\"%s", r->name, line, key,
                   list.bytes ? list.bytes : "; the object is empty");
out:
    dun_str_free(&list);
    return rc;
}

/* A label as the word that stands for it in a label map; `number` has room for any integer. */
static bool read_label(dun_field *label, char *number, size_t size, const json_t *value) {
    *label = (dun_field){0};
    if (json_is_string(value)) {
        label->bytes = json_string_value(value);
        label->length = json_string_length(value);
        return true;
    }
    if (json_is_integer(value))
        snprintf(number, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_boolean(value))
        snprintf(number, size, "%s", json_is_true(value) ? "true" : "false");
    else
        return false;
    label->bytes = number;
    label->length = strlen(number);
    return true;
}

static int read_line(dun_dataset_reader *r, const char *bytes, size_t length, const char *text_key,
                     const char *label_key) {
    int rc;
    json_t *object = NULL, *text, *label;
    dun_field text_field, label_field;
    char number[32];
    TRY(dun_json_parse(&object, bytes, length, r->name, r->line));
    TRY(find_value(&text, r, object, text_key, r->line));
    TRY(find_value(&label, r, object, label_key, r->line));
    if (!json_is_string(text))
        TRY(dun_error(DUN_BAD_INPUT, "%s:%zu: \"%s\" is not a string; a text is needed", r->name, r->line,
                      text_key));
    if (!read_label(&label_field, number, sizeof number, label))
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s:%zu: \"%s\" is no label; a string, a whole number, true or false is needed",
                      r->name, r->line, label_key));
    text_field = (dun_field){json_string_value(text), json_string_length(text), false};
    TRY(dun_dataset_add(r, &text_field, &label_field, r->line));
out:
    json_decref(object);
    return rc;
}

int dun_jsonl_read(dun_dataset_reader *r) {
    int rc;
    const char *text_key = r->options->text_column, *label_key = r->options->label_column;
    text_key = text_key && text_key[0] ? text_key : "text";
    label_key = label_key && label_key[0] ? label_key : "label";
    if (strcmp(text_key, label_key) == 0)
        TRY(dun_error(DUN_USAGE,
                      "%s: text and label are both key \"%s\"; data.text_column and "
                      "data.label_column must differ",
                      r->name, text_key));
    TRY(dun_dataset_skip_blank(r));
    while (r->at < r->end && !dun_dataset_full(r)) {
        const char *newline = memchr(r->at, '\n', (size_t)(r->end - r->at));
        const char *stop = newline ? newline : r->end;
        TRY(read_line(r, r->at, (size_t)(stop - r->at), text_key, label_key));
        r->at = newline ? newline + 1 : r->end;
        r->line += newline != NULL;
        TRY(dun_dataset_skip_blank(r));
    }
out:
    return rc;
}
