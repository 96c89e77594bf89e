/* Translates patterns of tokenizer.json files to PCRE2's dialect, and runs them. See regex.h.
 *
 * What differs: \s, \w and \d, whose meaning here does not depend on PCRE2's version of it; ^ and $, which
 * match at line ends; classes inside classes, which are unions. What is left out of the dialect is refused,
 * never read otherwise. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "io/token/regex.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <pcre2.h>
#include <string.h>

#define SPACE "\\t-\\r\\x{85}\\p{Z}" /* Unicode's White_Space; PCRE2's own \s has U+180E besides */
#define WORD "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}"
#define HEX "0-9A-Fa-f"

struct dun_regex {
    pcre2_general_context *memory;
    pcre2_match_context *limits;
    pcre2_code *code;
    pcre2_match_data *match;
    char *file, *part; /* for messages */
    bool no_memory;    /* an allocation for PCRE2 failed */
};

typedef struct {
    const char *at;
    dun_str *out;
    const char *fault; /* what is not understood, or NULL */
} translation;

static const struct {
    char letter;
    const char *outside, *inside; /* of a class; NULL: cannot be said there */
} escapes[] = {
    {'s', "[" SPACE "]", SPACE}, {'S', "[^" SPACE "]", NULL}, {'w', "[" WORD "]", WORD},
    {'W', "[^" WORD "]", NULL},  {'d', "\\p{Nd}", "\\p{Nd}"}, {'D', "\\P{Nd}", "\\P{Nd}"},
    {'h', "[" HEX "]", HEX},     {'H', "[^" HEX "]", NULL},
};
enum { N_ESCAPES = sizeof escapes / sizeof escapes[0] };

/* Patterns whose search would try every place of a long run of blanks, and what matches the same without. */
static const char *const slow[][2] = {{"\\s+$", "(?<!\\s)\\s++$"}};

static int copy(translation *t, size_t n) {
    int rc = dun_str_add(t->out, t->at, n);
    t->at += n;
    return rc;
}

static int put(translation *t, const char *text) {
    return dun_str_add(t->out, text, strlen(text));
}

/* A backslash and what belongs to it. */
static int translate_escape(translation *t, bool inside) {
    const char letter = t->at[1], *end;
    if (letter == '\0') {
        t->fault = "a backslash at its end";
        return DUN_OK;
    }
    for (size_t i = 0; i < N_ESCAPES; i++)
        if (escapes[i].letter == letter) {
            const char *text = inside ? escapes[i].inside : escapes[i].outside;
            if (!text)
                t->fault = "\\S, \\W or \\H inside a class";
            t->at += 2;
            return text ? put(t, text) : DUN_OK;
        }
    if (letter == 'u' && strspn(t->at + 2, "0123456789abcdefABCDEF") >= 4) {
        int rc = dun_str_addf(t->out, "\\x{%.4s}", t->at + 2);
        t->at += 6;
        return rc;
    }
    if (strchr("pPx", letter) && t->at[2] == '{' && (end = strchr(t->at, '}')) != NULL)
        return copy(t, (size_t)(end + 1 - t->at));
    if (strchr("gkKRXNGO", letter) || (letter >= '1' && letter <= '9'))
        t->fault = "a backslash before one of gkKRXNGO or a digit";
    return copy(t, 2);
}

/* A class, with those inside it. */
static int translate_class(translation *t) {
    int rc;
    size_t depth = 0;
    TRY(copy(t, t->at[1] == '^' ? 2 : 1));
    if (*t->at == ']') {
        t->at++;
        TRY(put(t, "\\]"));
    }
    while (*t->at && !t->fault) {
        if (*t->at == '\\') {
            TRY(translate_escape(t, true));
        } else if (*t->at == ']') {
            if (depth-- == 0)
                return copy(t, 1);
            t->at++;
        } else if (*t->at == '[') {
            if (t->at[1] == '^' || t->at[1] == ':' || t->at[-1] == '-')
                t->fault = "a negated or a named class, or a range, inside a class";
            t->at++;
            depth++;
            if (*t->at == '-')
                TRY(put(t, "\\"));
        } else {
            if (t->at[0] == '&' && t->at[1] == '&')
                t->fault = "an intersection of classes";
            TRY(copy(t, 1));
        }
    }
    if (!t->fault)
        t->fault = "a class that does not end";
out:
    return rc;
}

/* What an opening bracket begins: a group, a look around, or flags. */
static int translate_group(translation *t) {
    static const char *const known[] = {"(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!", "(?<"};
    if (t->at[1] == '*')
        t->fault = "(*";
    if (t->at[1] != '?')
        return copy(t, 1);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strncmp(t->at, known[i], strlen(known[i])) == 0)
            return copy(t, strlen(known[i]));
    size_t flags = strspn(t->at + 2, "ix-");
    if (flags == 0 || !strchr(":)", t->at[2 + flags]) || t->at[2 + flags] == '\0') {
        t->fault = "a group of a kind that is not known";
        flags = 0;
    }
    return copy(t, 2 + flags);
}

static int translate(translation *t) {
    int rc = DUN_OK;
    while (*t->at && !t->fault) {
        const char *end;
        switch (*t->at) {
        case '\\':
            TRY(translate_escape(t, false));
            break;
        case '[':
            TRY(translate_class(t));
            break;
        case '(':
            TRY(translate_group(t));
            break;
        case '^':
        case '$':
            TRY(put(t, *t->at++ == '^' ? "(?m:^)" : "(?=\\n|\\z)"));
            break;
        case '{': /* {1,3}+ is ({1,3})+ in one dialect, without a way back in the other */
            end = strchr(t->at, '}');
            if (end && end[1] == '+')
                t->fault = "a + behind {}";
            TRY(copy(t, end ? (size_t)(end + 1 - t->at) : 1));
            break;
        default:
            TRY(copy(t, 1));
        }
    }
out:
    return rc;
}

static int refuse(const char *pattern, const char *file, const char *part, const char *fault) {
    dun_str shown = {0};
    int rc = dun_utf8_show(&shown, pattern, strlen(pattern));
    if (rc == DUN_OK)
        rc = dun_error(DUN_BAD_INPUT, "%s: %s: the pattern '%s' is not understood: %s", file, part,
                       shown.bytes, fault);
    dun_str_free(&shown);
    return rc;
}

static void *pcre_calloc(size_t bytes, void *data) {
    dun_regex *regex = data;
    void *block = dun_calloc(bytes, 1);
    if (!block)
        regex->no_memory = true;
    return block;
}

static void pcre_free(void *block, void *data) {
    (void)data;
    dun_free(block);
}

/* `text` is PCRE2's, `pattern` the file's. */
static int compile(dun_regex *r, const char *text, const char *pattern, bool literal) {
    int code = 0;
    PCRE2_SIZE place = 0;
    r->memory = pcre2_general_context_create(pcre_calloc, pcre_free, r);
    pcre2_compile_context *context = r->memory ? pcre2_compile_context_create(r->memory) : NULL;
    if (!context)
        return DUN_FAILED;
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    r->limits = pcre2_match_context_create(r->memory);
    const uint32_t options = PCRE2_UTF | (literal ? PCRE2_LITERAL : PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C);
    if (r->limits)
        r->code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, options, &code, &place, context);
    pcre2_compile_context_free(context);
    if (!r->code && !r->no_memory) {
        PCRE2_UCHAR reason[120] = "";
        pcre2_get_error_message(code, reason, sizeof reason);
        return refuse(pattern, r->file, r->part, (const char *)reason);
    }
    if (r->code) {
        pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE); /* where it cannot, PCRE2 interprets, only slower */
        r->match = pcre2_match_data_create(1, r->memory);
    }
    return r->no_memory ? DUN_FAILED : DUN_OK;
}

int dun_regex_create(dun_regex **out, const char *pattern, bool literal, const char *file, const char *part) {
    int rc;
    dun_regex *regex = NULL;
    dun_str text = {0};
    translation t = {.at = pattern, .out = &text};
    for (size_t i = 0; i < sizeof slow / sizeof slow[0]; i++)
        if (strcmp(pattern, slow[i][0]) == 0)
            t.at = slow[i][1];
    TRY(dun_str_add(&text, "", 0));
    if (literal)
        TRY(put(&t, pattern));
    else
        TRY(translate(&t));
    if (t.fault)
        TRY(refuse(pattern, file, part, t.fault));
    TRY_NEW(regex, 1);
    TRY_PTR(regex->file, dun_strdup(file));
    TRY_PTR(regex->part, dun_strdup(part));
    TRY(compile(regex, text.bytes, pattern, literal));
    *out = regex;
    regex = NULL;
out:
    dun_regex_free(regex);
    dun_str_free(&text);
    return rc;
}

void dun_regex_free(dun_regex *regex) {
    if (!regex)
        return;
    pcre2_match_data_free(regex->match);
    pcre2_match_context_free(regex->limits);
    pcre2_code_free(regex->code);
    pcre2_general_context_free(regex->memory);
    dun_free(regex->file);
    dun_free(regex->part);
    dun_free(regex);
}

int dun_regex_find(size_t *begin, size_t *end, dun_regex *r, const char *text, size_t length, size_t from) {
    r->no_memory = false;
    while (from < length) {
        int code =
            pcre2_match(r->code, (PCRE2_SPTR)text, length, from, PCRE2_NO_UTF_CHECK, r->match, r->limits);
        if (code == PCRE2_ERROR_JIT_STACKLIMIT) /* the interpreter's lies on the heap */
            code = pcre2_match(r->code, (PCRE2_SPTR)text, length, from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                               r->match, r->limits);
        if (r->no_memory)
            return DUN_FAILED;
        if (code == PCRE2_ERROR_NOMATCH)
            return 0;
        if (code < 0)
            return dun_error(DUN_BAD_INPUT,
                             "%s: %s: a pattern gives up at byte %zu of a text (PCRE2 error %d)", r->file,
                             r->part, from, code);
        *begin = pcre2_get_ovector_pointer(r->match)[0];
        *end = pcre2_get_ovector_pointer(r->match)[1];
        if (*end > *begin)
            return 1;
        for (from = *begin + 1; from < length && (text[from] & 0xc0) == 0x80; from++)
            ; /* an empty match is none: the search goes on at the next character */
    }
    return 0;
}
