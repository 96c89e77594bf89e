/* The table of places where models lie, and how each is walked. */
#define _XOPEN_SOURCE 700 /* realpath */
#include "io/model/model_places.h"

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "io/model/model_walk.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Where a place is: the first variable that is set, and what follows it; else below the home; else a fixed
 * path. */
typedef struct {
    const char *variable, *below_variable;
    const char *below_home;
    const char *fixed;
} location;

static const struct {
    location at;
    int (*walk)(dun_model_entries *out, const char *folder);
} places[] = {
    {{.variable = "HF_HUB_CACHE", .below_variable = ""}, dun_walk_hub},
    {{.variable = "HF_HOME", .below_variable = "/hub"}, dun_walk_hub},
    {{.variable = "XDG_CACHE_HOME", .below_variable = "/huggingface/hub"}, dun_walk_hub},
    {{.below_home = "/.cache/huggingface/hub"}, dun_walk_hub},
    {{.variable = "OLLAMA_MODELS", .below_variable = ""}, dun_walk_ollama},
    {{.below_home = "/.ollama/models"}, dun_walk_ollama},
    {{.fixed = "/usr/share/ollama/.ollama/models"}, dun_walk_ollama},
    {{.below_home = "/.lmstudio/models"}, dun_walk_lmstudio},
    {{.below_home = "/.cache/lm-studio/models"}, dun_walk_lmstudio},
};

static int place_path(dun_str *out, const location *at) {
    const char *variable = at->variable ? getenv(at->variable) : NULL, *home = getenv("HOME");
    if (variable && *variable)
        return dun_str_addf(out, "%s%s", variable, at->below_variable);
    if (at->below_home && home && *home)
        return dun_str_addf(out, "%s%s", home, at->below_home);
    return at->fixed ? dun_str_addf(out, "%s", at->fixed) : DUN_OK;
}

static int list_places(dun_model_entries *out) {
    int rc = DUN_OK;
    dun_str path = {0};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        dun_str_clear(&path);
        TRY(place_path(&path, &places[i].at));
        if (path.length)
            TRY(places[i].walk(out, path.bytes));
    }
out:
    dun_str_free(&path);
    return rc;
}

/* The folders of DUNLIN_MODELS. */
static int list_own(dun_model_entries *out) {
    int rc = DUN_OK;
    const char *folders = getenv("DUNLIN_MODELS");
    char *folder = NULL;
    while (folders && *folders) {
        const size_t length = strcspn(folders, ":");
        TRY_PTR(folder, dun_strndup(folders, length));
        if (length)
            TRY(dun_walk_folder(out, folder));
        dun_free(folder);
        folder = NULL;
        folders += length + (folders[length] == ':');
    }
out:
    dun_free(folder);
    return rc;
}

int dun_model_entries_list(dun_model_entries *out, const char *const *folders) {
    int rc = DUN_OK;
    *out = (dun_model_entries){0};
    for (; *folders; folders++)
        TRY(dun_walk_folder(out, *folders));
    TRY(list_own(out));
    TRY(list_places(out));
out:
    if (rc < 0)
        dun_model_entries_free(out);
    return rc;
}

void dun_model_entries_free(dun_model_entries *entries) {
    for (size_t i = 0; i < entries->n; i++) {
        dun_free(entries->entries[i].name);
        dun_free(entries->entries[i].path);
        dun_free(entries->entries[i].fault);
    }
    dun_free(entries->entries);
    *entries = (dun_model_entries){0};
}

/* Ollama's own habit: a name without a tag has the tag "latest". */
static bool is_latest(const char *name, const char *wanted) {
    const size_t length = strlen(wanted);
    return strncmp(wanted, "ollama:", 7) == 0 && !strchr(wanted + 7, ':') &&
           strncasecmp(name, wanted, length) == 0 && strcasecmp(name + length, ":latest") == 0;
}

static bool is_name(const char *name, const char *wanted) {
    return strcmp(name, wanted) == 0 || is_latest(name, wanted);
}

static bool is_name_in_other_case(const char *name, const char *wanted) {
    return strcasecmp(name, wanted) == 0;
}

static bool is_letter(char c) {
    return isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

/* Whether a text begins with the letters and digits of `part`, whatever stands between them. */
static bool begins_with_letters(const char *text, const char *part) {
    for (; *part; part++) {
        if (!is_letter(*part))
            continue;
        while (*text && !is_letter(*text))
            text++;
        if (tolower((unsigned char)*text++) != tolower((unsigned char)*part))
            return false;
    }
    return true;
}

/* "gemma3-270m" is meant by one for "gemma-3-270m-q4_k_m.gguf"; single letters mean nothing. */
static bool contains_letters(const char *text, const char *part) {
    size_t n = 0;
    for (const char *at = part; *at; at++)
        n += is_letter(*at);
    for (; n >= 4 && *text; text++)
        if (is_letter(*text) && begins_with_letters(text, part))
            return true;
    return false;
}

/* Ways of meaning a model, the surest first. */
static bool (*const ways[])(const char *name, const char *wanted) = {is_name, is_name_in_other_case,
                                                                     dun_text_contains, contains_letters};
enum { N_WAYS = sizeof ways / sizeof *ways };

/* Whether an entry is meant; of those that are no models (faulty) only where nothing else is. */
static bool is_meant(const dun_model_entry *entry, const char *name, size_t way, bool faulty) {
    return ways[way](entry->name, name) && (faulty || !entry->fault);
}

static int refuse_several(const dun_model_entries *entries, const char *name, size_t way, bool faulty) {
    int rc = DUN_OK;
    dun_str list = {0};
    for (size_t i = 0; i < entries->n; i++)
        if (is_meant(&entries->entries[i], name, way, faulty))
            TRY(dun_str_addf(&list, "%s%s (%s)", list.length ? ", " : "", entries->entries[i].name,
                             entries->entries[i].path));
    TRY(dun_error(DUN_USAGE, "%s: several models fit: %s; name one of them, or its path", name, list.bytes));
out:
    dun_str_free(&list);
    return rc;
}

int dun_model_entries_find(const dun_model_entry **out, bool *exact, const dun_model_entries *entries,
                           const char *name) {
    int rc = DUN_OK;
    *out = NULL;
    *exact = true;
    for (size_t try = 0; try < 2 * N_WAYS && !*out; try++) {
        const size_t way = try / 2;
        const bool faulty = try % 2;
        const dun_model_entry *found = NULL;
        for (size_t i = 0; i < entries->n; i++) {
            const dun_model_entry *entry = &entries->entries[i];
            if (!is_meant(entry, name, way, faulty))
                continue;
            if (found && strcmp(found->path, entry->path) != 0)
                TRY(refuse_several(entries, name, way, faulty));
            found = found ? found : entry;
        }
        *out = found;
        *exact = ways[way] == is_name || ways[way] == is_name_in_other_case;
    }
out:
    return rc;
}
