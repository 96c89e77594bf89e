/* The table of pre-tokenizers. See pre_tags.h.
 *
 * The patterns are those of the families' tokenizer.json files, where llama.cpp (llama-vocab.cpp) has others
 * for want of classes. */
#include "io/token/pre_tags.h"

#include "base/err.h"
#include "base/nearest.h"
#include "base/utf8.h"

#include <string.h>

#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
const char dun_pre_gpt2[] = GPT2;
#define SHORT "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define LINES "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
/* Contractions of either case, any one character that is no line end before a word, line ends behind others.
 */
#define WORDS(letters, numerals, others)                                                                     \
    SHORT "|[^\\r\\n\\p{L}\\p{N}]?" letters "+|" numerals "| ?[^\\s" others "\\p{N}]+[\\r\\n]*|" LINES
#define LLAMA3 WORDS("\\p{L}", "\\p{N}{1,3}", "\\p{L}")
#define QWEN2 WORDS("\\p{L}", "\\p{N}", "\\p{L}")
#define QWEN35 WORDS("[\\p{L}\\p{M}]", "\\p{N}", "\\p{L}\\p{M}")
/* Words end where small letters are followed by large ones. */
#define LARGE "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define SMALL "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define CASED(behind, numerals)                                                                              \
    "[^\\r\\n\\p{L}\\p{N}]?" LARGE "*" SMALL "+" behind "|[^\\r\\n\\p{L}\\p{N}]?" LARGE "+" SMALL "*" behind \
    "|" numerals "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" LINES
#define TEKKEN CASED("", "\\p{N}")
#define GPT4O CASED(SHORT "?", "\\p{N}{1,3}")
#define BLOOM " ?[^(\\s|.,!?…。，、।۔،)]+"
#define FALCON_MARKS "[\\p{P}$+<=>^`|~]+"
#define DEFAULT_MARKS "[\\p{P}$+<=>^|~]+"
#define THREE "[0-9][0-9][0-9]"
#define IDEOGRAPHS "[\\x{4e00}-\\x{9fa5}\\x{800}-\\x{4e00}\\x{ac00}-\\x{d7ff}]+"
/* Letters with two cases, but for alphabets that DeepSeek's list does not have: the small ones of Armenian
 * and Georgian, younger ones, those for phonetics and mathematics. */
#define DEEPSEEK_LETTERS                                                                                       \
    "\\s?(?:(?![\\x{560}-\\x{588}\\x{10c7}-\\x{10ff}\\x{1c80}-\\x{1c88}\\x{2d00}-\\x{2d2d}\\x{a78f}-\\x{a7ff}" \
    "\\x{ab30}-\\x{ab6f}\\x{10500}-\\x{105ff}\\x{16e40}-\\x{16e7f}\\x{1d400}-\\x{1dfff}])"                     \
    "[\\p{Lu}\\p{Ll}\\p{Lt}])++"
#define DEEPSEEK_MARKS "\\s?[!-/:-~！-／：-～‘-‟\\x{3000}-。]+"
#define DEEPSEEK3                                                                                            \
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"     \
    " ?[\\p{P}\\p{S}]+[\\r\\n]*|" LINES

#define CUT(text)                                                                                            \
    { .pattern = (text) }
/* What sees the bytes in their alphabet, where some that are parts of characters are numerals. */
#define BYTE_CUT(text)                                                                                       \
    { .pattern = (text), .in_alphabet = true }
static const dun_pre_tag tags[] = {
    {.names =
         "gpt-2 phi-2 mpt olmo jais gigachat exaone4 modern-bert a.x-4.0 mellum granite-docling trillion",
     .cuts = {CUT(GPT2)}},
    {.names = "smollm starcoder refact command-r codeshell exaone minerva-7b mellum2",
     .cuts = {CUT("\\p{N}"), CUT(GPT2)}},
    {.names = "default", .cuts = {CUT(DEFAULT_MARKS), CUT(GPT2), CUT("\\p{N}+"), CUT(THREE)}},
    {.names = "falcon", .cuts = {CUT(FALCON_MARKS), CUT(GPT2), BYTE_CUT("\\p{N}+"), BYTE_CUT(THREE)}},
    {.names = "llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2",
     .cuts = {CUT(LLAMA3)},
     .ignore_merges = true,
     .add_bos = true},
    {.names = "glm4", .cuts = {CUT(LLAMA3)}, .ignore_merges = true},
    {.names = "dbrx smaug-bpe chatglm-bpe", .cuts = {CUT(LLAMA3)}},
    {.names = "qwen2 deepseek-r1-qwen stablelm2 hunyuan megrez solar-open grok-2", .cuts = {CUT(QWEN2)}},
    {.names = "qwen35", .cuts = {CUT(QWEN35)}},
    {.names = "tekken", .cuts = {CUT(TEKKEN)}, .ignore_merges = true, .add_bos = true},
    {.names = "gpt-4o llama4 minimax-m2 kanana2", .cuts = {CUT(GPT4O)}},
    {.names = "deepseek-llm",
     .cuts = {CUT("[\\r\\n]"), CUT(DEEPSEEK_LETTERS), CUT(DEEPSEEK_MARKS), CUT("\\s+$"), CUT(IDEOGRAPHS),
              CUT("\\p{N}+")}},
    {.names = "deepseek-coder",
     .cuts = {CUT("[\\r\\n]"), CUT("\\s?\\p{L}+"), CUT("\\s?\\p{P}+"), CUT(IDEOGRAPHS), CUT("\\p{N}")}},
    {.names = "deepseek-v3 hunyuan-dense",
     .cuts = {CUT("\\p{N}{1,3}"), CUT("[\\x{4e00}-\\x{9fa5}\\x{3040}-\\x{309f}\\x{30a0}-\\x{30ff}]+"),
              CUT(DEEPSEEK3)}},
    {.names = "bloom gpt3-finnish poro-chat", .cuts = {CUT(BLOOM)}},
    {.names = "viking", .cuts = {CUT(BLOOM), CUT("\\p{N}")}},
};
enum { N_TAGS = sizeof tags / sizeof tags[0], MAX_NAMES = 80, MAX_NAME = 24 };

/* Of Qwen 2 to 3.5, GPT-NeoX (which OLMo and MPT took over) and Cohere. */
static const char nfc[] = "qwen2 qwen35 deepseek-r1-qwen megrez olmo mpt command-r";

/* Marker tokens by which vocabularies of files without the key are known. */
static const struct {
    size_t id;
    const char *text, *name;
} marks[] = {
    {128000, "<|begin_of_text|>", "llama-bpe"},
    {151643, "<|endoftext|>", "qwen2"},
    {199999, "<|endoftext|>", "gpt-4o"},
    {50256, "<|endoftext|>", "gpt-2"},
    {1, "<|im_start|>", "smollm"},
    {1, "<fim_prefix>", "starcoder"},
    {1, "<|padding|>", "olmo"},
    {11, "<|endoftext|>", "falcon"},
};

/* The next name of a list, and the list behind it; false at its end. */
static bool next_name(dun_slice *name, const char **list) {
    *list += strspn(*list, " ");
    *name = (dun_slice){*list, strcspn(*list, " ")};
    *list += name->length;
    return name->length > 0;
}

static bool equal(dun_slice a, dun_slice b) {
    return a.length == b.length && memcmp(a.bytes, b.bytes, a.length) == 0;
}

static bool has_name(const char *list, dun_slice wanted) {
    for (dun_slice name; next_name(&name, &list);)
        if (equal(name, wanted))
            return true;
    return false;
}

bool dun_pre_tag_is_nfc(dun_slice name) {
    return has_name(nfc, name);
}

const char *dun_pre_tag_guess(const dun_slice *tokens, size_t n) {
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        if (marks[i].id < n && equal(tokens[marks[i].id], (dun_slice){marks[i].text, strlen(marks[i].text)}))
            return marks[i].name;
    return NULL;
}

/* Appends the three names that are nearest to a word, the nearest first. */
static int add_nearest(dun_str *out, const char *word) {
    int rc = DUN_OK;
    char names[MAX_NAMES][MAX_NAME];
    const char *left[MAX_NAMES];
    size_t n = 0;
    for (size_t i = 0; i < N_TAGS; i++) {
        const char *list = tags[i].names;
        for (dun_slice name; n < MAX_NAMES && next_name(&name, &list); n++) {
            memcpy(names[n], name.bytes, name.length);
            names[n][name.length] = '\0';
            left[n] = names[n];
        }
    }
    for (int i = 0; i < 3; i++) {
        const char *nearest = dun_nearest(word, left, n);
        TRY(dun_str_addf(out, "%s%s", i ? ", " : "", nearest));
        for (size_t j = 0; j < n; j++)
            if (left[j] == nearest)
                left[j--] = left[--n];
    }
out:
    return rc;
}

int dun_pre_tag_find(const dun_pre_tag **out, dun_slice name, const char *file, const char *part) {
    int rc = DUN_OK;
    dun_str shown = {0}, near = {0};
    for (size_t i = 0; i < N_TAGS; i++)
        if (has_name(tags[i].names, name)) {
            *out = &tags[i];
            return DUN_OK;
        }
    TRY(dun_utf8_show(&shown, name.bytes, name.length));
    TRY(add_nearest(&near, shown.bytes));
    rc = dun_error(DUN_BAD_INPUT,
                   "%s: %s is '%s', a tokenizer that is not known; the nearest names that are: %s", file,
                   part, shown.bytes, near.bytes);
out:
    dun_str_free(&shown);
    dun_str_free(&near);
    return rc;
}
