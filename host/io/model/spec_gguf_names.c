/* What a GGUF file says of itself for people: architecture, name, where it comes from. */
#include "io/model/spec_gguf_inside.h"

#include "base/err.h"

#include <stdio.h>
#include <string.h>

void dun_spec_gguf_name(char *out, size_t size, const dun_gguf *file) {
    dun_gguf_string name = {0}; /* of another type: what reads the model says so */
    (void)dun_gguf_find_string(&name, file, "general.architecture");
    dun_spec_gguf_show(out, size, name);
}

int dun_spec_gguf_title(char *out, size_t size, const dun_gguf *file) {
    int rc = DUN_OK;
    const char *path = dun_gguf_name(file), *slash = strrchr(path, '/');
    dun_gguf_string name = {0};
    if (dun_gguf_has(file, "general.name"))
        TRY(dun_gguf_get_string(&name, file, "general.name"));
    dun_spec_gguf_show(out, size, name);
    if (out[strspn(out, " ")] == '\0')
        snprintf(out, size, "%s", slash ? slash + 1 : path);
out:
    return rc;
}

/* The length of a part of ORG/NAME, 0 where it is none. */
static size_t part_length(const char *text) {
    const size_t length = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return text[0] == '.' ? 0 : length;
}

/* ORG/NAME of an address on the hub, or where that is enough by itself; false: it is none. */
static bool read_repository(char *out, size_t size, const char *text, bool plain) {
    static const char *const hubs[] = {"https://huggingface.co/", "http://huggingface.co/", "https://hf.co/"};
    static const char *const others[] = {"datasets/", "spaces/", "collections/", "papers/", "docs/", "blog/"};
    for (size_t i = 0; i < sizeof hubs / sizeof *hubs; i++)
        if (strncmp(text, hubs[i], strlen(hubs[i])) == 0) {
            text += strlen(hubs[i]);
            plain = true;
            break;
        }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        plain &= strncmp(text, others[i], strlen(others[i])) != 0;
    const size_t first = plain ? part_length(text) : 0;
    const size_t second = first && text[first] == '/' ? part_length(text + first + 1) : 0;
    const char end = second ? text[first + 1 + second] : 'x';
    return (end == '\0' || end == '/') && /* what follows is a place inside it */
           snprintf(out, size, "%.*s", (int)(first + 1 + second), text) < (int)size;
}

void dun_spec_gguf_repository(char *out, size_t size, const dun_gguf *file) {
    static const struct {
        const char *key;
        bool plain; /* may be ORG/NAME */
    } keys[] = {
        {"general.source.huggingface.repository", true},
        {"general.source.repo_url", false},
        {"general.source.url", false},
        {"general.repo_url", false},
        {"general.url", false},
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char text[256];
        dun_gguf_string value = {0};
        if (!dun_gguf_find_string(&value, file, keys[i].key) || value.length >= sizeof text)
            continue;
        dun_spec_gguf_show(text, sizeof text, value);
        if (read_repository(out, size, text, keys[i].plain))
            return;
    }
    out[0] = '\0';
}
