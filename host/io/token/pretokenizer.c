/* The table of pre-tokenizer patterns, and PCRE2 to run them. See pretokenizer.h.
 *
 * The patterns match at least one character at every place of any text, so a text is cut without gaps.
 * Repetitions are possessive wherever nothing follows them, so a match never backtracks over a long run;
 * the one that must give back does so once. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "io/token/pretokenizer.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <pcre2.h>
#include <stdbool.h>
#include <string.h>

/* Unicode's White_Space, for use inside []; PCRE2's own \s has U+180E besides. */
#define SPACE "\\t-\\r\\x{85}\\p{Z}"
#define BLANK "\\t\\x{b}\\x{c}\\x{85}\\p{Z}" /* the same without line ends */
#define CONTRACTION "'(?:[stmd]|re|ve|ll)"
#define LETTERS " ?\\p{L}++"
#define NUMERALS " ?\\p{N}++"
#define OTHERS " ?[^" SPACE "\\p{L}\\p{N}]++"

/* A run of space belongs together, but its last character stays with what follows it, unless the text ends
 * there or, for "smollm", a numeral comes: SmolLM first makes every numeral a text of its own, then cuts what
 * lies between by GPT-2's pattern. (Radford et al. 2019, encoder.py; SmolLM2's tokenizer.json.) For "qwen2"
 * any one character that is no line end may lead a word, line ends stay with what stands before them, and
 * numerals are alone. (Qwen2's tokenizer.json, but for its normalisation, which a GGUF file does not have.)
 */
static const struct {
    const char *name, *pattern;
} patterns[] = {
    {"smollm",
     "\\p{N}|" CONTRACTION "|" LETTERS "|" OTHERS "|[" SPACE "]+(?![^" SPACE "\\p{N}])|[" SPACE "]++"},
    {"gpt-2", CONTRACTION "|" LETTERS "|" NUMERALS "|" OTHERS "|[" SPACE "]+(?![^" SPACE "])|[" SPACE "]++"},
    {"qwen2", "(?i:" CONTRACTION ")|[^\\r\\n\\p{L}\\p{N}]?\\p{L}++|\\p{N}|" OTHERS "[\\r\\n]*+|(?:[" BLANK
              "]*+[\\r\\n]++)++|[" SPACE "]+(?![^" SPACE "])|[" SPACE "]++"},
};
enum { N_PATTERNS = sizeof patterns / sizeof patterns[0] };

struct dun_pretokenizer {
    pcre2_general_context *memory;
    pcre2_code *code;
    pcre2_match_data *match;
    bool no_memory; /* an allocation for PCRE2 failed */
};

static void *pcre_calloc(size_t bytes, void *data) {
    dun_pretokenizer *pretokenizer = data;
    void *block = dun_calloc(bytes, 1);
    if (!block)
        pretokenizer->no_memory = true;
    return block;
}

static void pcre_free(void *block, void *data) {
    (void)data;
    dun_free(block);
}

static int refuse_name(dun_slice name, const char *file, const char *part) {
    dun_str known = {0}, shown = {0};
    int rc = DUN_OK;
    for (size_t i = 0; i < N_PATTERNS; i++)
        TRY(dun_str_addf(&known, "%s%s", i ? ", " : "", patterns[i].name));
    TRY(dun_utf8_show(&shown, name.bytes, name.length));
    rc = dun_error(DUN_BAD_INPUT, "%s: %s is '%s', which is not known; known are %s", file, part, shown.bytes,
                   known.bytes);
out:
    dun_str_free(&known);
    dun_str_free(&shown);
    return rc;
}

static int compile(dun_pretokenizer *p, const char *name, const char *pattern) {
    int code;
    PCRE2_SIZE place;
    p->memory = pcre2_general_context_create(pcre_calloc, pcre_free, p);
    if (!p->memory)
        return DUN_FAILED;
    pcre2_compile_context *context = pcre2_compile_context_create(p->memory);
    if (!context)
        return DUN_FAILED;
    p->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                            PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED, &code, &place, context);
    pcre2_compile_context_free(context);
    if (!p->code && !p->no_memory) {
        PCRE2_UCHAR reason[120] = "";
        pcre2_get_error_message(code, reason, sizeof reason);
        return dun_error(DUN_FAILED, "the pattern of pre-tokenizer '%s' fails at %zu: %s", name, place,
                         (const char *)reason);
    }
    if (p->code) {
        pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE); /* where it cannot, PCRE2 interprets, only slower */
        p->match = pcre2_match_data_create(1, p->memory);
    }
    return p->no_memory ? DUN_FAILED : DUN_OK;
}

int dun_pretokenizer_create(dun_pretokenizer **out, dun_slice name, const char *file, const char *part) {
    int rc;
    dun_pretokenizer *p = NULL;
    size_t row = 0;
    while (row < N_PATTERNS && (strlen(patterns[row].name) != name.length ||
                                memcmp(patterns[row].name, name.bytes, name.length) != 0))
        row++;
    if (row == N_PATTERNS)
        TRY(refuse_name(name, file, part));
    TRY_NEW(p, 1);
    TRY(compile(p, patterns[row].name, patterns[row].pattern));
    *out = p;
    p = NULL;
out:
    dun_pretokenizer_free(p);
    return rc;
}

void dun_pretokenizer_free(dun_pretokenizer *pretokenizer) {
    if (!pretokenizer)
        return;
    pcre2_match_data_free(pretokenizer->match);
    pcre2_code_free(pretokenizer->code);
    pcre2_general_context_free(pretokenizer->memory);
    dun_free(pretokenizer);
}

int dun_pretokenizer_next(size_t *word, dun_pretokenizer *p, const char *text, size_t length, size_t at) {
    p->no_memory = false;
    int code = pcre2_match(p->code, (PCRE2_SPTR)text, length, at, PCRE2_NO_UTF_CHECK, p->match, NULL);
    if (p->no_memory)
        return DUN_FAILED;
    if (code < 0)
        return dun_error(DUN_FAILED, "cutting a text into words failed at byte %zu (PCRE2 error %d)", at,
                         code);
    *word = pcre2_get_ovector_pointer(p->match)[1] - at;
    return DUN_OK;
}
