"""Reference vectors of a real model file: token ids, points, prompt gradients, training curves.

A text of n tokens is followed by the P prompt rows, row j at position n + j; the point of the text is
the model's output at the last row: `hidden` after the final norm (C), `logits` (V). Every text is run
alone, so nothing is ever padded.
"""

import torch
from tokenizers import Tokenizer, pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer

import reference_losses
from reference_texts import MODEL_PROMPT, MODEL_TEXTS, NUMERAL_TEXTS, REVIEWS, TOKEN_TEXTS

TOP_LOGITS = 10
# Class 0's centroid is point 1 and class 1's is point 0, each moved a little so that no distance is 0.
GRADIENT_CENTROIDS = "rows 1 and 0 of the points times 1.01"
GRADIENT_CENTROID_SCALE = 1.01

MODEL_NOTE = ("prompt rows = token embeddings of prompt_ids; positions follow the text; no BOS; "
              "point = last prompt position")

CURVE_SETTINGS = [
    {"point": "hidden", "lr": 0.01, "batch_size": 8, "max_length": 32},
    {"point": "logits", "lr": 0.001, "batch_size": 8, "max_length": 32},
]
CURVE_FACTS = {"shuffle": False, "classes": 2, "loss": "cross-entropy",
               "centroid_start": "first example of each class", "train_centroids": True}


def load_tokenizer(path):
    """The tokenizer inside a GGUF file."""
    return AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)


def load_model(path):
    """The model of a GGUF file, dequantised to float32 and frozen."""
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    return model.eval().requires_grad_(False)


def token_ids(tokenizer, text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def embeddings(model, ids):
    """(len(ids), C) rows of the token table."""
    return model.get_input_embeddings()(torch.tensor(ids, dtype=torch.long))


def run(model, ids, prompt):
    """(C) final hidden state at the last prompt row of one text."""
    rows = torch.cat([embeddings(model, ids), prompt])[None]
    return model.model(inputs_embeds=rows, use_cache=False).last_hidden_state[0, -1]


def points(model, texts, prompt, kind):
    """(B, D) points of a batch of id lists."""
    hidden = torch.stack([run(model, ids, prompt) for ids in texts])
    return model.lm_head(hidden) if kind == "logits" else hidden


def batch_loss(batch, centroids, labels):
    """Cross entropy in double: sums over a whole vocabulary lose digits in float32."""
    return reference_losses.cross_entropy_loss(batch.double(), centroids.double(), torch.tensor(labels))


def make_tokens(path):
    """The whole of tokens.json."""
    tokenizer = load_tokenizer(path)
    apart = numerals_apart(tokenizer)
    cases = [{"text": text, "ids": token_ids(tokenizer, text)} for text in TOKEN_TEXTS]
    for case in cases:
        if apart.encode(case["text"], add_special_tokens=False).ids != case["ids"]:
            raise ValueError(f"{case['text']!r} depends on how numerals are split; it belongs to NUMERAL_TEXTS")
    numerals = [{"text": text, "ids": token_ids(tokenizer, text),
                 "ids_numerals_apart": apart.encode(text, add_special_tokens=False).ids} for text in NUMERAL_TEXTS]
    return {"model": path.name, "cases": cases, "numerals": numerals}


def numerals_apart(tokenizer):
    """The same tokenizer, first making every numeral a piece of its own.

    SmolLM's own tokenizer does; transformers does not read that from a GGUF file (the key
    tokenizer.ggml.pre), and cuts by GPT-2's pattern alone.
    """
    other = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    other.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
    ])
    return other


def recompute_tokens(document, path):
    """Pairs (name, expected, recomputed) of a token list."""
    tokenizer = load_tokenizer(path)
    for case in document["cases"]:
        yield repr(case["text"]), case["ids"], token_ids(tokenizer, case["text"])


def text_result(model, ids, prompt):
    """Point and largest logits of one text."""
    hidden = run(model, ids, prompt)
    logits = model.lm_head(hidden)
    top = logits.topk(TOP_LOGITS)
    return {"hidden": hidden.tolist(), "top_ids": top.indices.tolist(), "top_logits": top.values.tolist(),
            "logit_norm": logits.norm().item()}


def gradient_result(model, texts, labels, prompt, kind):
    """Cross entropy of a batch and its gradient for the prompt; the centroids are constants."""
    prompt = prompt.clone().requires_grad_()
    batch = points(model, texts, prompt, kind)
    centroids = batch.detach()[[1, 0]] * GRADIENT_CENTROID_SCALE
    loss = batch_loss(batch, centroids, labels)
    loss.backward()
    return {"loss": loss.item(), "d_prompt": prompt.grad.flatten().tolist()}


def make_model(path):
    """The whole of model.json."""
    model, tokenizer = load_model(path), load_tokenizer(path)
    prompt_ids = token_ids(tokenizer, MODEL_PROMPT)
    prompt = embeddings(model, prompt_ids)
    texts = [token_ids(tokenizer, text) for text in MODEL_TEXTS]
    cases = [{"text": text, "ids": ids} | text_result(model, ids, prompt) for text, ids in zip(MODEL_TEXTS, texts)]
    labels = [i % 2 for i in range(len(texts))]
    for kind in ("hidden", "logits"):
        cases.append({"batch_of": kind, "labels": labels, "centroids": GRADIENT_CENTROIDS}
                     | gradient_result(model, texts, labels, prompt, kind))
    return {"prompt_ids": prompt_ids, "note": MODEL_NOTE, "cases": cases}


def recompute_model(document, path):
    """Pairs (name, expected, recomputed) of everything in a model.json."""
    model, tokenizer = load_model(path), load_tokenizer(path)
    prompt = embeddings(model, document["prompt_ids"])
    single = [case for case in document["cases"] if "text" in case]
    for case in single:
        yield f"ids of {case['text'][:24]!r}", case["ids"], token_ids(tokenizer, case["text"])
        for key, value in text_result(model, case["ids"], prompt).items():
            yield f"{key} of {case['text'][:24]!r}", case[key], value
    for case in document["cases"]:
        if "batch_of" in case:
            texts = [one["ids"] for one in single]
            result = gradient_result(model, texts, case["labels"], prompt, case["batch_of"])
            for key, value in result.items():
                yield f"{case['batch_of']} {key}", case[key], value


def first_examples(labels, n_classes):
    """Index of the first text of each class."""
    return [labels.index(k) for k in range(n_classes)]


def train(model, texts, labels, prompt, setting, steps):
    """Cross entropy trained in file order, prompt and centroids with one Adam; one dict of the curve."""
    texts = [ids[: setting["max_length"]] for ids in texts]
    kind, size = setting["point"], setting["batch_size"]
    starts = [texts[i] for i in first_examples(labels, CURVE_FACTS["classes"])]
    with torch.no_grad():
        centroids = points(model, starts, prompt, kind)
    prompt = prompt.clone().requires_grad_()
    centroids.requires_grad_()
    adam = torch.optim.Adam([prompt, centroids], lr=setting["lr"])
    losses = []
    for begin in range(0, steps * size, size):
        batch = points(model, texts[begin : begin + size], prompt, kind)
        loss = batch_loss(batch, centroids, labels[begin : begin + size])
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    apart = reference_losses.distance(centroids[0], centroids[1])
    return {"losses": losses, "prompt_after": prompt.flatten().tolist(), "centroid_distance_01": apart.item()}


def make_curve(path):
    """(curve.json, text of curve.tsv)."""
    model, tokenizer = load_model(path), load_tokenizer(path)
    prompt_ids = token_ids(tokenizer, MODEL_PROMPT)
    texts = [token_ids(tokenizer, text) for text, _ in REVIEWS]
    labels = [label for _, label in REVIEWS]
    runs = []
    for setting in CURVE_SETTINGS:
        steps = len(REVIEWS) // setting["batch_size"]
        runs.append(setting | CURVE_FACTS
                    | train(model, texts, labels, embeddings(model, prompt_ids), setting, steps))
    lines = "".join(f"{text}\t{label}\n" for text, label in REVIEWS)
    return {"prompt_ids": prompt_ids, "runs": runs}, lines


def recompute_curve(document, lines, path):
    """Pairs (name, expected, recomputed) of everything in a curve.json and the texts of its curve.tsv."""
    model, tokenizer = load_model(path), load_tokenizer(path)
    rows = [line.split("\t") for line in lines.splitlines()]
    texts = [token_ids(tokenizer, text) for text, _ in rows]
    labels = [int(label) for _, label in rows]
    prompt = embeddings(model, document["prompt_ids"])
    for expected in document["runs"]:
        result = train(model, texts, labels, prompt, expected, len(expected["losses"]))
        for key, value in result.items():
            yield f"{expected['point']} {key}", expected[key], value
