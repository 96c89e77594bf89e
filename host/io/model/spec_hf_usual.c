/* What transformers takes where a config.json is silent, by model_type: the defaults of its configuration
 * classes. See spec_hf_inside.h. */
#include "io/model/spec_hf_inside.h"

#include <string.h>

/* The last row is for all others. Sizes that tensors have (widths, rows) are not here: a silent file's are
 * said by nothing but its tensors, which must fit. */
static const dun_hf_usual usual[] = {
    {.type = "llama", .context = 2048, .eps = 1e-6, .base = 1e4},
    {.type = "mistral",
     .context = 131072,
     .kv_heads = 8,
     .eps = 1e-6,
     .base = 1e4,
     .window = 4096,
     .slide = DUN_SLIDE_ALL},
    {.type = "qwen2",
     .context = 32768,
     .kv_heads = 32,
     .eps = 1e-6,
     .base = 1e4,
     .window = 4096,
     .slide = DUN_SLIDE_FROM,
     .flagged = true},
    {.type = "qwen3",
     .context = 32768,
     .kv_heads = 32,
     .head_dim = 128,
     .eps = 1e-6,
     .base = 1e4,
     .window = 4096,
     .slide = DUN_SLIDE_FROM,
     .flagged = true},
    {.type = "gemma", .context = 8192, .kv_heads = 16, .head_dim = 256, .eps = 1e-6, .base = 1e4},
    {.type = "gemma2",
     .context = 8192,
     .kv_heads = 4,
     .head_dim = 256,
     .eps = 1e-6,
     .base = 1e4,
     .window = 4096,
     .slide = DUN_SLIDE_PATTERN},
    {.type = "gemma3_text",
     .context = 131072,
     .kv_heads = 4,
     .head_dim = 256,
     .eps = 1e-6,
     .base = 1e6,
     .base_window = 1e4,
     .window = 4096,
     .slide = DUN_SLIDE_PATTERN},
    {.type = "gpt2", .context = 1024, .eps = 1e-5},
    {.type = "phi", .context = 2048, .part = 0.5, .eps = 1e-5, .base = 1e4},
    {.type = "phi3", .context = 4096, .eps = 1e-5, .base = 1e4, .slide = DUN_SLIDE_ALL},
    {.type = "gpt_neox", .context = 2048, .part = 0.25, .eps = 1e-5, .base = 1e4},
    {.type = "stablelm", .context = 4096, .part = 0.25, .eps = 1e-5, .base = 1e4},
    {.type = "starcoder2", .context = 4096, .kv_heads = 2, .eps = 1e-5, .base = 1e4, .slide = DUN_SLIDE_ALL},
    {.type = "olmo2", .context = 2048, .eps = 1e-5, .base = 1e4},
    {.type = "olmo3", .context = 2048, .eps = 1e-5, .base = 5e5, .window = 4096, .slide = DUN_SLIDE_PATTERN},
    {.type = "granite", .context = 2048, .eps = 1e-6, .base = 1e4},
    {.type = "smollm3",
     .context = 32768,
     .kv_heads = 4,
     .eps = 1e-6,
     .base = 2e6,
     .slide = DUN_SLIDE_STILL,
     .flagged = true},
    {.type = "", .context = 2048, .eps = 1e-5, .base = 1e4}, /* falcon, bloom, opt */
};

const dun_hf_usual *dun_hf_usual_of(const char *type) {
    const dun_hf_usual *row = usual;
    while (*row->type && strcmp(row->type, type) != 0)
        row++;
    return row;
}
