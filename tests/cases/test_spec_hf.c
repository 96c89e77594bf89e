/* What config.json says, in every spelling, as a spec; and what is refused. */
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "io/model/spec_hf.h"
#include "spec_describe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The sizes of every config here; what follows them replaces them or is added. */
static const char sizes[] = "\"num_hidden_layers\":4,\"hidden_size\":32,\"num_attention_heads\":4,"
                            "\"intermediate_size\":48,\"vocab_size\":100,\"max_position_embeddings\":256";

/* `text`: a model_type, or what follows the sizes. */
static int read_config(dun_weights_from *from, const char *type, const char *more) {
    char text[TEXT_BYTES];
    json_t *config = NULL;
    const char *base = strstr(more, "NOSIZES") ? "\"x\":0" : sizes;
    more = strstr(more, "NOSIZES") ? more + 7 : more;
    snprintf(text, sizeof text, "{%s%s%s%s%s%s}", *type ? "\"model_type\":\"" : "", type, *type ? "\"," : "",
             base, *more ? "," : "", more);
    *from = (dun_weights_from){.file = "hf"};
    if (dun_json_parse(&config, text, strlen(text), "hf/config.json", 1) < 0)
        fail_msg("%s: %s", text, dun_error_message());
    int rc = dun_spec_hf(from, config, "hf/config.json");
    json_decref(config);
    return rc;
}

#define SILENT                                                                                               \
    "NOSIZES\"num_hidden_layers\":8,\"hidden_size\":64,\"num_attention_heads\":32,\"intermediate_size\":64," \
    "\"vocab_size\":9"
#define FEW(G) " C=64 G=" #G " D=2 F=64 "
#define WIDE FEW(32)
#define LONG4 "\"short_factor\":[1,1,1,2],\"long_factor\":[3,3,3,4]"
static const struct {
    const char *type, *more, *wanted;
} right[] = {
    {"llama", "", "llama"},
    {"llama", "\"head_dim\":null,\"num_key_value_heads\":2,\"rms_norm_eps\":1e-5", "llama G=2 eps=1e-05"},
    {"llama", "\"head_dim\":10,\"rope_theta\":5e5", "llama D=10 R=10 base=500000"},
    {"llama", "\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":7000}", "llama base=7000"},
    {"llama", "\"rope_scaling\":null", "llama"},
    {"llama", "\"rope_scaling\":{\"type\":\"linear\",\"factor\":4}", "llama f0=4 f3=4"},
    {"llama", "\"rope_scaling\":{\"rope_type\":\"dynamic\",\"factor\":4}", "llama"},
    {"llama",
     "\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":1,\"high_freq_factor\":4,"
     "\"original_max_position_embeddings\":64}",
     "llama f0=1 f3=8"},
    {"llama",
     "\"rope_parameters\":{\"rope_type\":\"yarn\",\"rope_theta\":10000,\"factor\":4,"
     "\"original_max_position_embeddings\":64}",
     "llama f0=1 f3=4 m=1.13863"},
    {"llama", "\"rope_scaling\":{\"type\":\"yarn\",\"factor\":4,\"mscale\":1,\"mscale_all_dim\":1}",
     "llama f0=1 f3=4 m=1"},
    {"llama", "\"rope_scaling\":{\"type\":\"yarn\",\"factor\":4,\"attention_factor\":1.5}",
     "llama f0=1 f3=4 m=1.5"},
    {"llama", "\"hidden_act\":\"gelu_new\"", "llama act=2"},
    {"mistral", "\"sliding_window\":16", "llama window=16 sliding=15"},
    {"mistral", "\"sliding_window\":null", "llama"},
    {"mistral", "\"sliding_window\":4096", "llama"}, /* longer than the context */
    {"qwen2", "\"sliding_window\":16,\"use_sliding_window\":false,\"max_window_layers\":1", "qwen2"},
    {"qwen2", "\"sliding_window\":16,\"use_sliding_window\":true,\"max_window_layers\":1",
     "qwen2 window=16 sliding=14"},
    {"qwen2",
     "\"sliding_window\":16,\"use_sliding_window\":true,\"layer_types\":[\"full_attention\",\"sliding_attention\","
     "\"full_attention\",\"full_attention\"]",
     "qwen2 window=16 sliding=2"},
    {"qwen3", "", "qwen3 D=128 R=128"},
    {"gemma", "\"head_dim\":16,\"hidden_act\":\"gelu\"", "gemma D=16 R=16 act=2"},
    {"gemma2", "\"head_dim\":16,\"sliding_window\":12,\"query_pre_attn_scalar\":16",
     "gemma2 D=16 R=16 window=12 sliding=5 scale=0.25 cap=50 logitcap=30 act=2"},
    {"gemma2", "\"head_dim\":16,\"attn_logit_softcapping\":null,\"final_logit_softcapping\":3",
     "gemma2 D=16 R=16 scale=0.0625 logitcap=3 act=2"},
    {"gemma3_text",
     "\"head_dim\":16,\"sliding_window\":10,\"sliding_window_pattern\":2,\"rope_local_base_freq\":5000,"
     "\"rope_theta\":2e6,\"rope_scaling\":{\"rope_type\":\"linear\",\"factor\":8}",
     "gemma3 D=16 R=16 base=2e+06 base2=5000 f0=8 f3=8 window=10 sliding=5 scale=0.0625 act=2"},
    {"gemma3_text",
     "\"head_dim\":16,\"sliding_window\":10,\"rope_parameters\":{\"full_attention\":{\"rope_type\":\"default\","
     "\"rope_theta\":3e6},\"sliding_attention\":{\"rope_type\":\"default\",\"rope_theta\":4000}}",
     "gemma3 D=16 R=16 base=3e+06 base2=4000 window=10 sliding=15 scale=0.0625 act=2"},
    {"phi", "", "phi2 R=4 eps=1e-05 act=2 parallel=2"},
    {"phi", "\"partial_rotary_factor\":0.75,\"layer_norm_eps\":1e-4", "phi2 R=6 eps=0.0001 act=2 parallel=2"},
    {"phi", "\"rope_parameters\":{\"partial_rotary_factor\":0.25,\"rope_theta\":500}",
     "phi2 R=2 base=500 eps=1e-05 act=2 parallel=2"},
    {"phi3", "\"original_max_position_embeddings\":64,\"rope_scaling\":{\"type\":\"longrope\"," LONG4 "}",
     "phi3 f0=1 f3=2 g0=3 m=1.1547 long=64 eps=1e-05"},
    {"phi3",
     "\"original_max_position_embeddings\":64,\"rope_scaling\":{\"type\":\"yarn\"," LONG4 "}", /* of old */
     "phi3 f0=1 f3=2 g0=3 m=1.1547 long=64 eps=1e-05"},
    {"phi3", "\"rope_scaling\":{\"type\":\"su\",\"attention_factor\":1.25," LONG4 "}",
     "phi3 f0=1 f3=2 g0=3 m=1.25 long=256 eps=1e-05"},
    {"gpt_neox", "\"rotary_pct\":0.5,\"rotary_emb_base\":100,\"hidden_act\":\"gelu\"",
     "gptneox R=4 base=100 eps=1e-05 act=1 parallel=1"},
    {"gpt_neox", "\"use_parallel_residual\":false", "gptneox R=2 eps=1e-05 act=1"},
    {"gpt2",
     "NOSIZES\"n_layer\":2,\"n_embd\":32,\"n_head\":4,\"n_positions\":256,\"vocab_size\":9,\"n_inner\":null",
     "gpt2 F=128 R=0 base=0 eps=1e-05 act=2"},
    {"falcon", "\"num_kv_heads\":4", "falcon G=1 eps=1e-05 act=1 parallel=2"},
    {"RefinedWebModel", "\"n_head_kv\":2,\"new_decoder_architecture\":true",
     "falcon G=2 eps=1e-05 act=1 parallel=2"},
    {"bloom", "NOSIZES\"n_layer\":2,\"hidden_size\":32,\"n_head\":4,\"seq_length\":256,\"vocab_size\":9",
     "bloom F=128 R=0 base=0 eps=1e-05 act=2 alibi=8"},
    {"opt", "\"ffn_dim\":128,\"activation_function\":\"relu\"", "opt R=0 base=0 eps=1e-05 act=3 offset=2"},
    {"granite",
     "\"embedding_multiplier\":3,\"residual_multiplier\":0.5,\"logits_scaling\":2,\"attention_multiplier\":0.25",
     "granite scale=0.25 embed=3 residual=0.5 logit=2"},
    {"smollm3", "\"no_rope_layers\":[1,0,1,1]", "smollm3 base=2e+06 still=2"},
    {"smollm3", "\"no_rope_layer_interval\":2", "smollm3 base=2e+06 still=10"},
    {"olmo2", "", "olmo2 eps=1e-05"},
    {"olmo3", "\"sliding_window\":16", "olmo2 base=500000 base2=500000 window=16 sliding=7 eps=1e-05"},
    {"starcoder2", "\"norm_epsilon\":1e-4,\"hidden_act\":\"gelu_pytorch_tanh\"",
     "starcoder2 G=2 eps=0.0001 act=2"},
    /* what transformers does not look at */
    {"llama", "\"sliding_window\":16,\"layer_types\":[\"sliding_attention\"]", "llama"},
    {"olmo2", "\"sliding_window\":16", "olmo2 eps=1e-05"},
    {"granite", "\"sliding_window\":16,\"use_sliding_window\":true", "granite scale=1"},
    {"smollm3", "\"sliding_window\":16", "smollm3 base=2e+06 still=8"},
    {"smollm3", "\"sliding_window\":16,\"use_sliding_window\":true",
     "smollm3 base=2e+06 window=16 sliding=8 still=8"},
    {"smollm3", "\"sliding_window\":16,\"use_sliding_window\":true,\"no_rope_layers\":[0,1,1,0]",
     "smollm3 base=2e+06 window=16 sliding=9 still=9"},
    {"starcoder2", "\"sliding_window\":16", "starcoder2 G=2 window=16 sliding=15 eps=1e-05 act=2"},
    {"phi3", "\"sliding_window\":16", "phi3 window=16 sliding=15 eps=1e-05"},
    {"mistral", "\"sliding_window\":16,\"num_key_value_heads\":null", "llama window=16 sliding=15"},
    /* what it takes where nothing is said; the sizes here: 8 layers, width 64, 32 heads, 64, 9 tokens */
    {"llama", SILENT, "llama" WIDE "context=2048 R=2"},
    {"mistral", SILENT, "llama" FEW(8) "context=131072 R=2 window=4096 sliding=255"},
    {"mistral", SILENT ",\"sliding_window\":null", "llama" FEW(8) "context=131072 R=2"},
    {"qwen2", SILENT, "qwen2" WIDE "context=32768 R=2"},
    {"qwen2", SILENT ",\"use_sliding_window\":true,\"max_window_layers\":6",
     "qwen2" WIDE "context=32768 R=2 window=4096 sliding=192"},
    {"qwen2", SILENT ",\"use_sliding_window\":true", "qwen2" WIDE "context=32768 R=2 window=4096"},
    {"qwen3", SILENT, "qwen3 C=64 G=32 D=128 F=64 context=32768 R=128"},
    {"gemma", SILENT, "gemma C=64 G=16 D=256 F=64 context=8192 R=256 act=2"},
    {"gemma2", SILENT,
     "gemma2 C=64 D=256 F=64 context=8192 R=256 window=4096 sliding=85 scale=0.0625 cap=50 logitcap=30 act=2"},
    {"gemma3_text", SILENT,
     "gemma3 C=64 D=256 F=64 context=131072 R=256 base=1e+06 base2=10000 window=4096 sliding=223 scale=0.0625 "
     "act=2"},
    {"gpt2", SILENT, "gpt2" WIDE "context=1024 R=0 base=0 eps=1e-05 act=2"},
    {"phi", SILENT ",\"head_dim\":4", "phi2 C=64 G=32 D=4 F=64 context=2048 R=2 eps=1e-05 act=2 parallel=2"},
    {"phi3", SILENT, "phi3" WIDE "context=4096 R=2 eps=1e-05"},
    {"gpt_neox", SILENT ",\"head_dim\":8",
     "gptneox C=64 G=32 F=64 context=2048 R=2 eps=1e-05 act=1 parallel=1"},
    {"stablelm", SILENT ",\"head_dim\":8", "stablelm C=64 G=32 F=64 context=4096 R=2 eps=1e-05 parallel=2"},
    {"falcon", SILENT, "falcon C=64 G=1 D=2 F=64 context=2048 R=2 eps=1e-05 act=1 parallel=2"},
    {"starcoder2", SILENT, "starcoder2" FEW(2) "context=4096 R=2 eps=1e-05 act=2"},
    {"olmo2", SILENT, "olmo2" WIDE "context=2048 R=2 eps=1e-05"},
    {"olmo3", SILENT ",\"max_position_embeddings\":8192",
     "olmo2" WIDE "context=8192 R=2 base=500000 base2=500000 window=4096 sliding=119 eps=1e-05"},
    {"granite", SILENT, "granite" WIDE "context=2048 R=2 scale=1"},
    {"smollm3", SILENT, "smollm3 C=64 D=2 F=64 context=32768 R=2 base=2e+06 still=136"},
    {"opt", SILENT, "opt" WIDE "context=2048 R=0 base=0 eps=1e-05 act=3 offset=2"},
};

static void test_spellings(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        dun_weights_from from;
        char found[TEXT_BYTES];
        if (read_config(&from, right[i].type, right[i].more) < 0)
            fail_msg("%s %s: %s", right[i].type, right[i].more, dun_error_message());
        describe(found, &from.spec);
        if (strcmp(found, right[i].wanted) != 0)
            fail_msg("%s %s\nis     %s\nwanted %s", right[i].type, right[i].more, found, right[i].wanted);
    }
}

static const struct {
    const char *type, *more, *message, *also;
} wrong[] = {
    {"", "", "key 'model_type' is missing", "what kind of model"},
    {"", "\"architectures\":[\"NewForCausalLM\"]", "'NewForCausalLM' is not supported", "supported: llama"},
    {"qwen3_moe", "", "'qwen3_moe' is not supported (mixtures of experts)", "a dense Qwen 3"},
    {"mamba2", "", "'mamba2' is not supported (recurrent layers)", "nearest"},
    {"bert", "", "'bert' is not supported (attention to later tokens", "GPT-2"},
    {"t5", "", "'t5' is not supported (an encoder", "GPT-2"},
    {"gemma3", "", "'gemma3' is not supported (a vision tower)", "Gemma 3 270M"},
    {"gemma3n_text", "", "'gemma3n_text' is not supported (embeddings for each layer)", "gemma3"},
    {"gpt_oss", "", "'gpt_oss' is not supported (mixtures of experts and attention sinks)", ""},
    {"lfm2", "", "'lfm2' is not supported (convolutions)", ""},
    {"llama", "\"quantization_config\":{\"quant_method\":\"gptq\"}", "quantised by gptq, which is not read",
     "GGUF"},
    {"llama", "\"quantization\":{\"group_size\":64,\"bits\":4}", "quantised by MLX", "F32, F16 or BF16"},
    {"llama", "\"quantization_config\":{}", "quantised by a method that is not named", ""},
    {"llama", "NOSIZES\"hidden_size\":32", "key 'num_hidden_layers' is missing", "1 to 512"},
    {"llama", "NOSIZES\"num_hidden_layers\":513", "'num_hidden_layers' is 513", "1 to 512"},
    {"llama", "NOSIZES\"num_hidden_layers\":2,\"hidden_size\":9007199254740992",
     "'hidden_size' is 9007199254740992", "1 to 65536"},
    {"llama", "NOSIZES\"num_hidden_layers\":2,\"hidden_size\":-8", "'hidden_size' is -8", "1 to 65536"},
    {"llama", "NOSIZES\"num_hidden_layers\":\"2\"", "'num_hidden_layers' is '2'", "a whole number"},
    {"llama", "NOSIZES\"num_hidden_layers\":2.5", "'num_hidden_layers' is 2.5", "a whole number"},
    {"llama", "NOSIZES\"num_hidden_layers\":[2]", "'num_hidden_layers' is a list", "a whole number"},
    {"llama", "\"num_key_value_heads\":3", "4 query heads over 3 key/value heads", "a divisor of 4"},
    {"llama", "\"head_dim\":7", "7 rotary components in a head of 7", "an even number"},
    {"llama", "\"rms_norm_eps\":0", "epsilon of the norms is 0", "between 0 and 1"},
    {"llama", "\"rms_norm_eps\":\"small\"", "'rms_norm_eps' is 'small'", "a number"},
    {"llama", "\"rope_theta\":0", "'rope_theta' is 0", "at least 1"},
    {"llama", "\"rope_theta\":1e300", "'rope_theta' is 1e+300", "that a float holds"},
    {"llama", "\"rope_scaling\":{\"rope_type\":\"mrope\"}", "'rope_type' is 'mrope'",
     "llama3, yarn or longrope"},
    {"llama", "\"rope_scaling\":{\"rope_type\":\"linear\"}", "'factor' of the rotary scaling is missing", ""},
    {"llama", "\"rope_scaling\":\"linear\"", "'rope_parameters' is 'linear'", "an object"},
    {"llama", "\"rope_scaling\":{\"type\":\"llama3\",\"factor\":8,\"low_freq_factor\":4}",
     "'high_freq_factor' is 4", "more than"},
    {"llama", "\"hidden_act\":\"relu2\"", "'hidden_act' is 'relu2'", "silu, gelu"},
    {"llama", "\"hidden_act\":3", "'hidden_activation' is 3", "a string"},
    {"phi3", "\"rope_scaling\":{\"type\":\"longrope\",\"short_factor\":[1],\"long_factor\":[1]}",
     "'short_factor' has 1 values", "expected 4"},
    {"phi3", "\"rope_scaling\":{\"type\":\"longrope\",\"short_factor\":[1,1,1,-1],\"long_factor\":[1]}",
     "'short_factor' is -1", "positive"},
    {"phi", "\"partial_rotary_factor\":1.5", "1.5 of a head of 8 turn", ""},
    {"phi", "\"qk_layernorm\":true", "'qk_layernorm' is true", "not supported"},
    {"gpt2", "\"scale_attn_by_inverse_layer_idx\":true", "inverse_layer_idx' is true", "not supported"},
    {"falcon", "\"alibi\":true", "'alibi' is true", "false"},
    {"falcon", "\"multi_query\":false", "'multi_query' is false", "expected true"},
    {"falcon", "\"parallel_attn\":1", "'parallel_attn' is 1", "true or false"},
    {"opt", "\"do_layer_norm_before\":false", "'do_layer_norm_before' is false", "true"},
    {"opt", "\"word_embed_proj_dim\":16", "'word_embed_proj_dim' is 16", "32, the width"},
    {"gemma2", "\"head_dim\":16,\"layer_types\":[\"full_attention\"]", "'layer_types' has 1 values",
     "expected 4"},
    {"gemma2",
     "\"head_dim\":16,\"sliding_window\":8,\"layer_types\":[\"linear_attention\",\"full_attention\","
     "\"full_attention\",\"full_attention\"]",
     "'layer_types' is 'linear_attention'", "sliding_attention"},
    {"gemma3_text",
     "\"head_dim\":16,\"sliding_window\":10,\"rope_parameters\":{\"full_attention\":{\"rope_type\":\"default\"},"
     "\"sliding_attention\":{\"rope_type\":\"linear\",\"factor\":4}}",
     "'rope_type' is 'linear'", "default, for sliding_attention"},
    {"smollm3", "\"no_rope_layers\":[1]", "'no_rope_layers' has 1 values", "expected 4"},
    {"smollm3", "\"no_rope_layers\":[1,1,1,null]", "'no_rope_layers' is null", "1 for each layer that turns"},
    {"granite", "\"attention_multiplier\":-1", "'attention_multiplier' is -1", "at least"},
};

static void test_refusals(void **state) {
    (void)state;
    size_t live = dun_mem_live();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        dun_weights_from from;
        int rc = read_config(&from, wrong[i].type, wrong[i].more);
        const char *message = dun_error_message();
        if (rc != DUN_BAD_INPUT || strncmp(message, "hf/config.json: ", 16) != 0 ||
            !strstr(message, wrong[i].message) || !strstr(message, wrong[i].also))
            fail_msg("%s %s: status %d\nmessage: %s\nlacks: %s ... %s", wrong[i].type, wrong[i].more, rc,
                     message, wrong[i].message, wrong[i].also);
    }
    assert_int_equal(dun_mem_live(), live);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spellings),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
