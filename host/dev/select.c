/* What a device selector means; see dun_device_select. Pure: works on the list alone. */
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "dev/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_number(const char *text) {
    return *text && strspn(text, "0123456789") == strlen(text) && strlen(text) < 9;
}

static bool matches(const dun_device_info *info, uint32_t index, const char *word) {
    unsigned platform, device;
    int end = 0;
    if (is_number(word))
        return (uint32_t)strtoul(word, NULL, 10) == index;
    if (sscanf(word, "%8u:%8u%n", &platform, &device, &end) == 2 && word[end] == '\0')
        return info->platform_index == platform && info->device_index == device;
    if (strcmp(word, "all") == 0)
        return !info->error[0];
    if (strcmp(word, "cpu") == 0)
        return !info->error[0] && info->type == DUN_DEVICE_CPU;
    if (strcmp(word, "gpu") == 0)
        return !info->error[0] && info->type == DUN_DEVICE_GPU;
    return dun_text_contains(info->name, word) || dun_text_contains(info->platform, word);
}

/* The first usable GPU, else the first usable device. */
static size_t best_of(const dun_device_info *infos, size_t n) {
    size_t best = n;
    for (size_t i = n; i-- > 0;)
        if (!infos[i].error[0])
            best = i;
    for (size_t i = n; i-- > 0;)
        if (!infos[i].error[0] && infos[i].type == DUN_DEVICE_GPU)
            best = i;
    return best;
}

static int no_match(const dun_device_info *infos, size_t n, const char *word, const char *why) {
    int rc;
    dun_str known = {0};
    for (size_t i = 0; i < n; i++) {
        TRY(dun_str_addf(&known, "%s%zu = %s (%s)", i ? ", " : "", i, infos[i].name, infos[i].platform));
        if (infos[i].error[0])
            TRY(dun_str_addf(&known, " [broken: %s]", infos[i].error));
    }
    rc = dun_error(DUN_BAD_DEVICE, "device selector \"%s\" %s; there is: %s", word, why,
                   known.bytes ? known.bytes : "nothing");
out:
    dun_str_free(&known);
    return rc;
}

static void add(uint32_t *chosen, size_t *n_chosen, uint32_t index) {
    for (size_t i = 0; i < *n_chosen; i++)
        if (chosen[i] == index)
            return;
    chosen[(*n_chosen)++] = index;
}

static int select_word(uint32_t *chosen, size_t *n_chosen, const dun_device_info *infos, size_t n,
                       const char *word) {
    if (strcmp(word, "best") == 0 || !*word) {
        size_t best = best_of(infos, n);
        if (best == n)
            return no_match(infos, n, word, "finds no usable device");
        add(chosen, n_chosen, (uint32_t)best);
        return DUN_OK;
    }
    /* "cpu" and "gpu" mean the first of their kind when several would fit; a name must be unambiguous. */
    bool kind = strcmp(word, "cpu") == 0 || strcmp(word, "gpu") == 0, several = strcmp(word, "all") == 0;
    size_t found = 0, first = 0;
    for (size_t i = 0; i < n; i++) {
        if (!matches(&infos[i], (uint32_t)i, word) || (kind && found))
            continue;
        if (found++ == 0)
            first = i;
        if (several)
            add(chosen, n_chosen, (uint32_t)i);
    }
    if (found == 0)
        return no_match(infos, n, word, "matches no device");
    if (found > 1 && !several)
        return no_match(infos, n, word, "matches several devices");
    add(chosen, n_chosen, (uint32_t)first);
    return DUN_OK;
}

bool dun_device_selector(char *out, size_t size, const char *selectors, size_t index) {
    for (; index > 0; index--) {
        selectors = strchr(selectors, ',');
        if (!selectors)
            return false;
        selectors++;
    }
    selectors += strspn(selectors, " ");
    size_t length = strcspn(selectors, ",");
    while (length > 0 && selectors[length - 1] == ' ')
        length--;
    snprintf(out, size, "%.*s", (int)length, selectors);
    return true;
}

int dun_device_select(uint32_t *chosen, size_t *n_chosen, const dun_device_info *infos, size_t n,
                      const char *selector) {
    int rc = DUN_OK;
    char *words = NULL;
    *n_chosen = 0;
    TRY_PTR(words, dun_strdup(selector ? selector : ""));
    for (char *word = words; word;) {
        char *comma = strchr(word, ',');
        if (comma)
            *comma = '\0';
        while (*word == ' ')
            word++;
        size_t length = strlen(word);
        while (length && word[length - 1] == ' ')
            word[--length] = '\0';
        TRY(select_word(chosen, n_chosen, infos, n, word));
        word = comma ? comma + 1 : NULL;
    }
out:
    dun_free(words);
    return rc;
}

static bool means_a_kind(const char *word) {
    static const char *const kinds[] = {"", "best", "gpu", "cpu"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(word, kinds[i]) == 0)
            return true;
    return false;
}

static bool are_twins(const dun_device_info *a, const dun_device_info *b) {
    return !a->error[0] && strcmp(a->name, b->name) == 0 && a->platform_index == b->platform_index;
}

/* The device `turn` places further among those that are just as one of them, counted round. */
static uint32_t twin_of(uint32_t one, const dun_device_info *infos, size_t n, uint32_t turn) {
    uint32_t at = one;
    for (uint32_t steps = 0; steps < turn; steps++)
        do
            at = (uint32_t)((at + 1) % n);
        while (at != one && !are_twins(&infos[at], &infos[one]));
    return at;
}

int dun_device_select_turn(uint32_t *chosen, const dun_device_info *infos, size_t n, const char *selectors,
                           uint32_t turn) {
    int rc = DUN_OK;
    char word[256];
    uint32_t *all = NULL, n_words = 1; /* "" is one, too */
    size_t n_all = 0;
    while (dun_device_selector(word, sizeof word, selectors, n_words))
        n_words++;
    dun_device_selector(word, sizeof word, selectors, turn % n_words);
    TRY_NEW(all, n);
    TRY(dun_device_select(all, &n_all, infos, n, word));
    if (n_words == 1 && means_a_kind(word))
        *chosen = twin_of(all[0], infos, n, turn);
    else
        *chosen = all[n_all > 1 ? turn % n_all : 0];
out:
    dun_free(all);
    return rc;
}
