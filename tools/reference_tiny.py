"""Tiny random models (tests/fixtures/tiny-*.gguf), Llamas and a Qwen2, and their reference vectors.

The files carry what llama.cpp's converter writes for such a model: its keys, its tensor names, of a Llama the
rows of attn_q and attn_k permuted so that the two halves of a rotary pair lie side by side, of a Qwen2 the biases
of queries, keys and values. Their tokenizer is a byte-level BPE of the 256 bytes, a few merges and two control tokens.

The reference is computed by transformers from the file as it lies on disk, so rounding to F16 or Q8_0
is part of the model and not an error of the reader.
"""

from dataclasses import dataclass

import gguf
import numpy as np
import torch

from reference_json import rounded
from reference_model import batch_loss, embeddings, load_model, load_tokenizer, token_ids
from reference_texts import TINY_TEXTS

# GPT-2's way of writing a space and a newline as visible characters inside a token.
SPACE, NEWLINE = "Ġ", "Ċ"

# In order of rank. Overlapping pairs (t h, h e, t he, th e) make the order matter.
MERGES = [pair.replace("_", SPACE).replace("/", NEWLINE) for pair in (
    "_ t", "h e", "i n", "_ a", "r e", "_t he", "o n", "e r", "n d", "_a nd", "i s", "_ _", "t h", "t he",
    "_ i", "_i n", "e n", "th e", "_ o", "_o n", "' t", "' s", "1 9", "19 9", "_ 1", "Ã ©", "_i s", "/ /",
    "T he", "e nd", "_ end", "! !", ". .", "a a", "aa aa", "h is", "_ his", "__ __", "the re", "er r",
)]
CONTROL_TOKENS = ["<|begin|>", "<|finish|>"]

CONTEXT_LENGTH = 128
PROMPT_ROWS = 3
SEQUENCE_LENGTHS = [1, 2, 7, 31, 40]
LABELS = [0, 1, 2, 1, 0]
N_CLASSES = 3
# Rows before and after the text: token ids, and -1 - p for prompt row p.
LAYOUTS = [
    {"head": [], "tail": [11, -1, 12, -2, -3, 13]},
    {"head": [-1, -2, -3], "tail": []},
    {"head": [21, -1, 22], "tail": [23, -2, -3]},
]

# Scales of the random weights: matrices times 1/sqrt(row length), so that activations keep their size.
EMBEDDING_STD = 0.3
ATTENTION_GAIN = 1.3  # queries and keys: attention neither uniform nor one-hot
NORM_STD = 0.2  # around 1
BIAS_STD = 0.5  # as large as what it is added to
CENTROID_SPREAD = 0.3  # of the points' own standard deviation, around their mean: no saturated softmax

NOTE = ("prompt rows stand after the text, row j of a text of n tokens at position n + j; every vector is taken "
        "at the last prompt row; residual[i] is the stream after block i, counted from 0, without the final norm; "
        "loss = mean softmax cross entropy over -||x - c + 1e-6||_2; prompt and d_prompt (P,C), centroids and "
        "d_centroids (K,D), row-major; layer: the point is the residual after that block; layouts: the text "
        "between the rows of head and tail, token ids and -1 - p for prompt row p, hidden at the last row of all")


@dataclass(frozen=True)
class Shape:
    """One model; 2-D tensors are stored as `storage`, 1-D ones as F32."""

    name: str
    layers: int
    width: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    tied_head: bool
    storage: gguf.GGMLQuantizationType
    file_type: gguf.LlamaFileType
    rope_base: float
    norm_eps: float
    architecture: str = "llama"


SHAPES = [
    Shape("tiny-a", 3, 32, 4, 2, 8, 48, True, gguf.GGMLQuantizationType.F32, gguf.LlamaFileType.ALL_F32,
          10000.0, 1e-5),
    Shape("tiny-b", 2, 48, 3, 3, 16, 64, False, gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16,
          10000.0, 1e-5),
    Shape("tiny-c", 2, 64, 4, 1, 16, 96, True, gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0,
          100000.0, 1e-6),
    Shape("tiny-d", 2, 40, 4, 2, 10, 56, True, gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16,
          1000000.0, 1e-6, "qwen2"),
]


def byte_characters():
    """The visible character that stands for each byte inside a token, bytes in GPT-2's vocabulary order."""
    visible = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
    n_invisible = 256 - len(visible)
    return [chr(byte) for byte in visible] + [chr(256 + i) for i in range(n_invisible)]


def vocabulary():
    """(tokens, token types): the bytes, what the merges make, the control tokens."""
    tokens = byte_characters()
    for pair in MERGES:
        left, right = pair.split(" ")
        if left not in tokens or right not in tokens:
            raise ValueError(f"merge {pair!r} joins a token that does not exist yet")
        if left + right not in tokens:  # two merges may end in the same token
            tokens.append(left + right)
    types = [gguf.TokenType.NORMAL] * len(tokens) + [gguf.TokenType.CONTROL] * len(CONTROL_TOKENS)
    return tokens + CONTROL_TOKENS, types


def permute(weight, heads, architecture):
    """Rows of a query or key matrix from halves (PyTorch's rotary order) to those of the architecture's files."""
    if architecture != "llama":
        return weight
    return weight.reshape(heads, 2, -1, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


def random_weights(shape, n_tokens, rng):
    """Tensor name -> float32 array, matrices (out, in), as the file holds them before rounding."""
    def matrix(out, inner, gain=1.0):
        return (gain / np.sqrt(inner) * rng.standard_normal((out, inner))).astype(np.float32)

    def norm():
        return (1 + NORM_STD * rng.standard_normal(shape.width)).astype(np.float32)

    def bias(width):
        return (BIAS_STD * rng.standard_normal(width)).astype(np.float32)

    q_width, kv_width = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    table = EMBEDDING_STD * rng.standard_normal((n_tokens, shape.width))
    weights = {"token_embd.weight": table.astype(np.float32)}
    for i in range(shape.layers):
        weights |= {
            f"blk.{i}.attn_norm.weight": norm(),
            f"blk.{i}.attn_q.weight": permute(matrix(q_width, shape.width, ATTENTION_GAIN), shape.heads, shape.architecture),
            f"blk.{i}.attn_k.weight": permute(matrix(kv_width, shape.width, ATTENTION_GAIN), shape.kv_heads,
                                             shape.architecture),
            f"blk.{i}.attn_v.weight": matrix(kv_width, shape.width),
            f"blk.{i}.attn_output.weight": matrix(shape.width, q_width),
            f"blk.{i}.ffn_norm.weight": norm(),
            f"blk.{i}.ffn_gate.weight": matrix(shape.ffn, shape.width),
            f"blk.{i}.ffn_up.weight": matrix(shape.ffn, shape.width),
            f"blk.{i}.ffn_down.weight": matrix(shape.width, shape.ffn),
        }
        if shape.architecture == "qwen2":
            weights |= {f"blk.{i}.attn_{part}.bias": bias(width)
                        for part, width in (("q", q_width), ("k", kv_width), ("v", kv_width))}
    weights["output_norm.weight"] = norm()
    if not shape.tied_head:
        weights["output.weight"] = matrix(n_tokens, shape.width, EMBEDDING_STD * np.sqrt(shape.width))
    return weights


def write_hyper_parameters(writer, shape, n_tokens):
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(f"dunlin {shape.name}")
    writer.add_description("random weights for tests")
    writer.add_block_count(shape.layers)
    writer.add_context_length(CONTEXT_LENGTH)
    writer.add_embedding_length(shape.width)
    writer.add_feed_forward_length(shape.ffn)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.norm_eps)
    writer.add_file_type(shape.file_type)
    writer.add_vocab_size(n_tokens)
    writer.add_rope_dimension_count(shape.head_dim)


def write_tokenizer(writer, tokens, types):
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(MERGES)
    start, end = (tokens.index(token) for token in CONTROL_TOKENS)
    writer.add_bos_token_id(start)
    writer.add_eos_token_id(end)
    writer.add_unk_token_id(end)
    writer.add_pad_token_id(end)
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def write_fixture(path, shape, seed):
    """Writes one tiny model."""
    tokens, types = vocabulary()
    writer = gguf.GGUFWriter(path, shape.architecture)
    write_hyper_parameters(writer, shape, len(tokens))
    write_tokenizer(writer, tokens, types)
    for name, weight in random_weights(shape, len(tokens), np.random.default_rng(seed)).items():
        kind = shape.storage if weight.ndim == 2 else gguf.GGMLQuantizationType.F32
        writer.add_tensor(name, gguf.quantize(weight, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def run_blocks(model, ids, prompt):
    """([(C) residual after each block], (C) final hidden state), all at the last prompt row."""
    residual = []

    def keep(_module, _inputs, output):
        residual.append((output[0] if isinstance(output, tuple) else output)[0, -1])

    hooks = [block.register_forward_hook(keep) for block in model.model.layers]
    try:
        rows = torch.cat([embeddings(model, ids), prompt])[None]
        hidden = model.model(inputs_embeds=rows, use_cache=False).last_hidden_state[0, -1]
    finally:
        for hook in hooks:
            hook.remove()
    return residual, hidden


def points(model, texts, prompt, kind, layer=None):
    """(B, D) points; with a layer, its residual stream instead of the last hidden state."""
    batch = []
    for ids in texts:
        residual, hidden = run_blocks(model, ids, prompt)
        batch.append(hidden if layer is None else residual[layer])
    batch = torch.stack(batch)
    return model.lm_head(batch) if kind == "logits" else batch


def text_result(model, ids, prompt):
    residual, hidden = run_blocks(model, ids, prompt)
    return {"residual": [vector.tolist() for vector in residual], "hidden": hidden.tolist(),
            "logits": model.lm_head(hidden).tolist()}


def gradient_result(model, texts, prompt, case):
    """Loss of a batch and its gradients for prompt and centroids."""
    prompt = prompt.clone().requires_grad_()
    batch = points(model, texts, prompt, case["point"], case.get("layer"))
    centroids = torch.tensor(case["centroids"], dtype=torch.float64).reshape(-1, batch.shape[1]).requires_grad_()
    loss = batch_loss(batch, centroids, case["labels"])
    loss.backward()
    return {"loss": loss.item(), "d_prompt": prompt.grad.flatten().tolist(),
            "d_centroids": centroids.grad.flatten().tolist()}


def random_centroids(model, texts, prompt, kind, layer, rng):
    """(K * D) floats around the mean of the points."""
    with torch.no_grad():
        batch = points(model, texts, prompt, kind, layer).numpy()
    noise = rng.standard_normal((N_CLASSES, batch.shape[1]))
    return rounded(batch.mean(0) + CENTROID_SPREAD * batch.std() * noise)


def layout_points(model, texts, prompt, layout):
    """(B, C) final hidden states at the last row of head + text + tail."""
    batch = []
    for ids in texts:
        rows = [embeddings(model, [i])[0] if i >= 0 else prompt[-1 - i] for i in layout["head"] + ids + layout["tail"]]
        batch.append(model.model(inputs_embeds=torch.stack(rows)[None], use_cache=False).last_hidden_state[0, -1])
    return torch.stack(batch)


def layout_result(model, texts, prompt, case):
    prompt = prompt.clone().requires_grad_()
    batch = layout_points(model, texts, prompt, case)
    centroids = torch.tensor(case["centroids"], dtype=torch.float64).reshape(-1, batch.shape[1])
    loss = batch_loss(batch, centroids, case["labels"])
    loss.backward()
    return {"hidden": batch.detach().flatten().tolist(), "loss": loss.item(),
            "d_prompt": prompt.grad.flatten().tolist()}


def layout_case(model, texts, prompt, layout, rng):
    with torch.no_grad():
        batch = layout_points(model, texts, prompt, layout).numpy()
    noise = rng.standard_normal((N_CLASSES, batch.shape[1]))
    case = layout | {"labels": LABELS, "centroids": rounded(batch.mean(0) + CENTROID_SPREAD * batch.std() * noise)}
    return case | layout_result(model, texts, prompt, case)


def make_tiny(path, shape, seed):
    """The whole of tests/reference/tiny-?.json for one fixture."""
    model = load_model(path)
    rng = np.random.default_rng(seed)
    n_tokens = model.config.vocab_size
    texts = [rng.integers(n_tokens, size=length).tolist() for length in SEQUENCE_LENGTHS]
    prompt_values = rounded(EMBEDDING_STD * rng.standard_normal((PROMPT_ROWS, shape.width)))
    prompt = prompt_tensor(prompt_values, shape.width)
    gradients = []
    for kind, layer in (("hidden", None), ("logits", None), ("hidden", 0)):
        case = {"point": kind} | ({} if layer is None else {"layer": layer})
        case |= {"labels": LABELS, "centroids": random_centroids(model, texts, prompt, kind, layer, rng)}
        gradients.append(case | gradient_result(model, texts, prompt, case))
    layouts = [layout_case(model, texts, prompt, layout, rng) for layout in LAYOUTS]
    return {"model": path.name, "note": NOTE,
            "shape": {"layers": shape.layers, "width": shape.width, "heads": shape.heads,
                      "kv_heads": shape.kv_heads, "head_dim": shape.head_dim, "ffn": shape.ffn,
                      "vocab": n_tokens, "tied_head": shape.tied_head, "storage": shape.storage.name,
                      "rope_base": shape.rope_base, "norm_eps": shape.norm_eps},
            "prompt_rows": PROMPT_ROWS, "prompt": prompt_values,
            "cases": [{"ids": ids} | text_result(model, ids, prompt) for ids in texts], "gradients": gradients,
            "layouts": layouts}


def prompt_tensor(values, width):
    return torch.tensor(values, dtype=torch.float32).reshape(-1, width)


def recompute_tiny(document, path):
    """Pairs (name, expected, recomputed) of everything in a tiny-?.json."""
    model = load_model(path)
    prompt = prompt_tensor(document["prompt"], document["shape"]["width"])
    for case in document["cases"]:
        result = text_result(model, case["ids"], prompt)
        for i, (expected, actual) in enumerate(zip(case["residual"], result.pop("residual"), strict=True)):
            yield f"{len(case['ids'])} tokens, residual {i}", expected, actual
        for key, value in result.items():
            yield f"{len(case['ids'])} tokens, {key}", case[key], value
    texts = [case["ids"] for case in document["cases"]]
    for case in document["gradients"]:
        for key, value in gradient_result(model, texts, prompt, case).items():
            yield f"{case['point']} layer {case.get('layer', 'last')} {key}", case[key], value
    for case in document["layouts"]:
        for key, value in layout_result(model, texts, prompt, case).items():
            yield f"layout {case['head']} {case['tail']} {key}", case[key], value


def make_tiny_tokens(paths):
    """The whole of tests/reference/tiny-tokens.json; every fixture must have the same tokenizer."""
    lists = []
    for path in paths:
        tokenizer = load_tokenizer(path)
        lists.append([{"text": text, "ids": token_ids(tokenizer, text)} for text in TINY_TEXTS])
    if any(cases != lists[0] for cases in lists):
        raise ValueError("the tiny models do not agree on the tokens of a text")
    return {"model": paths[0].name, "cases": lists[0]}
