"""Tiny random models of every architecture as Hugging Face's folders (tests/fixtures/families/NAME/hf) and what
transformers computes of them (NAME/reference.json), as tests/programs/reference_models.c reads both.

Weights are rounded to F16 and kept so; the reference is computed from the folder in float64. Prompt rows stand where
scaled token embeddings stand. Shapes are small and differ where they can; windows, original contexts and numbers of
layers are such that the texts reach beyond them.
"""

import json
import shutil

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoConfig, AutoModelForCausalLM

import reference_json
from reference_model import batch_loss
from reference_texts import TINY_TEXTS
from reference_tiny import CONTROL_TOKENS, LABELS, MERGES, N_CLASSES, PROMPT_ROWS, vocabulary

TEXT = " ".join(TINY_TEXTS[6:12])
TEXT_ENDS = [0, 3, 14, 30, len(TEXT)]  # the reference's texts are so many characters of it
TOP_LOGITS = 10
CONTEXT = 64
MATRIX_GAIN = {"q_proj": 1.4, "k_proj": 1.4, "query_key_value": 1.4, "c_attn": 1.4, "qkv_proj": 1.4, "lm_head": 2.0}
EMBEDDING_STD, VECTOR_STD, CENTROID_SPREAD = 0.5, 0.25, 0.4

LLAMA = dict(hidden_size=24, num_attention_heads=4, num_key_value_heads=2, intermediate_size=40, num_hidden_layers=2,
             max_position_embeddings=CONTEXT, rms_norm_eps=1e-5)
# The fields in which a family differs from the first; None takes one away.
FAMILIES = {
    "llama": ("llama", {}),
    "llama_biases": ("llama", dict(attention_bias=True, mlp_bias=True, tie_word_embeddings=True)),
    "llama_linear": ("llama", dict(rope_scaling=dict(rope_type="linear", factor=4.0))),
    "llama_llama3": ("llama", dict(rope_scaling=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0,
                                                     high_freq_factor=4.0, original_max_position_embeddings=32))),
    "llama_yarn": ("llama", dict(rope_scaling=dict(rope_type="yarn", factor=4.0,
                                                   original_max_position_embeddings=16))),
    "mistral": ("mistral", dict(sliding_window=8)),
    "qwen2": ("qwen2", dict(use_sliding_window=False)),
    "qwen3": ("qwen3", dict(head_dim=10, use_sliding_window=False)),
    "gemma": ("gemma", dict(head_dim=10, hidden_activation="gelu_pytorch_tanh")),
    "gemma2": ("gemma2", dict(head_dim=10, sliding_window=8, query_pre_attn_scalar=14, attn_logit_softcapping=2.0,
                              final_logit_softcapping=3.0, hidden_activation="gelu_pytorch_tanh")),
    "gemma3": ("gemma3_text", dict(head_dim=10, num_key_value_heads=1, num_hidden_layers=4, sliding_window=8,
                                   query_pre_attn_scalar=10, hidden_activation="gelu_pytorch_tanh",
                                   layer_types=["sliding_attention"] * 2 + ["full_attention", "sliding_attention"])),
    "phi3_longrope": ("phi3", dict(max_position_embeddings=96, original_max_position_embeddings=24, pad_token_id=0,
                                   rope_scaling=dict(type="longrope", short_factor=[1.0, 1.1, 1.3],
                                                     long_factor=[1.5, 2.5, 6.0]))),
    "olmo2": ("olmo2", {}),
    "granite": ("granite", dict(embedding_multiplier=3.0, attention_multiplier=0.4, residual_multiplier=0.6,
                                logits_scaling=2.0)),
    "smollm3": ("smollm3", dict(num_hidden_layers=4, no_rope_layers=[1, 0, 1, 0], pad_token_id=0)),
    "starcoder2": ("starcoder2", dict(norm_epsilon=1e-5, use_bias=True, sliding_window=None, rms_norm_eps=None)),
    "stablelm": ("stablelm", dict(num_key_value_heads=4, layer_norm_eps=1e-5, partial_rotary_factor=0.67,
                                  use_qkv_bias=True, rms_norm_eps=None)),
    "stablelm_norms": ("stablelm", dict(num_key_value_heads=4, layer_norm_eps=1e-5, partial_rotary_factor=0.67,
                                        qk_layernorm=True, use_parallel_residual=True, rms_norm_eps=None)),
    "phi": ("phi", dict(num_key_value_heads=4, layer_norm_eps=1e-5, partial_rotary_factor=0.67, rms_norm_eps=None)),
    "gpt_neox": ("gpt_neox", dict(num_key_value_heads=None, layer_norm_eps=1e-5, rotary_pct=0.67, rms_norm_eps=None)),
    "gpt_neox_sequential": ("gpt_neox", dict(num_key_value_heads=None, layer_norm_eps=1e-5, rotary_pct=0.67,
                                             use_parallel_residual=False, rms_norm_eps=None)),
    "falcon": ("falcon", dict(num_key_value_heads=None, multi_query=True, intermediate_size=None, rms_norm_eps=None,
                              layer_norm_epsilon=1e-5)),
    "falcon_groups": ("falcon", dict(num_key_value_heads=None, num_kv_heads=2, new_decoder_architecture=True,
                                     intermediate_size=None, rms_norm_eps=None, layer_norm_epsilon=1e-5)),
    "gpt2": ("gpt2", dict(n_embd=24, n_head=4, n_layer=2, n_positions=CONTEXT)),
    "bloom": ("bloom", dict(hidden_size=24, n_head=6, n_layer=2, layer_norm_epsilon=1e-5, seq_length=CONTEXT)),
    "opt": ("opt", dict(hidden_size=24, word_embed_proj_dim=24, ffn_dim=40, num_hidden_layers=2,
                        num_attention_heads=4, max_position_embeddings=CONTEXT, do_layer_norm_before=True)),
}
OWN_FIELDS = {"gpt2", "bloom", "opt"}  # that share no name with Llama's


def make_tokenizer():
    """The tiny models' byte-level BPE."""
    tokens, _ = vocabulary()
    normal = tokens[:-len(CONTROL_TOKENS)]
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(normal)},
                                     merges=[tuple(pair.split(" ")) for pair in MERGES]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in CONTROL_TOKENS])
    return tokenizer


def make_config(kind, fields, n_tokens):
    fields = fields if kind in OWN_FIELDS else LLAMA | fields
    fields = {key: value for key, value in fields.items() if value is not None}
    return {"architectures": [kind], "model_type": kind, "vocab_size": n_tokens, "bos_token_id": n_tokens - 2,
            "eos_token_id": n_tokens - 1} | fields


def randomise(model, rng):
    """Weights that keep the size of activations; norms and biases that matter; all of them exactly F16."""
    tables = {id(m.weight) for m in model.modules() if isinstance(m, torch.nn.Embedding)}
    for name, parameter in model.named_parameters():
        noise = torch.from_numpy(rng.standard_normal(tuple(parameter.shape))).float()
        module = name.split(".")[-2]
        if parameter.ndim == 1:
            value = parameter.data + VECTOR_STD * noise
        elif id(parameter) in tables:
            value = EMBEDDING_STD * noise
        else:
            inner = parameter.shape[0] if module.startswith("c_") else parameter.shape[1]  # Conv1D is (in, out)
            value = MATRIX_GAIN.get(module, 1.0) / inner ** 0.5 * noise
        parameter.data = value.half().float()


def write_model(folder, kind, fields, seed):
    tokenizer = make_tokenizer()
    config = make_config(kind, fields, tokenizer.get_vocab_size())
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="ascii")
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder), dtype=torch.float32)
    randomise(model, np.random.default_rng(seed))
    state = {name: tensor.half().contiguous() for name, tensor in model.state_dict().items()}
    if model.config.tie_word_embeddings:
        state = {name: tensor for name, tensor in state.items() if name not in ("lm_head.weight", "embed_out.weight")}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


class Family:
    """A model in float64: a folder's, or that of a GGUF file in it."""

    def __init__(self, folder, gguf_file=None):
        self.model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=gguf_file, dtype=torch.float64,
                                                          attn_implementation="eager")
        self.model.eval().requires_grad_(False)
        self.scale = getattr(self.model.config, "embedding_multiplier", None) or 1.0  # put on rows that are handed in

    def rows(self, ids):
        return self.model.get_input_embeddings()(torch.tensor(ids, dtype=torch.long)) * self.scale

    def run(self, model, ids, prompt):
        rows = torch.cat([self.rows(ids), prompt]) / self.scale
        return model(inputs_embeds=rows[None], use_cache=False)

    def hidden(self, ids, prompt):
        return self.run(self.model.base_model, ids, prompt).last_hidden_state[0, -1]

    def text_result(self, ids, prompt):
        top = self.run(self.model, ids, prompt).logits[0, -1].topk(TOP_LOGITS)
        return {"hidden": self.hidden(ids, prompt).tolist(),
                "top": [list(pair) for pair in zip(top.indices.tolist(), top.values.tolist())]}

    def gradient_result(self, texts, case, prompt):
        prompt = prompt.clone().requires_grad_()
        batch = torch.stack([self.hidden(ids, prompt) for ids in texts])
        centroids = torch.tensor(case["centroids"], dtype=torch.float64).reshape(N_CLASSES, -1)
        loss = batch_loss(batch, centroids, case["labels"])
        loss.backward()
        return {"loss": loss.item(), "d_prompt": prompt.grad.flatten().tolist()}


def prompt_of(document):
    return torch.tensor(document["prompt"], dtype=torch.float64).reshape(document["prompt_rows"], -1)


def make_reference(folder, seed):
    """The whole of a reference.json."""
    family, tokenizer, rng = Family(folder), Tokenizer.from_file(str(folder / "tokenizer.json")), np.random.default_rng(seed)
    texts = [TEXT[:n] for n in TEXT_ENDS]
    ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
    spread = torch.cat([family.rows(one) for one in ids if one]).std().item()
    width = family.model.config.hidden_size
    document = {"prompt_rows": PROMPT_ROWS, "width": width,
                "prompt": reference_json.rounded(spread * rng.standard_normal((PROMPT_ROWS, width)))}
    prompt = prompt_of(document)
    document["cases"] = [{"text": text, "ids": one} | family.text_result(one, prompt) for text, one in zip(texts, ids)]
    document["gradient"] = make_gradient(family, document["cases"], prompt, rng)
    return document


def make_gradient(family, cases, prompt, rng):
    """Of the loss over all cases, with centroids among their points."""
    points = np.array([case["hidden"] for case in cases])
    centroids = points.mean(0) + CENTROID_SPREAD * points.std() * rng.standard_normal((N_CLASSES, points.shape[1]))
    case = {"texts": list(range(len(cases))), "labels": [LABELS[i % len(LABELS)] for i in range(len(cases))],
            "centroids": reference_json.rounded(centroids)}
    return case | family.gradient_result([case["ids"] for case in cases], case, prompt)


def make(folder, seed):
    for i, (name, (kind, fields)) in enumerate(FAMILIES.items()):
        write_model(folder / name / "hf", kind, fields, seed + 2 * i)
        reference_json.write(folder / name / "reference.json", make_reference(folder / name / "hf", seed + 2 * i + 1))
        print(f"families/{name}", flush=True)


def recompute(document, folder):
    """Pairs (name, expected, recomputed) of everything in a reference.json."""
    return recompute_with(Family(folder / "hf"), document, prompt_of(document))


def recompute_with(family, document, prompt):
    """The same of a document of a family's form."""
    for case in document["cases"]:
        result = family.text_result(case["ids"], prompt)
        yield f"{len(case['ids'])} tokens, hidden", case["hidden"], result["hidden"]
        yield f"{len(case['ids'])} tokens, top", [pair[1] for pair in case["top"]], [pair[1] for pair in result["top"]]
    gradient = document["gradient"]
    texts = [document["cases"][i]["ids"] for i in gradient["texts"]]
    for key, value in family.gradient_result(texts, gradient, prompt).items():
        yield f"gradient, {key}", gradient[key], value
